"""Ranking in the form of Cohere and Jina. The fake's score is how many words of the query a text has."""
# ruff: noqa: E501 - in a table of cases each has one line

import math
from dataclasses import replace
from pathlib import Path

import pytest

from ossian.api.prompts import MOST_TEXTS
from ossian.chat import ModelInfo
from ossian.engines.fake import FAKE_FILE, FakeModel

EMBEDDER = replace(FAKE_FILE, name="embedder", path=Path("embedder"), digest="2" * 64, capabilities=("embedding",))
RANKER = replace(FAKE_FILE, name="ranker", path=Path("ranker"), digest="3" * 64, capabilities=("rerank",))


class ShortRanker(FakeModel):
    """Has room for twelve letters."""

    @property
    def info(self):
        return ModelInfo("short", 12, 0, 0, ("rerank",))


class Broken(FakeModel):
    async def rerank(self, query, texts):
        return [math.nan for _ in texts]


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


def test_who_can_rank_says_so(serve):
    server = serve(files=(FAKE_FILE, EMBEDDER, RANKER))
    assert server.post("/api/show", {"model": "embedder"}).json()["capabilities"] == ["embedding", "rerank"]
    listed = server.get("/api/tags").json()["models"]
    assert {entry["name"]: entry["capabilities"] for entry in listed} == {
        "fake": ["completion", "tools", "thinking"],
        "embedder": ["embedding", "rerank"],
        "ranker": ["rerank"],
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


def rank(**more):
    return {"model": "embedder", "query": "q", "documents": ["d"], **more}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
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
    response = steady_server.post(path, body)
    error = response.json()["error"]
    assert response.status_code == status
    assert words in (error if path.startswith("/api") else error["message"])
