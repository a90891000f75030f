"""The doors for token ids: /api/tokenize and /api/detokenize."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import OLLAMA
from ossian.api.prompts import read_tokens
from ossian.api.shapes import read_body
from ossian.api.shapes_vectors import Detokenize, Tokenize, VectorsRequest
from ossian.api.streams import WholeResponse
from ossian.api.vectors import read_borrowing
from ossian.errors import BadRequest
from ossian.store.catalogue import ModelFile

MOST_PIECES = 20_000
Words = dict[str, Any]


async def tokenize(request: Request) -> Response:
    """The token ids of a text, and with `pieces` the text of each."""
    desk = desk_of(request)
    body = await read_body(request, Tokenize)
    text = next((given for given in (body.text, body.content, body.prompt) if given is not None), None)
    if text is None:
        raise BadRequest("text is missing")
    borrowing = read_borrowing(body, find(body, desk))

    async def whole() -> Words:
        async with desk.pool.borrow(body.model, **borrowing) as model:
            tokens = await model.tokenize(text)
            if not body.pieces:
                return {"tokens": tokens}
            if len(tokens) > MOST_PIECES:
                raise BadRequest(f"the text has {len(tokens)} tokens, and pieces are given of {MOST_PIECES} at most")
            pieces = {token: await model.detokenize([token]) for token in set(tokens)}
            return {"tokens": tokens, "pieces": [pieces[token] for token in tokens]}

    return WholeResponse(whole, OLLAMA, desk.stopping)


async def detokenize(request: Request) -> Response:
    """The text of token ids."""
    desk = desk_of(request)
    body = await read_body(request, Detokenize)
    file = find(body, desk)
    tokens = () if body.tokens == [] else read_tokens(body.tokens, "tokens", file.vocabulary)
    borrowing = read_borrowing(body, file)

    async def whole() -> Words:
        async with desk.pool.borrow(body.model, **borrowing) as model:
            return {"content": await model.detokenize(tokens) if tokens else ""}

    return WholeResponse(whole, OLLAMA, desk.stopping)


def find(body: VectorsRequest, desk: Desk) -> ModelFile:
    if not body.model:
        raise BadRequest("model is required")
    return desk.find(body.model)
