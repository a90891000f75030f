"""Ollama's doors to its cloud, answered as a server without an account: there is nothing to push to."""

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.dialects import json_response
from ossian.api.shapes import read_body
from ossian.api.shapes_manage import OllamaPush
from ossian.errors import BadRequest

UNAUTHORIZED = 401


def nowhere_to_push(model: str) -> BadRequest:
    return BadRequest(
        f"'{model}' cannot be pushed: Ossian keeps models on this machine and has nowhere to push them to.",
        "To share a model on the Hugging Face Hub: hf upload owner/repository FILE",
    )


async def push(request: Request) -> Response:
    """Refused: there is nowhere to push to."""
    body = await read_body(request, OllamaPush)
    raise nowhere_to_push(body.model or body.name)


async def me(request: Request) -> Response:
    """Nobody is signed in. Without a `signin_url` Ollama's command line says so and opens no page."""
    return json_response({"error": "unauthorized"}, UNAUTHORIZED)


async def signout(request: Request) -> Response:
    """Nobody was signed in."""
    return json_response({"error": "you are not currently signed in"}, UNAUTHORIZED)
