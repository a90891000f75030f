"""What each route answers when all goes well, by families, for the OpenAPI document. A test holds it to the routes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ossian.api import said_anthropic, said_library, said_ollama, said_openai

JSON, TEXT, HTML = "application/json", "text/plain", "text/html"
BAD_REQUEST, UNAUTHORIZED, NOT_FOUND, BAD_GATEWAY, UNAVAILABLE, DISK_FULL = 400, 401, 404, 502, 503, 507


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter behind the question mark."""

    name: str
    schema: Mapping[str, Any]
    meaning: str


@dataclass(frozen=True, slots=True)
class Said:
    """The answer of a route.

    shape        of its JSON; None: an object of any shape, an error, or what is no JSON
    media_type   empty: there is no body
    status       what the example of the route is answered with
    others       more statuses than all routes have that take such a body
    anthropics   of its JSON for clients of Anthropic, where the path is theirs too
    """

    shape: Any = None
    media_type: str = JSON
    status: int = 200
    others: tuple[int, ...] = ()
    queries: tuple[Query, ...] = ()
    anthropics: Any = None


NOTHING = Said(media_type="")
MANAGED = Said(media_type="", others=(DISK_FULL,))
KEPT = (NOT_FOUND, UNAVAILABLE)
INCLUDE = Query("include", {"type": "array", "items": {"type": "string"}}, "What to send beside it.")
PAGE = (
    Query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}, "So many at most."),
    Query("order", {"enum": ["asc", "desc"], "default": "desc"}, "The first one first, or the last one."),
    Query("after", {"type": "string"}, "Those behind the item with this id."),
    INCLUDE,
)
LINES = (
    Query("path", {"type": "string"}, "The file, as the collection lists it."),
    Query("first_line", {"type": "integer", "minimum": 1, "default": 1}, "The first line to be shown."),
    Query("last_line", {"type": "integer", "minimum": 1}, "The last one; 80 are shown without it, 2,000 at most."),
)
PATH_PARAMETERS = {
    "model": ("demo", "The name of a model; it may hold slashes."),
    "digest": (
        "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "sha256: and the 64 hexadecimal digits of the file.",
    ),
    "name": ("books", "The name of a collection."),
    "id": ("resp_0123", "The id of an answer that was kept."),
}
UPLOAD_EXAMPLE = "hello"  # which has the digest above

ANSWERS: Mapping[str, Mapping[str, Said]] = {
    "Ollama": {
        "POST /api/chat": Said(said_ollama.Chatted),
        "POST /api/generate": Said(said_ollama.Generated),
        "GET /api/tags": Said(said_ollama.Tags),
        "POST /api/show": Said(said_ollama.Shown),
        "GET /api/ps": Said(said_ollama.AllLoaded),
        "GET /api/version": Said(said_ollama.Version),
        "GET /api/status": Said(said_ollama.CloudStatus),
        "POST /api/me": Said(status=UNAUTHORIZED),
        "POST /api/signout": Said(status=UNAUTHORIZED),
    },
    "Models: fetch, make, delete": {
        "POST /api/pull": Said(said_ollama.Step, others=(BAD_GATEWAY, DISK_FULL)),
        "POST /api/create": Said(said_ollama.Step, others=(DISK_FULL,)),
        "POST /api/copy": MANAGED,
        "DELETE /api/delete": MANAGED,
        "POST /api/blobs/{digest}": Said(media_type="", status=201, others=(200, DISK_FULL)),
        "HEAD /api/blobs/{digest}": Said(media_type="", others=(BAD_REQUEST, NOT_FOUND)),
        "POST /api/push": Said(status=BAD_REQUEST),
    },
    "OpenAI": {
        "POST /v1/chat/completions": Said(said_openai.ChatCompletion),
        "POST /api/chat/completions": Said(said_openai.ChatCompletion),
        "POST /v1/completions": Said(said_openai.TextCompletion),
        "POST /v1/embeddings": Said(said_openai.Vectors),
        "GET /v1/models": Said(said_openai.OpenAIModels, anthropics=said_anthropic.AnthropicModels),
        "GET /v1/models/{model}": Said(
            said_openai.OpenAIModel, others=(BAD_REQUEST, NOT_FOUND), anthropics=said_anthropic.AnthropicModel
        ),
    },
    "OpenAI Responses": {
        "POST /v1/responses": Said(said_openai.KeptResponse),
        "POST /v1/responses/input_tokens": Said(said_openai.InputTokens),
        "GET /v1/responses/{id}": Said(
            said_openai.KeptResponse,
            others=(BAD_REQUEST, *KEPT),
            queries=(INCLUDE, Query("stream", {"const": False}, "Refused when true.")),
        ),
        "GET /v1/responses/{id}/input_items": Said(said_openai.InputItems, others=(BAD_REQUEST, *KEPT), queries=PAGE),
        "POST /v1/responses/{id}/cancel": Said(status=BAD_REQUEST),
        "DELETE /v1/responses/{id}": Said(said_openai.DeletedResponse, others=KEPT),
    },
    "Anthropic": {
        "POST /v1/messages": Said(said_anthropic.SaidTurn),
        "POST /v1/messages/count_tokens": Said(said_anthropic.CountedTokens),
    },
    "Vectors, ranking, token ids": {
        "POST /api/embed": Said(said_ollama.Embedded),
        "POST /api/embeddings": Said(said_ollama.EmbeddedOne),
        "POST /v1/rerank": Said(said_openai.Ranked),
        "POST /rerank": Said(said_openai.Ranked),
        "POST /api/rerank": Said(said_openai.Ranked),
        "POST /api/tokenize": Said(said_ollama.Tokenized),
        "POST /api/detokenize": Said(said_ollama.Detokenized),
    },
    "Code at the cursor": {"POST /infill": Said(said_openai.Infilled)},
    "Documents": {
        "GET /api/library": Said(said_library.Collections),
        "GET /api/library/{name}": Said(said_library.CollectionShape, others=KEPT),
        "GET /api/library/{name}/documents": Said(said_library.Documents, others=KEPT),
        "POST /api/library/{name}/documents": Said(said_library.Added),
        "POST /api/library/{name}/search": Said(said_library.Passages),
        "GET /api/library/{name}/text": Said(said_library.Lines, others=(BAD_REQUEST, *KEPT), queries=LINES),
        "DELETE /api/library/{name}/documents": Said(said_library.Removed),
        "DELETE /api/library/{name}": Said(said_library.Removed, others=KEPT),
        "GET /api/tools": Said(said_library.DocumentTools),
        "POST /api/tools": Said(said_library.ToolSaid),
        "POST /mcp": Said(said_library.ProtocolAnswer, others=(202,)),
    },
    "The server itself": {
        "GET /": Said(media_type=TEXT),
        "GET /health": Said(said_ollama.Health),
        "GET /metrics": Said(media_type=TEXT),
        "GET /docs": Said(media_type=HTML),
        "GET /openapi.json": Said(),
    },
}


def find_answer(route: str) -> tuple[str, Said]:
    """The family of a route, named with its method, and its answer; of one that is not told, as little as is sure."""
    found = ((family, answers[route]) for family, answers in ANSWERS.items() if route in answers)
    return next(found, ("More", Said()))


def all_shapes() -> Iterator[Any]:
    """Every shape that answers have."""
    yield from (said_ollama.OllamaError, said_openai.OpenAIError, said_openai.LlamaError, said_anthropic.AnthropicError)
    yield said_library.ProtocolError
    for answers in ANSWERS.values():
        yield from (shape for said in answers.values() for shape in (said.shape, said.anthropics) if shape is not None)
