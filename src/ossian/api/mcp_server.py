"""Documents over the Model Context Protocol, by its official SDK. Imported only when somebody asks for it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ossian import __version__
from ossian.api.document_tools import answer_call
from ossian.api.library import write_collection
from ossian.errors import OssianError
from ossian.rag.library import Library
from ossian.rag.tools import NAMES, TOOLS

Words = dict[str, Any]
ListCollections = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
Call = Callable[[str, Words, Sequence[str]], Awaitable[Mapping[str, Any]]]

JSON = "application/json"
COLLECTIONS = "collections"
COLLECTION = {"type": "string", "description": "Only this collection; all without it"}
READ_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)
INSTRUCTIONS = "Answers from the person's own documents: search first, read more where it says. Cite by the links."


def build_server(list_collections: ListCollections, call: Call) -> Server[Any]:
    """A server of the protocol that knows the tools on documents, and hands each call on."""

    async def list_tools(context: ServerRequestContext[Any], asked: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=write_tools())

    async def call_tool(context: ServerRequestContext[Any], asked: CallToolRequestParams) -> CallToolResult:
        try:
            return write_result(await answer(asked.name, dict(asked.arguments or {})))
        except OssianError as error:
            return write_result(str(error), failed=True)

    async def answer(name: str, arguments: Words) -> str:
        if name == COLLECTIONS:
            return write_collections(await list_collections())
        if name not in NAMES:
            return f'There is no tool "{name}"; there are {COLLECTIONS}, {", ".join(NAMES)}.'
        collection = arguments.pop("collection", None)
        if collection is not None and not isinstance(collection, str):
            return "collection must be the name of one."
        said = await call(name, arguments, [collection] if collection else [])
        return str(said["text"])

    return Server(
        "ossian",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def write_tools() -> list[Tool]:
    """Our tools in the protocol's words, each with a collection as one more parameter."""
    listing = Tool(
        name=COLLECTIONS,
        description="List the collections of the person's documents.",
        input_schema={"type": "object", "properties": {}, "additionalProperties": False},
        annotations=READ_ONLY,
    )
    others = []
    for tool in TOOLS:
        properties = {**tool.parameters["properties"], "collection": COLLECTION}
        schema = {**tool.parameters, "properties": properties}
        described = f"{tool.description} Results link to their places."
        others.append(Tool(name=tool.name, description=described, input_schema=schema, annotations=READ_ONLY))
    return [listing, *others]


def write_collections(listed: Sequence[Mapping[str, Any]]) -> str:
    """The collections, one a line."""
    lines = [f"- {each['name']}: {each['files']} files, {each['chunks']} passages" for each in listed]
    return "\n".join(lines) or "There are no collections yet. The person adds one: ossian docs add ~/books --name books"


def write_result(text: str, *, failed: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], is_error=failed)


class ProtocolResponse(Response):
    """Hands the request to the SDK, which reads it and answers as JSON; nothing is left behind."""

    def __init__(self, server: Server[Any], body: bytes) -> None:
        super().__init__()
        self.server = server
        self.unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def read() -> Message:
            return self.unread.pop() if self.unread else await receive()

        # Host, Origin and key were checked by our own Guard before; a body is JSON here whatever it says it is.
        asked = MutableHeaders(scope=(scope := dict(scope)))
        asked.update({"accept": f"{JSON}, text/event-stream", "content-type": JSON})
        manager = StreamableHTTPSessionManager(self.server, json_response=True, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, read, send)


def answer_over_http(library: Library, body: bytes) -> Response:
    """The answer to one request at /mcp, whose body was read, from this server's own documents."""

    async def list_collections() -> Sequence[Mapping[str, Any]]:
        return [write_collection(each) for each in await asyncio.to_thread(library.list)]

    async def call(name: str, arguments: Words, documents: Sequence[str]) -> Mapping[str, Any]:
        return await answer_call(library, name, arguments, documents)

    return ProtocolResponse(build_server(list_collections, call), body)


async def speak_over_stdio(list_collections: ListCollections, call: Call) -> None:
    """Speak on standard input and output until the other side closes them."""
    server = build_server(list_collections, call)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
