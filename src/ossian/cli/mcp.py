"""`ossian mcp`: documents for editors and agents that start a program and speak the Model Context Protocol with it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ossian.api.document_tools import load_protocol
from ossian.cli.client import connect
from ossian.cli.terminal import settings_of
from ossian.settings import Settings


def mcp_command() -> None:
    """Offer your documents over standard input and output, as VS Code and other clients of MCP start it."""
    settings = settings_of()
    asyncio.run(speak(load_protocol(), settings))


async def speak(server: Any, settings: Settings) -> None:
    """Hand every call to the running server; one that has ended since is started again."""

    async def list_collections() -> Sequence[Mapping[str, Any]]:
        listed: Sequence[Mapping[str, Any]] = (await asyncio.to_thread(fetch_collections, settings))["collections"]
        return listed

    async def call(name: str, arguments: dict[str, Any], documents: Sequence[str]) -> Mapping[str, Any]:
        body = {"name": name, "arguments": arguments, "documents": list(documents)}
        said: Mapping[str, Any] = await asyncio.to_thread(post_call, settings, body)
        return said

    await server.speak_over_stdio(list_collections, call)


def fetch_collections(settings: Settings) -> Any:
    return connect(settings).get("/api/library")


def post_call(settings: Settings, body: dict[str, Any]) -> Any:
    return connect(settings).post("/api/tools", body)
