"""Responses that live as long as a model speaks, and end it at once when the caller leaves. Knows no dialect's words."""

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ossian.api.dialects import Dialect, as_known, error_response, json_response
from ossian.chat import Done, Event, Events, Text, Thinking, ToolCall, Usage
from ossian.errors import ModelFailed, OssianError

log = logging.getLogger(__name__)

COMMENT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that has been listened to until its end."""

    thinking: str
    text: str
    calls: tuple[ToolCall, ...]
    done: Done


class Reply(Protocol):
    """One answer in the words of a door: piece by piece, or whole."""

    def write_event(self, event: Event) -> Iterable[dict[str, Any]]: ...

    def write_failure(self, error: OssianError) -> Iterable[dict[str, Any]]:
        """What is said when it fails after the first word."""
        ...

    def write_whole(self, whole: Whole) -> dict[str, Any]: ...


class LiveResponse(Response):
    """Does its work while it listens to the caller: who leaves, at any moment, cancels the work."""

    def __init__(self, dialect: Dialect, stopping: asyncio.Event) -> None:
        self.status_code = 200
        self.background = None
        self.dialect = dialect
        self.stopping = stopping
        self.init_headers({"content-type": dialect.media_type, "cache-control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await race(self.work(scope, receive, send), hang_up(receive), self.stopping.wait())

    @abstractmethod
    async def work(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class WholeResponse(LiveResponse):
    """One JSON object at the end of some work."""

    def __init__(self, make: Callable[[], Awaitable[Any]], dialect: Dialect, stopping: asyncio.Event) -> None:
        super().__init__(dialect, stopping)
        self.make = make

    async def work(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = json_response(await self.make())
        except Exception as error:
            response = error_response(error, self.dialect)
        await response(scope, receive, send)


class StreamResponse(LiveResponse):
    """Event after event. The first one, or the error in its place, decides the status.

    Where the dialect has comments the status is decided after `comment_seconds` at the latest; an error
    after that is written into the stream.
    """

    def __init__(
        self, events: Events, reply: Reply, dialect: Dialect, stopping: asyncio.Event, comment_seconds: float
    ) -> None:
        super().__init__(dialect, stopping)
        self.events = events
        self.reply = reply
        self.comment_seconds = comment_seconds
        self.started = False
        self.silent = True

    async def work(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = asyncio.Lock()

        async def say(data: bytes, more: bool = True) -> None:
            async with turn:
                await self.say(send, data, more)

        async with asyncio.TaskGroup() as tasks:
            comments = tasks.create_task(self.comment(say))
            try:
                await self.speak(say)
            except Exception as error:
                if not self.started:
                    await error_response(error, self.dialect)(scope, receive, send)
                    return
                for data in self.reply.write_failure(as_known(error)):
                    await say(self.dialect.frame(data))
                log.warning("an answer broke off: %s", error)
            finally:
                comments.cancel()
            await say(self.dialect.end, more=False)

    async def speak(self, say: Callable[[bytes], Awaitable[None]]) -> None:
        """Write all events, in one task from the first to the last, and close them whatever happens."""
        async with aclosing(self.events) as events:
            async for event in events:
                for data in self.reply.write_event(event):
                    await say(self.dialect.frame(data))

    async def comment(self, say: Callable[[bytes], Awaitable[None]]) -> None:
        """Keep proxies and clients waiting while a long prompt is read."""
        while self.dialect.comment:
            self.silent = True
            await asyncio.sleep(self.comment_seconds)
            if self.silent:
                await say(self.dialect.comment)

    async def say(self, send: Send, data: bytes, more: bool) -> None:
        self.silent = False
        if not self.started:
            self.started = True
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": data, "more_body": more})


async def gather(events: Events) -> Whole:
    """Listen to the end."""
    thinking, text, calls = [], [], []
    done = Done("stop", Usage())
    async with aclosing(events):
        async for event in events:
            match event:
                case Thinking(piece):
                    thinking.append(piece)
                case Text(piece):
                    text.append(piece)
                case ToolCall():
                    calls.append(event)
                case Done():
                    done = event
    return Whole("".join(thinking), "".join(text), tuple(calls), done)


async def hang_up(receive: Receive) -> None:
    """Return when the caller has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def race(work: Coroutine[Any, Any, None], *ends: Coroutine[Any, Any, object]) -> None:
    """Do the work until it is done or one of the ends has come. Who is still running then is cancelled and waited for."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(task) for task in (work, *ends)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finished = tasks[0].done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if finished:
        tasks[0].result()
