"""The doors of the tools on documents, for agents that bring a model of their own: /api/tools, and /mcp beside it."""

import asyncio
import json
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import desk_of
from ossian.api.dialects import json_response
from ossian.api.passages import write_source
from ossian.api.shapes import read_body
from ossian.api.shapes_library import DocumentToolCall
from ossian.chat import ToolCall
from ossian.errors import BadRequest, CollectionNotFound
from ossian.rag.library import Library
from ossian.rag.tools import NAMES, TOOLS

SDK = ("mcp", "mcp_types")


async def tools(request: Request) -> Response:
    """The tools on documents, as OpenAI has functions."""
    written = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters, "strict": tool.strict}
        for tool in TOOLS
    ]
    return json_response({"tools": [{"type": "function", "function": function} for function in written]})


async def call(request: Request) -> Response:
    """Call a tool on documents: search, definition, references or read."""
    body = await read_body(request, DocumentToolCall)
    if body.name not in NAMES:
        raise BadRequest(f'name "{body.name}" is no tool on documents; write one of {", ".join(NAMES)}')
    return json_response(await answer_call(desk_of(request).library, body.name, body.arguments, body.documents))


async def answer_call(
    library: Library, name: str, arguments: dict[str, Any], documents: Sequence[str] = ()
) -> dict[str, Any]:
    """What a tool says of these collections, of all without any. Raises CollectionNotFound."""
    known = await asyncio.to_thread(library.names)
    if missing := [each for each in documents if each not in known]:
        raise CollectionNotFound(missing[0])
    tools = await library.tools(tuple(dict.fromkeys(documents)) or known, linked=True)
    found = await tools.call(ToolCall("", name, json.dumps(arguments)))
    return {"text": found.text, "sources": [write_source(source) for source in found.sources]}


async def mcp(request: Request) -> Response:
    """Speak the Model Context Protocol. Each request is answered by itself, without a session."""
    server = await asyncio.to_thread(load_protocol)  # takes a second at first: nobody else waits for that
    answer = server.answer_over_http(desk_of(request).library, await request.body())
    assert isinstance(answer, Response)
    return answer


def load_protocol() -> Any:
    """The module that speaks the protocol; its SDK is an extra. Raises BadRequest where that is not installed."""
    try:
        return import_module("ossian.api.mcp_server")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in SDK:
            raise
        hint = "Try: pip install 'ossian[mcp]'"
        raise BadRequest("the SDK of the Model Context Protocol is not installed.", hint) from error
