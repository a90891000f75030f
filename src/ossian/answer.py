"""The only place that joins model, documents and request."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ossian.chat import ChatRequest, CompletionRequest, Done, Event, Events, Model, Sources, Usage
from ossian.engines.pool import Pool, StartModel
from ossian.engines.remote_embedder import read_remote
from ossian.errors import BadRequest, ContextTooLong
from ossian.rag.given import GivenMemory
from ossian.rag.library import Library, cite
from ossian.rag.roots import Roots
from ossian.rag.rounds import look
from ossian.rag.search import Embedder
from ossian.rag.shelf import open_shelf
from ossian.settings import Settings
from ossian.store.texts import TextStore

EMBEDDED_TOKENS = 256  # of a chunk of a document, the marks included: what all-minilm was trained for
SPECIAL_TOKENS_PER_TEXT = 2  # the marks at both ends of a text, which llama.cpp adds by itself and does not count

Given = str | Sequence[int]
"""A text, or the token ids of one."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector per text, what they cost, and the numbers of the texts whose end was cut off."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage
    cut: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranked:
    """How well each text answers the query, on the model's own scale, and what that cost."""

    scores: tuple[float, ...]
    usage: Usage


def open_library(settings: Settings, pool: Pool, start: StartModel | None = None) -> Library:
    """The documents of this machine. `start` loads their embedder, a model of its own that stands back for answers."""
    few = replace(settings, threads=1, num_parallel=1, max_loaded_models=1, context_length=EMBEDDED_TOKENS)
    embedders = Pool(few, pool.find, start or pool.start)
    store = TextStore(settings.home / "cache" / "passages.sqlite") if settings.cache_bytes else None
    return Library(
        lambda: open_shelf(settings.library, settings.home),
        Roots(settings.home / "library.json"),
        find_embedder=lambda: find_embedder(settings.embedder, embedders, settings.embedder_key),
        is_busy=lambda: any(seat.users for seat in pool.loaded()),
        close_embedder=embedders.close,
        memory=GivenMemory(store),
        tokens=settings.passage_tokens,
    )


def find_embedder(name: str, pool: Pool, key: str = "") -> Embedder | None:
    """Who gives texts their meaning: a server, or a model of this disk; None where there is none."""
    if name == "off":
        return None
    if "://" in name:
        remote = read_remote(name, key)
        return Embedder(f"{remote.model}@{remote.url}", remote.embed)
    file = pool.find(name)
    if file is None or "embedding" not in file.capabilities:
        return None

    async def give_meaning(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return (await embed(name, texts, pool, truncate=True)).vectors

    return Embedder(f"{file.name}@{file.digest.removeprefix('sha256:')[:12]}", give_meaning)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text that fits, its tokens counted; `cut` where its end had to go for that."""

    text: str
    tokens: int
    cut: bool = False


class InputTooLong(ContextTooLong):
    """A text does not fit into what the model reads at once. Counts are tokens."""

    def __init__(self, name: str, tokens: int, room: int) -> None:
        BadRequest.__init__(
            self,
            f"the input length exceeds the context length: {name} is {tokens} tokens long, and {room} fit.",
            "Cut it into smaller pieces. Nothing was cut.",
        )
        self.field = name.partition("[")[0]
        self.prompt_tokens = tokens
        self.context = room


async def answer(request: ChatRequest | CompletionRequest, pool: Pool, library: Library) -> Events:
    """Answer a request with the model it names, from the documents it names.

    Raises before the first event what the library, the pool and the model raise: CollectionNotFound, ModelNotFound,
    ServerBusy, ContextTooLong …
    """
    if isinstance(request, CompletionRequest) or not request.documents:
        events = ask(request, pool)
    else:
        events = answer_from_documents(request, pool, library)
    async with aclosing(events):
        async for event in events:
            yield event


async def answer_from_documents(request: ChatRequest, pool: Pool, library: Library) -> Events:
    """The answer with its citations checked; on request the model looks into the documents by itself as well."""
    prepared = await library.prepare(request)
    asked = prepared.request
    if request.document_tools:
        tools = await library.tools(request.documents, request.context)
        events = ask(asked, pool, lambda model: look(asked, tools, prepared.sources, model.chat))
    else:
        events = ask(asked, pool)
    async with aclosing(cite(events, prepared)) as cited:
        async for event in cited:
            if isinstance(event, Sources):
                await library.remember(prepared, event.passages)
            yield event


async def ask(
    request: ChatRequest | CompletionRequest, pool: Pool, say: Callable[[Model], Events] | None = None
) -> Events:
    """The model's own answer, or what it is to say instead. Done says how long it took from the caller's side."""
    started = time.monotonic()
    async with pool.borrow(request.model, context=request.context, keep_alive=request.keep_alive) as model:
        load_seconds = time.monotonic() - started
        async with aclosing(say(model) if say else speak(model, request)) as events:
            async for event in events:
                yield timed(event, load_seconds, started)


async def count(request: ChatRequest, pool: Pool, library: Library) -> int:
    """Tokens of the prompt that a conversation becomes, by the model and the documents it names."""
    if request.documents:
        request = (await library.prepare(request)).request
    async with pool.borrow(request.model, context=request.context, keep_alive=request.keep_alive) as model:
        return await model.count(request)


def speak(model: Model, request: ChatRequest | CompletionRequest) -> Events:
    return model.chat(request) if isinstance(request, ChatRequest) else model.complete(request)


def timed(event: Event, load_seconds: float, started: float) -> Event:
    """Done with the times that only the caller's side knows; every other event as it is."""
    if not isinstance(event, Done):
        return event
    total = time.monotonic() - started
    return replace(event, usage=replace(event.usage, load_seconds=load_seconds, total_seconds=total))


async def embed(
    name: str,
    texts: Sequence[Given],
    pool: Pool,
    *,
    truncate: bool = False,
    context: int | None = None,
    keep_alive: float | None = None,
) -> Embedded:
    """Vectors of texts as the model gives them; without any text the model is loaded only.

    Raises InputTooLong for a text that does not fit, unless its end may be cut off: then `cut` says so.
    """
    started = time.monotonic()
    async with pool.borrow(name, context=context, keep_alive=keep_alive) as model:
        loaded = time.monotonic()
        context = model.info.context
        fitted = [await fit(model, given, f"input[{index}]", context, truncate) for index, given in enumerate(texts)]
        vectors = await model.embed([each.text for each in fitted]) if fitted else []
        for index, vector in enumerate(vectors):
            check_finite(vector, f"the embedding of input[{index}]")
    cut = tuple(index for index, each in enumerate(fitted) if each.cut)
    usage = read_only(sum(each.tokens for each in fitted), started, loaded)
    return Embedded(tuple(map(tuple, vectors)), usage, cut)


async def rerank(
    name: str,
    query: str,
    texts: Sequence[str],
    pool: Pool,
    *,
    context: int | None = None,
    keep_alive: float | None = None,
) -> Ranked:
    """How well each text answers the query. A reranking model reads both together, any other one after the other."""
    started = time.monotonic()
    async with pool.borrow(name, context=context, keep_alive=keep_alive) as model:
        loaded = time.monotonic()
        info = model.info
        asked = await fit(model, query, "query", info.context)
        together = asked.tokens + SPECIAL_TOKENS_PER_TEXT if "rerank" in info.capabilities else 0
        room = info.context - together
        fitted = [await fit(model, text, f"documents[{index}]", room) for index, text in enumerate(texts)]
        scores = await model.rerank(query, texts)
        check_finite(scores, "the scores")
    queries = len(texts) if together else 1
    tokens = asked.tokens * queries + sum(each.tokens for each in fitted)
    return Ranked(tuple(scores), read_only(tokens, started, loaded))


async def fit(model: Model, given: Given, name: str, context: int, truncate: bool = False) -> Fitted:
    """A text that fits into so many tokens of context, with the model's marks around it. Raises InputTooLong."""
    text = given if isinstance(given, str) else await model.detokenize(given)
    tokens = await model.tokenize(text)
    room = kept = max(0, context - SPECIAL_TOKENS_PER_TEXT)
    if len(tokens) <= room:
        return Fitted(text, len(tokens))
    while truncate and kept > 0:
        # The end of a text read alone can become more tokens than it was; and half of a character is none.
        shorter = (await model.detokenize(tokens[:kept])).rstrip("\ufffd")
        count = len(await model.tokenize(shorter))
        if shorter and count <= room:
            return Fitted(shorter, count, cut=True)
        kept -= max(1, count - room)
    raise InputTooLong(name, len(tokens), room)


def check_finite(numbers: Sequence[float | None], name: str) -> None:
    """Raise BadRequest for what is no number; llama.cpp says null for it, since JSON has no NaN."""
    if not all(number is not None and math.isfinite(number) for number in numbers):
        raise BadRequest(f"{name} cannot be told: the model gave numbers that are NaN or infinite.")


def read_only(tokens: int, started: float, loaded: float) -> Usage:
    """What it cost to read so many tokens and write none."""
    now = time.monotonic()
    return Usage(
        prompt_tokens=tokens,
        load_seconds=loaded - started,
        prompt_seconds=now - loaded,
        total_seconds=now - started,
    )
