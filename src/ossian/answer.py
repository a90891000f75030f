"""The only place that joins model, documents and request."""

import time
from contextlib import aclosing
from dataclasses import replace

from ossian.chat import ChatRequest, CompletionRequest, Done, Event, Events, Model
from ossian.engines.pool import Pool


async def answer(request: ChatRequest | CompletionRequest, pool: Pool) -> Events:
    """Answer a request with the model it names, and say in Done how long that took from the caller's side.

    Raises before the first event what the pool and the model raise: ModelNotFound, ServerBusy, ContextTooLong …
    """
    started = time.monotonic()
    async with pool.borrow(request.model, context=request.context, keep_alive=request.keep_alive) as model:
        load_seconds = time.monotonic() - started
        async with aclosing(speak(model, request)) as events:
            async for event in events:
                yield timed(event, load_seconds, started)


async def count(request: ChatRequest, pool: Pool) -> int:
    """Tokens of the prompt that a conversation becomes, by the model it names."""
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
