"""What the doors of documents answer, for the OpenAPI document; tests hold the answers to it."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


class CollectionShape(TypedDict):
    name: str
    files: int
    chunks: int
    pending: int
    skipped: int
    roots: list[str]


class Collections(TypedDict):
    collections: list[CollectionShape]


class DocumentShape(TypedDict):
    path: str
    size: int
    kind: str
    state: Literal["searchable", "meaning pending", "skipped"]
    reason: str
    chunks: int
    pending: int


class Documents(TypedDict):
    documents: list[DocumentShape]


class Removed(TypedDict):
    removed: int


class Added(TypedDict):
    status: Literal["success"]
    files: int
    chunks: int
    skipped: int
    unchanged: int
    removed: int


class PassageShape(TypedDict):
    collection: str
    path: str
    first_line: int
    last_line: int
    page: int | None
    score: float
    text: str


class Passages(TypedDict):
    passages: list[PassageShape]
    meaning: Literal["all", "some", "none"]
    fits: bool


class GivenPassage(TypedDict):
    number: int
    collection: str
    path: str
    first_line: int
    last_line: int
    page: int | None
    text: str
    changed: bool
    cited: bool
    link: str


class ToolSaid(TypedDict):
    text: str
    sources: list[GivenPassage]


class FunctionOnOffer(TypedDict):
    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool


class ToolOnOffer(TypedDict):
    type: Literal["function"]
    function: FunctionOnOffer


class DocumentTools(TypedDict):
    tools: list[ToolOnOffer]


class ProtocolAnswer(TypedDict):
    jsonrpc: Literal["2.0"]
    id: int | str | None
    result: NotRequired[dict[str, Any]]
    error: NotRequired[dict[str, Any]]


class ProtocolWords(TypedDict):
    code: int
    message: str
    data: NotRequired[Any]


class ProtocolError(TypedDict):
    jsonrpc: Literal["2.0"]
    id: int | str | None
    error: ProtocolWords


class Lines(TypedDict):
    path: str
    first_line: int
    last_line: int
    text: str
    changed: bool
