"""Vectors and ranking, with Ollama's and OpenAI's own clients and bare HTTP. The fake's vector is [letters, 1]."""
# ruff: noqa: E501 - in a table of cases each has one line

import asyncio
import base64
import json
import math
import socket
import struct
from dataclasses import replace
from pathlib import Path

import ollama
import openai
import pytest

from ossian.api.prompts import MOST_TEXTS
from ossian.chat import ModelInfo
from ossian.engines.fake import FAKE_FILE, FakeModel

EMBEDDER = replace(FAKE_FILE, name="embedder", path=Path("embedder"), digest="2" * 64, capabilities=("embedding",))
RANKER = replace(FAKE_FILE, name="ranker", path=Path("ranker"), digest="3" * 64, capabilities=("rerank",))
CONTEXT = 12


def unit(letters):
    length = math.hypot(letters, 1.0)
    return [letters / length, 1.0 / length]


class Short(FakeModel):
    """Has room for ten letters, and remembers what it was asked."""

    capabilities = ("embedding",)

    def __init__(self):
        super().__init__()
        self.texts = []

    @property
    def info(self):
        return ModelInfo("short", CONTEXT, 0, 0, self.capabilities)

    async def embed(self, texts):
        self.texts += texts
        return await super().embed(texts)


class ShortRanker(Short):
    capabilities = ("rerank",)


class Broken(FakeModel):
    """Says what llama.cpp says for NaN, and what floats can hold."""

    async def embed(self, texts):
        return [[1.0, {"null": None, "nan": math.nan, "inf": -math.inf}.get(text, 0.0)] for text in texts]

    async def rerank(self, query, texts):
        return [math.nan for _ in texts]


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


def test_ranking_as_cohere_and_jina_have_it(steady_server):
    body = {
        "model": "embedder",
        "query": "red green",
        "documents": ["blue", {"text": "green and red"}, "a red one"],
        "return_documents": True,
    }
    for path in ("/v1/rerank", "/rerank", "/api/rerank"):
        answer = steady_server.post(path, body).json()
        assert answer.pop("id").startswith("rerank-")
        assert answer == {
            "object": "list",
            "model": "embedder",
            "results": [
                {"index": 1, "relevance_score": 2.0, "document": {"text": "green and red"}},
                {"index": 2, "relevance_score": 1.0, "document": {"text": "a red one"}},
                {"index": 0, "relevance_score": 0.0, "document": {"text": "blue"}},
            ],
            "usage": {"prompt_tokens": 35, "total_tokens": 35},
            "meta": {"tokens": {"input_tokens": 35}},
        }


def test_ranking_gives_as_many_as_asked_for_and_equal_ones_in_their_order(steady_server):
    body = {"model": "embedder", "query": "red", "documents": ["one", "two", "red", "red"], "top_n": 3}
    assert steady_server.post("/v1/rerank", body).json()["results"] == [
        {"index": 2, "relevance_score": 1.0},
        {"index": 3, "relevance_score": 1.0},
        {"index": 0, "relevance_score": 0.0},
    ]
    assert len(steady_server.post("/v1/rerank", {**body, "top_n": 9}).json()["results"]) == 4


def test_a_reranking_model_reads_the_query_with_each_document(serve):
    server = serve(model=ShortRanker, files=(RANKER,))
    body = {"model": "ranker", "query": "red", "documents": ["abcde", "red"]}
    assert server.post("/v1/rerank", body).json()["usage"] == {"prompt_tokens": 14, "total_tokens": 14}
    response = server.post("/v1/rerank", {**body, "documents": ["red", "abcdef"]})
    assert response.status_code == 400
    assert "documents[1] is 6 tokens long, and 5 fit" in response.json()["error"]["message"]


def test_scores_that_are_no_numbers_are_an_error(serve):
    response = serve(model=Broken).post("/api/rerank", {"model": "embedder", "query": "q", "documents": ["d"]})
    assert (response.status_code, "the scores cannot be told" in response.json()["error"]) == (400, True)


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
        pytest.param("/v1/rerank", rank(model=None), 400, "model is required", id="rank without a model"),
        pytest.param("/v1/rerank", rank(model="fake"), 400, '"fake" does not support rerank', id="rank with a chat model"),
        pytest.param("/rerank", rank(model="nobody"), 404, "model 'nobody' not found", id="rank unknown model"),
        pytest.param("/api/rerank", rank(query=""), 400, "query is missing or empty", id="no query"),
        pytest.param("/api/rerank", rank(documents=[]), 400, "documents is missing or empty", id="no documents"),
        pytest.param("/api/rerank", rank(documents="d"), 400, "documents must be a list", id="documents type"),
        pytest.param("/api/rerank", rank(documents=["d", ""]), 400, "documents[1] is empty", id="an empty document"),
        pytest.param("/api/rerank", rank(documents=[{"title": "d"}]), 400, "documents[0] must be a string", id="no text"),
        pytest.param("/api/rerank", rank(documents=["d"] * (MOST_TEXTS + 1)), 400, "are taken at once", id="too many documents"),
        pytest.param("/api/rerank", rank(top_n=0), 400, "top_n must be at least 1", id="top_n"),
        pytest.param("/api/rerank", rank(rank_fields=["title"]), 400, "rank_fields is not supported", id="rank_fields"),
        pytest.param("/api/rerank", rank(max_tokens_per_doc=9), 400, "max_tokens_per_doc is not supported", id="max_tokens"),
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
