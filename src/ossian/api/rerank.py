"""The doors that put documents in order for a question, in the form of Cohere and Jina: /api/rerank, /v1/rerank."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.answer import Ranked, rerank
from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import OLLAMA, OPENAI, Dialect
from ossian.api.prompts import read_texts
from ossian.api.shapes import read_body
from ossian.api.shapes_vectors import Rerank
from ossian.api.streams import WholeResponse
from ossian.api.vectors import read_borrowing, write_usage
from ossian.errors import BadRequest, NotSupported
from ossian.store.catalogue import ModelFile

Words = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RankRequest:
    """A question to a model of this machine, and the texts to put in order."""

    model: str
    query: str
    texts: tuple[str, ...]
    borrowing: Words


async def rerank_ollama(request: Request) -> Response:
    """Put documents in order for a question, with errors as Ollama says them."""
    return await respond(request, OLLAMA)


async def rerank_openai(request: Request) -> Response:
    """Put documents in order for a question, as Cohere and Jina do."""
    return await respond(request, OPENAI)


async def respond(request: Request, dialect: Dialect) -> Response:
    desk = desk_of(request)
    body = await read_body(request, Rerank)
    if not body.model:
        raise BadRequest("model is required")
    asked = read_rerank(body, desk.find(body.model))

    async def whole() -> Words:
        return write_ranked(await ask_ranks(desk, asked), asked.texts, body)

    return WholeResponse(whole, dialect, desk.stopping)


async def ask_ranks(desk: Desk, asked: RankRequest) -> Ranked:
    ranked = await rerank(asked.model, asked.query, asked.texts, desk.pool, **asked.borrowing)
    desk.metrics.note(ranked.usage)
    return ranked


def read_rerank(body: Rerank, file: ModelFile) -> RankRequest:
    """What is asked, in our words. Raises BadRequest for what is not served, and names it."""
    if not {"rerank", "embedding"} & set(file.capabilities):
        raise NotSupported(body.model, "rerank")
    for name in ("rank_fields", "max_chunks_per_doc", "max_tokens_per_doc"):
        if getattr(body, name) is not None:
            raise BadRequest(f"{name} is not supported: documents are read whole")
    if not body.query:
        raise BadRequest("query is missing or empty")
    if not body.documents:
        raise BadRequest("documents is missing or empty")
    if body.top_n is not None and body.top_n < 1:
        raise BadRequest("top_n must be at least 1")
    return RankRequest(
        body.model,
        body.query,
        read_texts([read_document(document) for document in body.documents], "documents"),
        read_borrowing(body, file),
    )


def read_document(document: Any) -> Any:
    """The text of a document, which may stand in an object."""
    return document["text"] if isinstance(document, dict) and "text" in document else document


def write_ranked(ranked: Ranked, texts: Sequence[str], body: Rerank) -> Words:
    """The documents by their number, the best one first; equal ones in the order they came."""
    best_first = sorted(range(len(texts)), key=lambda index: ranked.scores[index], reverse=True)
    usage = write_usage(ranked.usage)
    return {
        "id": f"rerank-{secrets.token_hex(12)}",
        "object": "list",
        "model": body.model,
        "results": [write_result(index, ranked, texts, body) for index in best_first[: body.top_n]],
        "usage": usage,
        "meta": {"tokens": {"input_tokens": usage["prompt_tokens"]}},
    }


def write_result(index: int, ranked: Ranked, texts: Sequence[str], body: Rerank) -> Words:
    result: Words = {"index": index, "relevance_score": ranked.scores[index]}
    return result | {"document": {"text": texts[index]}} if body.return_documents else result
