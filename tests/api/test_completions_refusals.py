"""What /v1/completions does not understand or serve, and how it says so."""
# ruff: noqa: E501 - in a table of cases each has one line

import pytest


def complete(**more):
    return {"model": "fake", "prompt": "x", **more}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param(b"", 400, "missing request body", id="empty body"),
        pytest.param(b"[]", 400, "the body must be an object", id="not an object"),
        pytest.param(b'{"seed": ' + b"9" * 5000 + b"}", 400, "too many digits", id="a huge number"),
        pytest.param({"prompt": "x"}, 400, "model is required", id="no model"),
        pytest.param(complete(model="nobody"), 404, "model 'nobody' not found", id="unknown model"),
        pytest.param(complete(model="embedder"), 400, '"embedder" does not support completion', id="no completion"),
        pytest.param({"model": "fake"}, 400, "invalid prompt: it is missing or empty", id="no prompt"),
        pytest.param(complete(prompt=""), 400, "prompt[0] is empty", id="empty prompt"),
        pytest.param(complete(prompt=["x", ""]), 400, "prompt[1] is empty", id="one empty prompt"),
        pytest.param(complete(prompt=[]), 400, "invalid prompt", id="no prompts"),
        pytest.param(complete(prompt=3), 400, "invalid prompt: it must be a string, a list", id="a number"),
        pytest.param(complete(prompt=["x", [1]]), 400, "prompt[1] must be a string", id="mixture"),
        pytest.param(complete(prompt=[1, -2]), 400, "prompt[1] must be a token id", id="negative token"),
        pytest.param(complete(prompt=[[1], ["x"]]), 400, "prompt[1][0] must be a token id", id="word among tokens"),
        pytest.param(complete(suffix="y"), 400, "library/fake:latest does not support insert", id="suffix"),
        pytest.param(complete(n=0), 400, "n must be at least 1", id="n"),
        pytest.param(complete(n=2.5), 400, "n must be an integer", id="n fraction"),
        pytest.param(complete(n=129), 400, "129 choices; at most 128", id="n too large"),
        pytest.param(complete(n=65, prompt=["x", "y"]), 400, "130 choices; at most 128", id="n times prompts"),
        pytest.param(complete(best_of=3, n=2), 400, "best_of 3 is not supported", id="best_of"),
        pytest.param(complete(logprobs=6), 400, "logprobs must be between 0 and 5", id="logprobs"),
        pytest.param(complete(logprobs=-1), 400, "logprobs must be between 0 and 5", id="negative logprobs"),
        pytest.param(complete(logprobs=True), 400, "logprobs must be an integer", id="logprobs of chat"),
        pytest.param(complete(max_tokens=-2, echo=True), 400, "max_tokens must be at least 0", id="max_tokens of an echo"),
        pytest.param(complete(max_tokens=0), 400, "max_tokens must be at least 1", id="max_tokens"),
        pytest.param(complete(logit_bias={"x": 1}), 400, 'logit_bias: "x" is no token id', id="bias of a word"),
        pytest.param(complete(logit_bias={"9" * 5000: 1}), 400, "is no token id", id="bias of a huge token"),
        pytest.param(complete(logit_bias={"1": 101}), 400, "logit_bias of 1 must be a number from -100 to 100", id="bias too large"),
        pytest.param(b'{"model": "fake", "prompt": "x", "logit_bias": {"1": 1e999}}', 400, "logit_bias of 1", id="endless bias"),
        pytest.param(complete(logit_bias={"1": True}), 400, "logit_bias of 1 must be a number", id="bias type"),
        pytest.param(complete(stop=[1]), 400, "must be of an array of strings", id="stop"),
        pytest.param(complete(temperature="hot"), 400, "temperature must be a number", id="temperature"),
        pytest.param(complete(think=True), 400, "think is not supported here", id="think"),
        pytest.param(complete(think="wild"), 400, 'invalid think value: "wild"', id="think word"),
        pytest.param(complete(response_format={"type": "xml"}), 400, "response_format.type must be", id="format"),
        pytest.param(complete(options={"num_ctx": "8k"}), 400, 'option "num_ctx" must be of type integer', id="options"),
        pytest.param(complete(keep_alive="soon"), 400, "is not a duration", id="keep_alive"),
        pytest.param(complete(stream="yes"), 400, "stream must be true or false", id="stream"),
    ],
)  # fmt: skip
def test_refusals(steady_server, body, status, words):
    response = steady_server.post(
        "/v1/completions", **({"content": body} if isinstance(body, bytes) else {"body": body})
    )
    error = response.json()["error"]
    assert (response.status_code, set(error)) == (status, {"message", "type", "param", "code"})
    assert words in error["message"]
