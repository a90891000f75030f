"""Documents over the Model Context Protocol, asked by the SDK's own client over HTTP and over standard input."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

TOOLS = ["collections", "search", "definition", "references", "read"]
NOTES = "# Notes\n\nThe harbour opens at seven.\n"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.md").write_text(NOTES)
    return tmp_path


def serve_notes(serve: Any, folder: Path, **settings: Any) -> Any:
    server = serve(embedder="off", **settings)
    key = {"Authorization": f"Bearer {settings['api_key']}"} if settings else {}
    server.post("/api/library/notes/documents", {"paths": [str(folder)], "stream": False}, headers=key)
    return server


@asynccontextmanager
async def connected(server: Any, way: str, home: Path) -> AsyncIterator[Client]:
    """The SDK's client, by either way."""
    if way == "http":
        async with Client(f"{server.url}/mcp") as client:
            yield client
        return
    environment = {
        "OSSIAN_HOST": server.url.removeprefix("http://"),
        "OSSIAN_HOME": str(home),
        "PYTHONPATH": ":".join(sys.path),
    }
    program = StdioServerParameters(command=sys.executable, args=["-m", "ossian", "mcp"], env=environment)
    async with Client(program) as client:
        yield client


async def say(client: Client, tool: str, /, **arguments: Any) -> str:
    """What a tool answers."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error
    (content,) = result.content
    return str(content.text)


@pytest.mark.parametrize("way", ["http", "stdio"])
async def test_a_client_lists_the_tools_and_calls_them(serve: Any, folder: Path, tmp_path: Path, way: str) -> None:
    server = serve_notes(serve, folder)
    path = folder / "notes.md"
    async with connected(server, way, tmp_path) as client:
        listed = await client.list_tools()
        said = {
            "collections": await say(client, "collections"),
            "search": await say(client, "search", query="When does the harbour open?", collection="notes"),
            "read": await say(client, "read", path="notes.md", first_line=3, last_line=3),
            "nothing": await say(client, "definition", name="harbour"),
        }

    assert [tool.name for tool in listed.tools] == TOOLS
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed.tools)
    assert said == {
        "collections": "- notes: 1 files, 1 passages",
        "search": f"[1] [{path}:1-3](file://{path}#L1)\n{NOTES.rstrip()}",
        "read": f"[1] [{path}:3-3](file://{path}#L3)\nThe harbour opens at seven.",
        "nothing": '"harbour" is defined nowhere here. Try references or search.',
    }


@pytest.mark.parametrize("way", ["http", "stdio"])
async def test_what_fails_is_told_to_the_model(serve: Any, folder: Path, tmp_path: Path, way: str) -> None:
    async with connected(serve_notes(serve, folder), way, tmp_path) as client:
        gone = await client.call_tool("search", {"query": "harbour", "collection": "books"})
        wrong = await client.call_tool("search", {"query": 3})

    assert (gone.is_error, gone.content[0].text.split(".")[0]) == (True, "there is no collection of documents 'books'")
    assert wrong.content[0].text == "query must be a text that is not empty."


async def test_the_key_is_wanted_here_too(serve: Any, folder: Path) -> None:
    server = serve_notes(serve, folder, api_key="secret")

    assert server.post("/mcp", INITIALIZE, headers=ACCEPT).status_code == 403
    http = httpx2.AsyncClient(headers={"Authorization": "Bearer secret"})
    async with http, Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client:
        assert await say(client, "collections") == "- notes: 1 files, 1 passages"


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}], ids=["Host", "Origin"]
)
def test_web_pages_of_strangers_stay_out(serve: Any, headers: dict[str, str]) -> None:
    assert serve().post("/mcp", INITIALIZE, headers={**ACCEPT, **headers}).status_code == 403


def test_older_clients_shake_hands_first(serve: Any) -> None:
    answer = serve().post("/mcp", INITIALIZE, headers=ACCEPT)

    assert (answer.status_code, answer.json()["result"]["protocolVersion"]) == (200, "2025-06-18")
    assert answer.json()["result"]["serverInfo"]["name"] == "ossian"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"jsonrpc": "2.0", "id": 1, "method": 3}', b"\xff"])
def test_what_is_no_call_is_the_callers_fault(serve: Any, body: bytes) -> None:
    server = serve()
    answer = server.client.post(
        f"{server.url}/mcp", content=body, headers={**ACCEPT, "Content-Type": "application/json"}
    )

    assert 400 <= answer.status_code < 500


def test_without_the_sdk_it_says_how_to_install_it(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    for name in [name for name in sys.modules if name.partition(".")[0] == "mcp" or name == "ossian.api.mcp_server"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)

    answer = server.post("/mcp", INITIALIZE, headers=ACCEPT)

    said = "the SDK of the Model Context Protocol is not installed. Try: pip install 'ossian[mcp]'"
    assert (answer.status_code, answer.json()) == (
        400,
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": said}},
    )


def test_there_is_no_stream_to_wait_on(serve: Any) -> None:
    assert serve().get("/mcp", headers={"Accept": "text/event-stream"}).status_code == 405
