"""Token ids of texts and texts of token ids. The fake has a token a letter."""

from dataclasses import replace

import pytest

from ossian.engines.fake import FAKE_FILE

TOO_LONG_FOR_PIECES = "x" * 20_001


@pytest.mark.parametrize("name", ["text", "content", "prompt"])
def test_the_tokens_of_a_text(steady_server, name):
    answer = steady_server.post("/api/tokenize", {"model": "fake", name: "Hé!"})
    assert answer.json() == {"tokens": [72, 233, 33]}


def test_the_pieces_of_a_text(steady_server):
    answer = steady_server.post("/api/tokenize", {"model": "fake", "text": "Hé!!", "pieces": True})
    assert answer.json() == {"tokens": [72, 233, 33, 33], "pieces": ["H", "é", "!", "!"]}


def test_the_text_of_tokens(steady_server):
    answer = steady_server.post("/api/detokenize", {"model": "fake", "tokens": [72, 233, 33]})
    assert answer.json() == {"content": "Hé!"}


def test_nothing_is_nothing(steady_server):
    assert steady_server.post("/api/tokenize", {"model": "fake", "text": ""}).json() == {"tokens": []}
    assert steady_server.post("/api/detokenize", {"model": "fake", "tokens": []}).json() == {"content": ""}


def test_every_model_has_tokens_and_stays_as_long_as_asked(serve):
    server = serve()
    asked = {"model": "embedder", "text": "x", "keep_alive": -1}
    assert server.post("/api/tokenize", asked).status_code == 200
    assert server.get("/api/ps").json()["models"][0]["expires_at"] > "2100"


def test_a_token_that_the_model_does_not_know_is_refused(serve):
    server = serve(files=(replace(FAKE_FILE, vocabulary=100),))
    assert server.post("/api/detokenize", {"model": "fake", "tokens": [99]}).json() == {"content": "c"}
    response = server.post("/api/detokenize", {"model": "fake", "tokens": [99, 100]})
    assert response.status_code == 400
    assert response.json()["error"] == "tokens[1] must be a token id: an integer from 0 to 99"
    response = server.post("/v1/completions", {"model": "fake", "prompt": [[99], [100]]})
    assert (response.status_code, "prompt[1][0] must be" in response.text) == (400, True)
    response = server.post("/v1/completions", {"model": "fake", "prompt": "x", "logit_bias": {"100": 1}})
    assert (response.status_code, "is no token id" in response.text) == (400, True)


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        pytest.param("tokenize", {"text": "x"}, 400, "model is required", id="no model"),
        pytest.param("tokenize", {"model": "nobody", "text": "x"}, 404, "model 'nobody' not found", id="unknown model"),
        pytest.param("tokenize", {"model": "fake"}, 400, "text is missing", id="no text"),
        pytest.param("tokenize", {"model": "fake", "text": ["x"]}, 400, "text must be a string", id="a list"),
        pytest.param(
            "tokenize", {"model": "fake", "text": "x", "pieces": 1}, 400, "pieces must be true or false", id="pieces"
        ),
        pytest.param(
            "tokenize",
            {"model": "fake", "text": TOO_LONG_FOR_PIECES, "pieces": True},
            400,
            "20000 at most",
            id="too many pieces",
        ),
        pytest.param("tokenize", {"model": "fake", "text": "x", "keep_alive": "a"}, 400, "duration", id="keep_alive"),
        pytest.param("detokenize", {"tokens": [1]}, 400, "model is required", id="tokens without a model"),
        pytest.param("detokenize", {"model": "fake"}, 400, "tokens must be a list of token ids", id="no tokens"),
        pytest.param("detokenize", {"model": "fake", "tokens": "x"}, 400, "must be a list of token ids", id="words"),
        pytest.param("detokenize", {"model": "fake", "tokens": [1, -1]}, 400, "tokens[1] must be", id="negative"),
        pytest.param("detokenize", {"model": "fake", "tokens": [1.5]}, 400, "tokens[0] must be", id="fraction"),
        pytest.param("detokenize", {"model": "fake", "tokens": [2**31]}, 400, "tokens[0] must be", id="huge"),
    ],
)
def test_refusals(steady_server, path, body, status, words):
    response = steady_server.post(f"/api/{path}", body)
    assert (response.status_code, words in response.json()["error"]) == (status, True)
