"""The doors for vectors: Ollama's /api/embed and /api/embeddings, OpenAI's /v1/embeddings."""

import base64
import math
import struct
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.answer import Embedded, Given, embed
from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import OLLAMA, OPENAI
from ossian.api.ollama import nanoseconds
from ossian.api.options import read_keep_alive, read_options
from ossian.api.prompts import read_prompts, read_texts
from ossian.api.shapes import read_body
from ossian.api.shapes_vectors import OllamaEmbed, OllamaEmbeddings, OpenAIEmbeddings, VectorsRequest
from ossian.api.streams import WholeResponse
from ossian.chat import Usage
from ossian.errors import BadRequest, NotSupported
from ossian.store.catalogue import ModelFile

Words = dict[str, Any]
Vector = Sequence[float]


async def embed_ollama(request: Request) -> Response:
    """Vectors of one text or several, as Ollama gives them; without a text the model is loaded."""
    desk = desk_of(request)
    body = await read_body(request, OllamaEmbed)
    file = find_embedder(body, desk)
    texts = read_ollama_input(body.input)
    dimensions = body.dimensions or None  # Ollama's clients in Go send 0 for: all of them

    async def whole() -> Words:
        embedded = await ask_vectors(desk, body, file, texts, body.truncate)
        return {
            "model": body.model,
            "embeddings": [shorten(vector, dimensions) for vector in embedded.vectors],
            "total_duration": nanoseconds(embedded.usage.total_seconds),
            "load_duration": nanoseconds(embedded.usage.load_seconds),
            "prompt_eval_count": embedded.usage.prompt_tokens,
            **write_cut(embedded),
        }

    return WholeResponse(whole, OLLAMA, desk.stopping)


async def embeddings_ollama(request: Request) -> Response:
    """The vector of one text, in Ollama's older form."""
    desk = desk_of(request)
    body = await read_body(request, OllamaEmbeddings)
    if not body.model:
        raise BadRequest("model is required")
    file = find_embedder(body, desk)

    async def whole() -> Words:
        embedded = await ask_vectors(desk, body, file, [body.prompt] if body.prompt else [])
        return {"embedding": [number for vector in embedded.vectors for number in shorten(vector)]}

    return WholeResponse(whole, OLLAMA, desk.stopping)


async def embeddings_openai(request: Request) -> Response:
    """Vectors of texts or of token ids, as OpenAI gives them: numbers, or their bytes in base64."""
    desk = desk_of(request)
    body = await read_body(request, OpenAIEmbeddings)
    if not body.model:
        raise BadRequest("model is required")
    if body.encoding_format not in ("float", "base64"):
        raise BadRequest(f'encoding_format "{body.encoding_format}" is not known; write float or base64')
    file = find_embedder(body, desk)
    texts = read_prompts(body.input, "input", file.vocabulary)
    write = write_base64 if body.encoding_format == "base64" else list

    async def whole() -> Words:
        embedded = await ask_vectors(desk, body, file, texts, body.truncate)
        data = [
            {"object": "embedding", "index": index, "embedding": write(shorten(vector, body.dimensions))}
            for index, vector in enumerate(embedded.vectors)
        ]
        usage = write_usage(embedded.usage)
        return {"object": "list", "data": data, "model": body.model, "usage": usage, **write_cut(embedded)}

    return WholeResponse(whole, OPENAI, desk.stopping)


def find_embedder(body: VectorsRequest, desk: Desk) -> ModelFile:
    """The model that is asked for. Raises NotSupported when it gives no vectors."""
    file = desk.find(body.model)
    if "embedding" not in file.capabilities:
        raise NotSupported(body.model, "embeddings")
    return file


async def ask_vectors(
    desk: Desk, body: VectorsRequest, file: ModelFile, texts: Sequence[Given], truncate: bool = False
) -> Embedded:
    embedded = await embed(body.model, texts, desk.pool, truncate=truncate, **read_borrowing(body, file))
    desk.metrics.note(embedded.usage)
    return embedded


def read_borrowing(body: VectorsRequest, file: ModelFile) -> Words:
    """How the model is to be borrowed: the context that is wanted, and how long it stays."""
    options = body.options if body.num_ctx is None else {**body.options, "num_ctx": body.num_ctx}
    return {"context": read_options(options, file).context, "keep_alive": read_keep_alive(body.keep_alive)}


def read_ollama_input(value: Any) -> Sequence[str]:
    """The texts; none where only the model is to be loaded."""
    if value is None or value == "":
        return ()
    if not isinstance(value, (str, list)):
        raise BadRequest("invalid input type: input must be a string or a list of strings")
    return read_texts([value] if isinstance(value, str) else value, "input")


def shorten(vector: Vector, dimensions: int | None = None) -> list[float]:
    """The first numbers of a vector, as long as 1 together. Raises BadRequest when there are not so many.

    >>> shorten([3.0, 4.0]), shorten([3.0, 4.0], 1), shorten([0.0, 0.0])
    ([0.6, 0.8], [1.0], [0.0, 0.0])
    """
    if dimensions is not None and not 1 <= dimensions <= len(vector):
        raise BadRequest(f"dimensions must be from 1 to {len(vector)}, which is all this model gives")
    kept = vector[:dimensions]
    length = math.hypot(*kept) or 1.0
    return [number / length for number in kept]


def write_base64(vector: Vector) -> str:
    """Floats of 32 bits, the lowest byte first, in base64: what OpenAI's client asks for by itself."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def write_cut(embedded: Embedded) -> Words:
    """The numbers of the texts whose end was cut off; Ollama cuts and says nothing."""
    return {"ossian_truncated": list(embedded.cut)} if embedded.cut else {}


def write_usage(usage: Usage) -> Words:
    return {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
