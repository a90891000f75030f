"""The two dialects: how an error is written and how a stream is framed. Translates any exception for the caller."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from ossian.errors import ContextTooLong, ModelNotFound, OssianError

log = logging.getLogger(__name__)

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of clients wants to be spoken to.

    frame      one object of a stream, as bytes
    end        what closes a stream
    comment    what may be sent while there is nothing to say yet; empty: nothing may
    """

    write_error: Callable[[OssianError], dict[str, Any]]
    media_type: str
    frame: Callable[[dict[str, Any]], bytes]
    end: bytes = b""
    comment: bytes = b""


def dump(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def write_ollama_error(error: OssianError) -> dict[str, Any]:
    return {"error": str(error)}


def write_openai_error(error: OssianError) -> dict[str, Any]:
    kind = "api_error" if error.status >= 500 else "invalid_request_error"
    code = param = None
    match error:
        case ModelNotFound():
            kind, code, param = "not_found_error", "model_not_found", "model"
        case ContextTooLong():
            code, param = "context_length_exceeded", "messages"
    return {"error": {"message": str(error), "type": kind, "param": param, "code": code}}


OLLAMA = Dialect(write_ollama_error, "application/x-ndjson", lambda data: dump(data) + b"\n")
OPENAI = Dialect(
    write_openai_error,
    "text/event-stream",
    lambda data: b"data: " + dump(data) + b"\n\n",
    end=b"data: [DONE]\n\n",
    comment=b": keep-alive\n\n",
)


def dialect_of(path: str) -> Dialect:
    """The dialect that a path is spoken in, known before any route is."""
    return OPENAI if path.startswith("/v1/") or path in ("/api/chat/completions", "/rerank") else OLLAMA


def json_response(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(dump(data), status, headers, media_type=JSON_TYPE)


def error_response(error: Exception, dialect: Dialect) -> Response:
    known = as_known(error)
    return json_response(dialect.write_error(known), known.status)


def as_known(error: Exception) -> OssianError:
    """The error with a sentence for the person; one that nobody foresaw is logged and keeps its secrets."""
    if isinstance(error, OssianError):
        return error
    log.error("an error that nobody foresaw", exc_info=error)
    return OssianError("internal error;", "the log of the server says more")
