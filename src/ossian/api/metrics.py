"""What the server counts of itself: requests, answers, tokens and seconds."""

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field, fields

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ossian.chat import Done, Events, Usage

LEFT_BEFORE_THE_ANSWER = 499
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(slots=True)
class Metrics:
    """Counts since the server started.

    requests   by route, method and status; 499: the caller left before there was one
    endings    of answers: stop, length, failed, left
    usage      of all answers and vectors together
    """

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    in_progress: int = 0
    measured: int = 0
    usage: Usage = field(default_factory=Usage)

    def note(self, usage: Usage) -> None:
        """Count what an answer, or vectors, cost."""
        self.measured += 1
        self.usage = Usage(*(getattr(self.usage, each.name) + getattr(usage, each.name) for each in fields(Usage)))

    async def watch(self, events: Events) -> Events:
        """The same events, counted: how many answers there are, how they end and what they cost."""
        self.in_progress += 1
        ending = "failed"
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Done):
                        ending = event.reason
                        self.note(event.usage)
                    yield event
        except (GeneratorExit, asyncio.CancelledError):
            ending = ending if ending != "failed" else "left"
            raise
        finally:
            self.in_progress -= 1
            self.endings[ending] += 1


class Counted:
    """ASGI middleware around everything: notes which route answered with which status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = LEFT_BEFORE_THE_ANSWER

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            # A path or method that is none of ours has no name here, or anybody could fill the memory with names.
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests[route, method, status] += 1
