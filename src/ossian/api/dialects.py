"""The dialects: how an error is written and how a stream is framed. Translates any exception for the caller."""

import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.responses import Response

from ossian.errors import BadRequest, ContextTooLong, ModelNotFound, OssianError, ServerBusy

log = logging.getLogger(__name__)

# httpx, and so many a client, ends a line at these too, even within a text of JSON.
LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
JSON_TYPE = "application/json; charset=utf-8"
REQUEST_ID = "request-id"
PING = {"type": "ping"}
VSCODE_AGENT = "GitHubCopilotChat/"
VSCODE_HEADER = "x-onbehalf-extension-id"
ANTHROPIC_KINDS = {
    400: "invalid_request_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
}


JSON_RPC_INVALID_REQUEST, JSON_RPC_SERVER_ERROR = -32600, -32603
LLAMA_KINDS = {400: "invalid_request_error", 403: "permission_error", 404: "not_found_error", 503: "unavailable_error"}


class Refusal(BadRequest):
    """A refusal that names, for programs, the field it is about, and OpenAI's code for it."""

    def __init__(self, message: str, param: str, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of clients wants to be spoken to.

    frame      one object of a stream, as bytes
    end        what closes a stream
    comment    what may be sent while there is nothing to say yet; empty: nothing may
    wordless   in place of a comment, now and then, a piece of an answer without words
    """

    write_error: Callable[[OssianError], dict[str, Any]]
    media_type: str
    frame: Callable[[dict[str, Any]], bytes]
    end: bytes = b""
    comment: bytes = b""
    wordless: bool = False


def dump(data: Any) -> bytes:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.translate(LINE_ENDS).encode("utf-8", "replace")


def write_ollama_error(error: OssianError) -> dict[str, Any]:
    return {"error": str(error)}


def write_openai_error(error: OssianError, prompt: str = "messages") -> dict[str, Any]:
    """OpenAI's envelope; `prompt` is the field that holds what a model reads."""
    kind = "api_error" if error.status >= 500 else "invalid_request_error"
    code = param = None
    match error:
        case ModelNotFound():
            kind, code, param = "not_found_error", "model_not_found", "model"
        case ContextTooLong():
            code, param = "context_length_exceeded", error.field or prompt
        case Refusal():
            code, param = error.code, error.param
    return {"error": {"message": str(error), "type": kind, "param": param, "code": code}}


def write_anthropic_error(error: OssianError) -> dict[str, Any]:
    kind = "overloaded_error" if isinstance(error, ServerBusy) else ANTHROPIC_KINDS.get(error.status, "api_error")
    said: dict[str, Any] = {"type": kind, "message": str(error)}
    if isinstance(error, Refusal) and error.code:
        # Anthropic's client then does without, where it asked by itself (its tool_runner asks for a thread).
        said["details"] = {"error_code": error.code, "unsupported": [error.param]}
    return {"type": "error", "error": said, "request_id": f"req_{secrets.token_hex(12)}"}


def write_llama_error(error: OssianError) -> dict[str, Any]:
    """llama.cpp's own envelope, whose code is the status."""
    kind = LLAMA_KINDS.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    said: dict[str, Any] = {"code": error.status, "message": str(error), "type": kind}
    if isinstance(error, ContextTooLong):
        said |= {"type": "exceed_context_size_error", "n_prompt_tokens": error.prompt_tokens, "n_ctx": error.context}
    return {"error": said}


def write_protocol_error(error: OssianError) -> dict[str, Any]:
    """An error as JSON-RPC has it, of a message that was not read."""
    code = JSON_RPC_SERVER_ERROR if error.status >= 500 else JSON_RPC_INVALID_REQUEST
    return {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": str(error)}}


def frame_by_type(data: dict[str, Any]) -> bytes:
    """An event under its name, which its data repeats as its type."""
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), dump(data))


OLLAMA = Dialect(write_ollama_error, "application/x-ndjson", lambda data: dump(data) + b"\n")
OPENAI = Dialect(
    write_openai_error,
    "text/event-stream",
    lambda data: b"data: " + dump(data) + b"\n\n",
    end=b"data: [DONE]\n\n",
    comment=b": keep-alive\n\n",
)
OLLAMA_ANSWER = replace(OLLAMA, wordless=True)
PROTOCOL = replace(OPENAI, write_error=write_protocol_error, end=b"")
LLAMA = replace(OPENAI, write_error=write_llama_error, end=b"")
COMPLETIONS = replace(OPENAI, write_error=partial(write_openai_error, prompt="prompt"))
ANTHROPIC = Dialect(write_anthropic_error, "text/event-stream", frame_by_type, comment=frame_by_type(PING))
RESPONSES = Dialect(
    partial(write_openai_error, prompt="input"), "text/event-stream", frame_by_type, comment=OPENAI.comment
)
"""OpenAI's newer streams: events have names, and the last of them is the end."""


def is_anthropics(headers: Mapping[str, str]) -> bool:
    """Whether a client of Anthropic calls: all of them say which version of its API they speak."""
    return "anthropic-version" in headers


def is_vscode(headers: Mapping[str, str]) -> bool:
    """Whether the chat that is built into VS Code calls, which shows few errors in their own words."""
    return headers.get("user-agent", "").startswith(VSCODE_AGENT) or VSCODE_HEADER in headers


def dialect_of(path: str, headers: Mapping[str, str]) -> Dialect:
    """The dialect that a path is spoken in, known before any route is."""
    if path.startswith("/v1/messages") or (path.startswith("/v1/models") and is_anthropics(headers)):
        return ANTHROPIC
    if path == "/mcp":
        return PROTOCOL
    if path == "/infill":
        return LLAMA
    return OPENAI if path.startswith("/v1/") or path in ("/api/chat/completions", "/rerank") else OLLAMA


def json_response(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(dump(data), status, headers, media_type=JSON_TYPE)


def error_response(error: Exception, dialect: Dialect) -> Response:
    """An error as a whole answer; where its words have the id of a request, so has the header."""
    known = as_known(error)
    words = dialect.write_error(known)
    headers = {REQUEST_ID: words["request_id"]} if "request_id" in words else None
    return json_response(words, known.status, headers)


def as_known(error: Exception) -> OssianError:
    """The error with a sentence for the person; one that nobody foresaw is logged and keeps its secrets."""
    if isinstance(error, OssianError):
        return error
    log.error("an error that nobody foresaw", exc_info=error)
    return OssianError("internal error;", "the log of the server says more")
