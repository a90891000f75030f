"""What is sent to put documents in, to take them out, to search them, to call a tool on them."""

from typing import Any

from pydantic import Field

from ossian.api.shapes import Shape, documented


class LibraryPaths(Shape):
    model_config = documented({"paths": ["~/books", "~/notes/recipes.md"], "stream": False}, required=["paths"])

    paths: list[str] = Field(default_factory=list)
    changed: bool = False
    stream: bool = True


class LibrarySearch(Shape):
    model_config = documented({"query": "How is a list sorted?", "k": 5}, required=["query"])

    query: str = ""
    k: int = 10
    by: str = "both"


class ProtocolMessage(Shape):
    """A message of the Model Context Protocol, for the OpenAPI document; it is read by the protocol's own SDK."""

    model_config = documented(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "search", "arguments": {"query": "How is a list sorted?"}},
        },
        required=["jsonrpc", "method"],
    )

    jsonrpc: str = ""
    id: Any = None
    method: str = ""
    params: dict[str, Any] = Field(default_factory=dict)


class DocumentToolCall(Shape):
    model_config = documented({"name": "search", "arguments": {"query": "How is a list sorted?"}}, required=["name"])

    name: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    documents: list[str] = Field(default_factory=list)
