"""The doors as one table: every path, what answers there, and in which dialect."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from ossian.answer import open_library
from ossian.api import (
    account,
    anthropic,
    blobs,
    completions,
    document_tools,
    generate,
    infill,
    library,
    manage,
    ollama,
    ollama_models,
    openai,
    page,
    prometheus,
    rerank,
    responses,
    tokens,
    v1_models,
    vectors,
)
from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import (
    ANTHROPIC,
    COMPLETIONS,
    LLAMA,
    OPENAI,
    PROTOCOL,
    RESPONSES,
    error_response,
    is_anthropics,
)
from ossian.api.guard import Guard, check_admin
from ossian.api.metrics import Counted
from ossian.api.openapi import describe
from ossian.api.pull import pull
from ossian.api.recall import CallMemory, find_store
from ossian.api.route import Route
from ossian.api.shapes_anthropic import AnthropicChat, AnthropicPrompt
from ossian.api.shapes_completions import OpenAICompletion
from ossian.api.shapes_infill import Infill
from ossian.api.shapes_library import DocumentToolCall, LibraryPaths, LibrarySearch, ProtocolMessage
from ossian.api.shapes_manage import OllamaCopy, OllamaCreate, OllamaDelete, OllamaPush
from ossian.api.shapes_ollama import OllamaChat, OllamaGenerate, OllamaPull, OllamaShow
from ossian.api.shapes_openai import OpenAIChat
from ossian.api.shapes_responses import ResponsesCreate, ResponsesPrompt
from ossian.api.shapes_vectors import Detokenize, OllamaEmbed, OllamaEmbeddings, OpenAIEmbeddings, Rerank, Tokenize
from ossian.api.streams import COMMENT_SECONDS
from ossian.engines.pool import Pool
from ossian.rag.library import Library
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

log = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499
ROUTES = (
    Route("GET", "/", ollama_models.hello),
    Route("GET", "/health", ollama_models.health),
    Route("GET", "/api/version", ollama_models.version),
    Route("GET", "/api/status", ollama_models.status),
    Route("GET", "/api/tags", ollama_models.tags),
    Route("GET", "/api/ps", ollama_models.loaded),
    Route("POST", "/api/show", ollama_models.show, body=OllamaShow),
    Route("POST", "/api/pull", pull, body=OllamaPull, manages=True),
    Route("POST", "/api/create", manage.create, body=OllamaCreate, manages=True),
    Route("POST", "/api/copy", manage.copy, body=OllamaCopy, manages=True),
    Route("DELETE", "/api/delete", manage.delete, body=OllamaDelete, manages=True),
    Route("HEAD", "/api/blobs/{digest}", blobs.find_blob, manages=True),
    Route("POST", "/api/blobs/{digest}", blobs.upload_blob, manages=True),
    Route("POST", "/api/push", account.push, body=OllamaPush, manages=True),
    Route("POST", "/api/me", account.me),
    Route("POST", "/api/signout", account.signout),
    Route("POST", "/api/generate", generate.generate, body=OllamaGenerate),
    Route("POST", "/api/chat", ollama.chat, body=OllamaChat),
    Route("POST", "/api/chat/completions", openai.chat, OPENAI, OpenAIChat),
    Route("POST", "/v1/chat/completions", openai.chat, OPENAI, OpenAIChat),
    Route("POST", "/v1/completions", completions.complete, COMPLETIONS, OpenAICompletion),
    Route("GET", "/v1/models", v1_models.models, OPENAI, anthropics=ANTHROPIC),
    Route("GET", "/v1/models/{model:path}", v1_models.model, OPENAI, anthropics=ANTHROPIC),
    Route("POST", "/v1/messages", anthropic.messages, ANTHROPIC, AnthropicChat),
    Route("POST", "/v1/messages/count_tokens", anthropic.count_tokens, ANTHROPIC, AnthropicPrompt),
    Route("POST", "/v1/responses", responses.create, RESPONSES, ResponsesCreate),
    Route("POST", "/v1/responses/input_tokens", responses.input_tokens, RESPONSES, ResponsesPrompt),
    Route("GET", "/v1/responses/{id}", responses.retrieve, RESPONSES),
    Route("DELETE", "/v1/responses/{id}", responses.delete, RESPONSES),
    Route("GET", "/v1/responses/{id}/input_items", responses.input_items, RESPONSES),
    Route("POST", "/v1/responses/{id}/cancel", responses.cancel, RESPONSES),
    Route("POST", "/api/embed", vectors.embed_ollama, body=OllamaEmbed),
    Route("POST", "/api/embeddings", vectors.embeddings_ollama, body=OllamaEmbeddings),
    Route("POST", "/v1/embeddings", vectors.embeddings_openai, OPENAI, OpenAIEmbeddings),
    Route("POST", "/api/rerank", rerank.rerank_ollama, body=Rerank),
    Route("POST", "/v1/rerank", rerank.rerank_openai, OPENAI, Rerank),
    Route("POST", "/rerank", rerank.rerank_openai, OPENAI, Rerank),
    Route("POST", "/api/tokenize", tokens.tokenize, body=Tokenize),
    Route("POST", "/api/detokenize", tokens.detokenize, body=Detokenize),
    Route("POST", "/infill", infill.infill, LLAMA, Infill),
    Route("GET", "/api/library", library.collections),
    Route("GET", "/api/library/{name}", library.collection),
    Route("DELETE", "/api/library/{name}", library.drop, manages=True),
    Route("GET", "/api/library/{name}/documents", library.documents),
    Route("POST", "/api/library/{name}/documents", library.add, body=LibraryPaths, manages=True),
    Route("DELETE", "/api/library/{name}/documents", library.remove, body=LibraryPaths, manages=True),
    Route("POST", "/api/library/{name}/search", library.search, body=LibrarySearch),
    Route("GET", "/api/library/{name}/text", library.text),
    Route("GET", "/api/tools", document_tools.tools),
    Route("POST", "/api/tools", document_tools.call, body=DocumentToolCall),
    Route("POST", "/mcp", document_tools.mcp, PROTOCOL, ProtocolMessage),
    Route("GET", "/metrics", prometheus.metrics),
    Route("GET", "/docs", page.docs),
    Route("GET", "/openapi.json", page.openapi),
)
"""Every GET answers HEAD as well."""


def build_app(
    settings: Settings,
    pool: Pool,
    models: Callable[[], Sequence[ModelFile]],
    documents: Library | None = None,
    *,
    comment_seconds: float = COMMENT_SECONDS,
) -> FastAPI:
    """The whole server as an ASGI application. Pool and library close with it."""

    kept = documents or open_library(settings, pool)

    @asynccontextmanager
    async def until_closed(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.gather(kept.close(), pool.close())

    # FastAPI's own pages load scripts from the net, and its document knows no parameters of routes such as ours.
    app = FastAPI(openapi_url=None, lifespan=until_closed)
    app.router.redirect_slashes = False
    register_url_convertor("path", AnyPath())
    app.state.desk = desk = Desk(settings, pool, models, kept, comment_seconds, CallMemory(find_store(settings)))
    for route in ROUTES:
        add_route(app, route)
    app.add_exception_handler(HTTPException, not_here)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Counted, metrics=desk.metrics)
    app.openapi = cache(lambda: describe(ROUTES))  # type: ignore[method-assign]
    return app


class AnyPath(PathConvertor):
    """A part of a path with slashes, and line breaks, at which Starlette's own does not match."""

    regex = "(?s:.*)"


def add_route(app: FastAPI, route: Route) -> None:
    async def endpoint(request: Request) -> Response:
        """Answer, and say every error in the dialect of the door."""
        log.debug("%s %s for %s", request.method, request.url.path, request.headers.get("user-agent", "nobody"))
        try:
            if route.manages:
                check_admin(desk_of(request).settings, request.headers)
            if desk_of(request).settings.workflow and route.body and "model" in route.body.model_fields:
                await desk_of(request).workflow.begin(request)
            return await route.answer(request)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Exception as error:
            theirs = route.anthropics if is_anthropics(request.headers) else None
            return error_response(error, theirs or route.dialect)

    methods = ["GET", "HEAD"] if route.method == "GET" else [route.method]
    app.add_api_route(route.path, endpoint, methods=methods, response_model=None)


async def not_here(request: Request, error: Exception) -> Response:
    """404 and 405 in the words of Ollama's router."""
    assert isinstance(error, HTTPException)
    words = {404: "404 page not found", 405: "405 method not allowed"}
    return PlainTextResponse(words.get(error.status_code, str(error.detail)), error.status_code, error.headers)
