"""Raw completions, with OpenAI's own client and bare HTTP."""
# ruff: noqa: E501 - in a table of cases each has one line

import asyncio
import json
import math
import socket
from dataclasses import replace
from pathlib import Path

import openai
import pytest

from ossian.chat import CompletionRequest, Done, Logprob, Sampling, Text, Usage
from ossian.engines.fake import FAKE_FILE, FakeModel
from ossian.errors import ContextTooLong, ModelFailed

CODER = replace(
    FAKE_FILE, name="coder", path=Path("coder"), digest="4" * 64, capabilities=("completion", "insert"), parameters={"num_predict": 99}
)  # fmt: skip


class Writer(FakeModel):
    """Says where its prompt ends, and remembers what it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    async def complete(self, request):
        self.asked.append(request)
        prompt = request.prompt if isinstance(request.prompt, str) else await self.detokenize(request.prompt)
        if prompt == "too long":
            raise ContextTooLong(9000, 4096)
        yield Text(f"{prompt}+")
        yield Text(str(len(self.asked)))
        yield Done("length" if prompt == "long" else "stop", Usage(len(prompt), 1, 2))


class Likely(FakeModel):
    """Three tokens, two of which are one character."""

    async def complete(self, request):
        top = request.top_logprobs
        first = (Logprob("no", -0.25, b"no"), Logprob("yes", -1.5, b"yes"))[:top]
        yield Text("yes", (Logprob("yes", -1.5, b"yes", first),))
        half = Logprob("\ufffd", -0.5, b"\xc3")
        yield Text("é!", (replace(half, likeliest=(half,)[:top]), Logprob("\ufffd", -1.0, b"\xa9"), Logprob("!", -2.0)))
        yield Done("stop", Usage(1, 0, 4))


class Slow(FakeModel):
    """The first choice comes, the second never."""

    begun = left = 0

    async def complete(self, request):
        Slow.begun += 1
        try:
            if Slow.begun == 2:
                await asyncio.sleep(60)
            yield Text("one")
            yield Done("stop", Usage())
        finally:
            Slow.left += 1


class Dying(Writer):
    async def complete(self, request):
        if self.asked:
            raise ModelFailed("the model's process died.")
        async for event in super().complete(request):
            yield event


def client_of(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="ignored", max_retries=0)


def chunks_of(text):
    blocks = [block.removeprefix("data: ") for block in text.strip().split("\n\n")]
    assert blocks.pop() == "[DONE]"
    return [json.loads(block) for block in blocks]


def test_text_is_continued(serve):
    server = serve(model=Writer)
    answer = client_of(server).completions.create(model="fake", prompt="One")
    assert answer.id.startswith("cmpl-")
    assert answer.model_dump(exclude={"id", "created"}, exclude_unset=True) == {
        "object": "text_completion",
        "model": "fake",
        "system_fingerprint": "fp_ossian",
        "choices": [{"text": "One+1", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    assert server.model.asked == [CompletionRequest("fake", "One", max_tokens=16)]


def test_every_field_reaches_the_model(serve):
    server = serve(model=Writer, files=(CODER,))
    client_of(server).completions.create(
        model="coder",
        prompt="def f(",
        suffix="return 1",
        max_tokens=9,
        stop=["a", "b", "c", "d", "e", "f"],
        temperature=0.5,
        top_p=0.25,
        presence_penalty=1.0,
        frequency_penalty=-1.0,
        logit_bias={"50256": -100},
        seed=7,
        logprobs=0,
        best_of=1,
        user="somebody",
        extra_body={
            "options": {"top_k": 3, "num_ctx": 1}, "num_ctx": 5000, "keep_alive": "2m", "think": False,
        },
    )  # fmt: skip
    assert server.model.asked == [
        CompletionRequest(
            "coder",
            "def f(",
            "return 1",
            max_tokens=9,
            stop=("a", "b", "c", "d", "e", "f"),
            sampling=Sampling(0.5, 0.25, 3, presence_penalty=1.0, frequency_penalty=-1.0, seed=7, logit_bias={50256: -100.0}),
            context=5000,
            keep_alive=120.0,
            top_logprobs=0,
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "more", "bound"),
    [
        pytest.param("plain", {}, 16, id="OpenAI's"),
        pytest.param("plain", {"max_tokens": 5, "options": {"num_predict": 6}}, 5, id="the field first"),
        pytest.param("plain", {"options": {"num_predict": 6}}, 6, id="then the option"),
        pytest.param("plain", {"options": {"num_predict": None}}, 16, id="null is nothing"),
        pytest.param("plain", {"options": {"num_predict": -1}}, None, id="no bound where that is asked for"),
        pytest.param("coder", {"max_tokens": -1}, None, id="in the field too"),
        pytest.param("coder", {}, 99, id="the model's own"),
    ],
)
def test_how_much_is_written(serve, model, more, bound):
    server = serve(model=Writer, files=(CODER, replace(CODER, name="plain", parameters={})))
    server.post("/v1/completions", {"model": model, "prompt": "x", **more})
    assert server.model.asked[0].max_tokens == bound


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        pytest.param("ab", ["ab"], id="string"),
        pytest.param(["a", "b"], ["a", "b"], id="strings"),
        pytest.param([97, 98], [(97, 98)], id="token ids"),
        pytest.param([[97], [98]], [(97,), (98,)], id="lists of token ids"),
    ],
)
def test_every_form_of_prompt(serve, prompt, asked):
    server = serve(model=Writer)
    client_of(server).completions.create(model="fake", prompt=prompt)
    assert [request.prompt for request in server.model.asked] == asked


def test_several_prompts_and_choices_are_numbered_as_openai_does(serve):
    server = serve(model=Writer)
    answer = client_of(server).completions.create(model="fake", prompt=["a", "long"], n=2, seed=2**32 - 1)
    assert [(choice.index, choice.text, choice.finish_reason) for choice in answer.choices] == [
        (0, "a+1", "stop"),
        (1, "a+2", "stop"),
        (2, "long+3", "length"),
        (3, "long+4", "length"),
    ]
    assert [request.sampling.seed for request in server.model.asked] == [2**32 - 1, 0] * 2
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens) == (5, 8, 2)


def test_the_chunks_of_a_stream(serve):
    server = serve(model=Writer)
    body = {"model": "fake", "prompt": ["a", "long"], "stream": True, "stream_options": {"include_usage": True}}
    response = server.post("/v1/completions", body)
    assert response.headers["content-type"] == "text/event-stream"
    *chunks, usage = chunks_of(response.text)
    assert len({(chunk["id"], chunk["created"], chunk["object"], chunk["model"]) for chunk in (*chunks, usage)}) == 1
    said = [chunk["choices"][0] for chunk in chunks]
    assert [(choice["index"], choice["text"], choice["finish_reason"]) for choice in said] == [
        (0, "a+", None), (0, "1", None), (0, "", "stop"), (1, "long+", None), (1, "2", None), (1, "", "length"),
    ]  # fmt: skip
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 9)


def test_the_client_streams_and_usage_is_not_forced_on_it(serve):
    stream = client_of(serve()).completions.create(model="fake", prompt="one two", stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "You said: one two"
    assert chunks[-1].choices[0].finish_reason == "stop" and not any(chunk.usage for chunk in chunks)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("prompt", ["ab", [97, 98], [[97, 98], [99]]])
def test_echo_puts_the_prompt_before_the_answer(serve, prompt, stream):
    server = serve(model=Writer)
    body = {"model": "fake", "prompt": prompt, "echo": True, "stream": stream, "keep_alive": 0}
    response = server.post("/v1/completions", body)
    texts = ["", ""]
    for whole in chunks_of(response.text) if stream else [response.json()]:
        for choice in whole["choices"]:
            texts[choice["index"]] += choice["text"]
    assert texts == (["abab+1", "cc+2"] if isinstance(prompt[0], list) else ["abab+1", ""])
    assert len(server.models) == 1, "it was loaded again between two choices"


def test_log_probabilities_in_the_older_form(serve):
    answer = client_of(serve(model=Likely)).completions.create(model="fake", prompt="x", logprobs=2)
    assert answer.choices[0].text == "yesé!"
    assert answer.choices[0].logprobs.model_dump() == {
        "tokens": ["yes", "bytes:\\xc3", "bytes:\\xa9", "!"],
        "token_logprobs": [-1.5, -0.5, -1.0, -2.0],
        "top_logprobs": [{"no": -0.25, "yes": -1.5}, {"bytes:\\xc3": -0.5}, None, None],
        "text_offset": [0, 3, 3, 4],
    }


def test_a_prompt_can_be_weighed(serve):
    client = client_of(serve())
    choice = client.completions.create(model="fake", prompt="é!", logprobs=0, echo=True, max_tokens=0).choices[0]
    assert choice.logprobs.model_dump() == {
        "tokens": ["é", "!"],
        "token_logprobs": [None, -1.0],
        "top_logprobs": [None, None],
        "text_offset": [0, 1],
    }


def test_log_probabilities_in_a_stream_go_on_where_they_stopped(serve):
    body = {"model": "fake", "prompt": ["x", "y"], "logprobs": 0, "stream": True}
    chunks = [chunk["choices"][0] for chunk in chunks_of(serve(model=Likely).post("/v1/completions", body).text)]
    offsets = [chunk["logprobs"] and chunk["logprobs"]["text_offset"] for chunk in chunks]
    assert offsets == [[0], [3, 3, 4], None] * 2
    assert chunks[0]["logprobs"]["top_logprobs"] == [None]


def complete(**more):
    return {"model": "fake", "prompt": "x", **more}


@pytest.mark.parametrize("more", [{"n": 1}, {"echo": True}, {"n": 3}])
@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_that_is_too_long_has_its_status(serve, stream, more):
    response = serve(model=Writer).post("/v1/completions", complete(prompt="too long", stream=stream, **more))
    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_an_error_in_a_later_choice_ends_the_stream_properly(serve):
    server = serve(model=Dying)
    *_, last, error = chunks_of(server.post("/v1/completions", complete(n=3, stream=True)).text)
    assert (last["choices"][0]["finish_reason"], error["error"]["type"]) == ("stop", "api_error")
    assert server.users == 0
    assert server.post("/v1/completions", complete(n=3)).status_code == 503


@pytest.mark.parametrize("stream", [True, False])
def test_one_that_leaves_cancels_all_choices(serve, eventually, stream):
    server = serve(model=Slow)
    Slow.begun = Slow.left = 0
    sent = json.dumps(complete(n=4, stream=stream))
    with socket.create_connection(server.url.removeprefix("http://").split(":")) as connection:
        head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(sent)}\r\n\r\n"
        connection.sendall((head + sent).encode())
        eventually(lambda: Slow.begun == 2)
    eventually(lambda: Slow.left == 2 and server.users == 0)
    assert Slow.begun == 2


def test_no_log_probability_is_no_json(serve):
    """Minus infinity is what a grammar makes of a token it forbids."""

    class Never(FakeModel):
        async def complete(self, request):
            yield Text("a", (Logprob("a", -math.inf, b"a", (Logprob("b", -math.inf, b"b"),)),))
            yield Done("stop", Usage())

    logprobs = (
        client_of(serve(model=Never)).completions.create(model="fake", prompt="x", logprobs=1).choices[0].logprobs
    )
    assert (logprobs.token_logprobs, logprobs.top_logprobs) == ([-9999.0], [{"b": -9999.0, "a": -9999.0}])
