"""Vectors, with Ollama's and OpenAI's own clients and bare HTTP. The fake's vector is [letters, 1]."""
# ruff: noqa: E501 - in a table of cases each has one line

import asyncio
import base64
import json
import math
import socket
import struct

import ollama
import openai
import pytest

from ossian.api.prompts import MOST_TEXTS
from ossian.chat import ModelInfo
from ossian.engines.fake import FakeModel

CONTEXT = 12


def unit(letters):
    length = math.hypot(letters, 1.0)
    return [letters / length, 1.0 / length]


class Short(FakeModel):
    """Has room for ten letters, and remembers what it was asked."""

    def __init__(self):
        super().__init__()
        self.texts = []

    @property
    def info(self):
        return ModelInfo("short", CONTEXT, 0, 0, ("embedding",))

    async def embed(self, texts):
        self.texts += texts
        return await super().embed(texts)


class Broken(FakeModel):
    """Says what llama.cpp says for NaN, and what floats can hold."""

    async def embed(self, texts):
        return [[1.0, {"null": None, "nan": math.nan, "inf": -math.inf}.get(text, 0.0)] for text in texts]


class Slow(FakeModel):
    started = left = 0

    async def embed(self, texts):
        Slow.started += 1
        try:
            await asyncio.sleep(60)
        finally:
            Slow.left += 1

    async def rerank(self, query, texts):
        return await self.embed(texts)


def openai_of(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="ignored", max_retries=0)


def as_floats(text):
    data = base64.b64decode(text)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def test_ollamas_client_gets_one_vector_per_text(steady_server):
    client = ollama.Client(steady_server.url)
    answer = client.embed("embedder", ["four", "three plus"])
    assert answer.embeddings == [unit(4), unit(10)]
    assert (answer.model, answer.prompt_eval_count) == ("embedder", 14)
    assert answer.total_duration >= answer.load_duration >= 1
    assert client.embed("embedder", "four").embeddings == [unit(4)]
    assert list(client.embeddings("embedder", "four").embedding) == unit(4)


def test_the_whole_answer_of_embed(steady_server):
    body = steady_server.post("/api/embed", {"model": "embedder", "input": "four"}).json()
    assert set(body) == {"model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"}


def test_vectors_are_cut_and_then_made_as_long_as_one(steady_server):
    client = ollama.Client(steady_server.url)
    assert client.embed("embedder", "four", dimensions=1).embeddings == [[1.0]]
    assert client.embed("embedder", "four", dimensions=2).embeddings == [unit(4)]
    assert steady_server.post("/api/embed", {"model": "embedder", "input": "four", "dimensions": 0}).json()[
        "embeddings"
    ] == [unit(4)]


@pytest.mark.parametrize("more", [{}, {"input": None}, {"input": ""}, {"input": []}])
def test_without_a_text_the_model_is_loaded(serve, more):
    server = serve()
    answer = server.post("/api/embed", {"model": "embedder", "keep_alive": -1, **more}).json()
    assert (answer["embeddings"], answer["prompt_eval_count"]) == ([], 0)
    assert [seat["name"] for seat in server.get("/api/ps").json()["models"]] == ["embedder"]


def test_the_older_form_loads_without_a_prompt(steady_server):
    assert steady_server.post("/api/embeddings", {"model": "embedder"}).json() == {"embedding": []}


def test_what_is_too_long_is_cut_only_where_that_is_said(serve):
    server = serve(model=Short)
    texts = ["0123456789abc", "short"]
    answer = server.post("/api/embed", {"model": "embedder", "input": texts}).json()
    assert server.model.texts == ["0123456789", "short"]
    assert (answer["embeddings"], answer["ossian_truncated"]) == ([unit(10), unit(5)], [0])
    assert answer["prompt_eval_count"] == 15
    asked = {"model": "embedder", "input": texts, "truncate": True}
    assert server.post("/v1/embeddings", asked).json()["ossian_truncated"] == [0]


def test_what_is_too_long_is_refused_elsewhere(serve):
    server = serve(model=Short)
    long = "0123456789a"
    told = "the input length exceeds the context length: input[0] is 11 tokens long, and 10 fit."
    for path, body in (
        ("/api/embed", {"input": long, "truncate": False}),
        ("/api/embeddings", {"prompt": long}),
    ):
        response = server.post(path, {"model": "embedder", **body})
        assert (response.status_code, response.json()["error"].startswith(told)) == (400, True)
    with pytest.raises(openai.BadRequestError, match="exceeds the context length") as error:
        openai_of(server).embeddings.create(model="embedder", input=["short", long])
    assert error.value.code == "context_length_exceeded"
    assert "input[1]" in str(error.value)
    assert server.model.texts == []


def test_a_character_that_is_cut_through_is_left_out(serve):
    class Halves(Short):
        """Every é is two tokens."""

        async def tokenize(self, text):
            return list(text.encode())

        async def detokenize(self, tokens):
            return bytes(tokens).decode("utf-8", "replace")

    server = serve(model=Halves)
    server.post("/api/embed", {"model": "embedder", "input": "012345678é"})
    assert server.model.texts == ["012345678"]


def test_openais_client_gets_vectors_in_base64_without_asking(steady_server):
    answer = openai_of(steady_server).embeddings.create(model="embedder", input=["four", "three plus"])
    assert [each.index for each in answer.data] == [0, 1]
    for each, letters in zip(answer.data, (4, 10), strict=True):
        assert each.embedding == pytest.approx(unit(letters), abs=1e-7)
    assert (answer.object, answer.model) == ("list", "embedder")
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (14, 14)


def test_floats_and_base64_are_the_same_numbers(steady_server):
    body = {"model": "embedder", "input": "four", "dimensions": 2}
    plain = steady_server.post("/v1/embeddings", body).json()
    assert plain == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": unit(4)}],
        "model": "embedder",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
    packed = steady_server.post("/v1/embeddings", {**body, "encoding_format": "base64"}).json()
    assert as_floats(packed["data"][0]["embedding"]) == list(struct.unpack("<2f", struct.pack("<2f", *unit(4))))


@pytest.mark.parametrize(
    ("given", "letters"),
    [
        pytest.param([102, 111, 117, 114], [4], id="token ids"),
        pytest.param([[102, 111], [111]], [2, 1], id="lists of token ids"),
        pytest.param(["a", "bb"], [1, 2], id="strings"),
    ],
)
def test_every_form_of_input(steady_server, given, letters):
    answer = openai_of(steady_server).embeddings.create(model="embedder", input=given, encoding_format="float")
    assert [each.embedding for each in answer.data] == [unit(count) for count in letters]
    assert answer.usage.prompt_tokens == sum(letters)


def test_keep_alive_is_heeded(serve):
    server = serve()
    server.post("/api/embed", {"model": "embedder", "input": "x", "keep_alive": -1})
    assert server.get("/api/ps").json()["models"][0]["expires_at"] > "2100"


@pytest.mark.parametrize("text", ["null", "nan", "inf"])
def test_numbers_that_are_none_are_an_error(serve, text):
    server = serve(model=Broken)
    response = server.post("/api/embed", {"model": "embedder", "input": ["fine", text]})
    assert response.status_code == 400
    assert response.json()["error"].startswith("the embedding of input[1] cannot be told")


def embed(**more):
    return {"model": "embedder", "input": "x", **more}


def rank(**more):
    return {"model": "embedder", "query": "q", "documents": ["d"], **more}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        pytest.param("/api/embed", b"", 400, "missing request body", id="empty body"),
        pytest.param("/api/embed", {"input": "x"}, 404, "model '' not found", id="embed without a model"),
        pytest.param("/api/embed", embed(model="nobody"), 404, "model 'nobody' not found", id="unknown model"),
        pytest.param("/api/embed", embed(model="plain"), 400, '"plain" does not support embeddings', id="a chat model"),
        pytest.param("/api/embed", embed(input=3), 400, "invalid input type", id="a number"),
        pytest.param("/api/embed", embed(input=["x", 3]), 400, "invalid input type: input[1] must be a string", id="a number in a list"),
        pytest.param("/api/embed", embed(input=[[1]]), 400, "invalid input type", id="token ids"),
        pytest.param("/api/embed", embed(input=["x", ""]), 400, "input[1] is empty", id="an empty text"),
        pytest.param("/api/embed", embed(input=["x"] * (MOST_TEXTS + 1)), 400, f"{MOST_TEXTS} are taken at once", id="too many"),
        pytest.param("/api/embed", embed(dimensions=3), 400, "dimensions must be from 1 to 2", id="too many dimensions"),
        pytest.param("/api/embed", embed(dimensions=-1), 400, "dimensions must be from 1 to 2", id="negative dimensions"),
        pytest.param("/api/embed", embed(dimensions="2"), 400, "dimensions must be an integer", id="dimensions type"),
        pytest.param("/api/embed", embed(truncate="no"), 400, "truncate must be true or false", id="truncate type"),
        pytest.param("/api/embed", embed(keep_alive="soon"), 400, "is not a duration", id="keep_alive"),
        pytest.param("/api/embed", embed(options={"num_ctx": "8k"}), 400, 'option "num_ctx" must be of type integer', id="options"),
        pytest.param("/api/embeddings", {"prompt": "x"}, 400, "model is required", id="older form without a model"),
        pytest.param("/api/embeddings", {"model": "plain"}, 400, "does not support embeddings", id="older form, chat model"),
        pytest.param("/api/embeddings", {"model": "embedder", "prompt": 3}, 400, "prompt must be a string", id="older form, type"),
        pytest.param("/v1/embeddings", {"input": "x"}, 400, "model is required", id="v1 without a model"),
        pytest.param("/v1/embeddings", embed(model="nobody"), 404, "model 'nobody' not found", id="v1 unknown model"),
        pytest.param("/v1/embeddings", embed(model="fake"), 400, '"fake" does not support embeddings', id="v1 chat model"),
        pytest.param("/v1/embeddings", embed(input=None), 400, "invalid input", id="v1 without input"),
        pytest.param("/v1/embeddings", embed(input=""), 400, "invalid input", id="v1 empty input"),
        pytest.param("/v1/embeddings", embed(input=[]), 400, "invalid input", id="v1 empty list"),
        pytest.param("/v1/embeddings", embed(input=[[]]), 400, "input[0] must be a list of token ids", id="v1 no tokens"),
        pytest.param("/v1/embeddings", embed(input=[1, "x"]), 400, "input[1] must be a token id", id="v1 mixture"),
        pytest.param("/v1/embeddings", embed(input=[True]), 400, "input[0] must be a token id", id="v1 boolean"),
        pytest.param("/v1/embeddings", embed(input=[-1]), 400, "input[0] must be a token id", id="v1 negative"),
        pytest.param("/v1/embeddings", embed(input=[2**31]), 400, "input[0] must be a token id", id="v1 huge"),
        pytest.param("/v1/embeddings", embed(input={"a": 1}), 400, "invalid input", id="v1 object"),
        pytest.param("/v1/embeddings", embed(input=[1.5]), 400, "invalid input", id="v1 fraction"),
        pytest.param("/v1/embeddings", embed(dimensions=0), 400, "dimensions must be from 1 to 2", id="v1 dimensions"),
        pytest.param("/v1/embeddings", embed(encoding_format="int8"), 400, 'encoding_format "int8" is not known', id="v1 format"),
    ],
)  # fmt: skip
def test_refusals(steady_server, path, body, status, words):
    sent = {"content": body} if isinstance(body, bytes) else {"body": body}
    response = steady_server.post(path, **sent)
    error = response.json()["error"]
    assert response.status_code == status
    assert words in (error if path.startswith("/api") else error["message"])


def test_one_that_leaves_stops_the_model(serve, eventually):
    server = serve(model=Slow)
    Slow.started = Slow.left = 0
    asked = (("/api/embed", embed()), ("/v1/embeddings", embed()), ("/v1/rerank", rank()))
    for number, (path, body) in enumerate(asked, start=1):
        with socket.create_connection(server.url.removeprefix("http://").split(":")) as connection:
            sent = json.dumps(body)
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(sent)}\r\n\r\n"
            connection.sendall((head + sent).encode())
            eventually(lambda number=number: Slow.started == number)
        eventually(lambda number=number: Slow.left == number and server.users == 0)
