"""Responses that live as long as a model speaks, and end it at once when the caller leaves. Knows no dialect."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ossian.api.dialects import JSON_TYPE, Dialect, as_known, dump, error_response, is_vscode
from ossian.chat import Done, Event, Events, Logprob, Source, Sources, Text, Thinking, ToolCall, Usage
from ossian.errors import ModelFailed, OssianError

log = logging.getLogger(__name__)

COMMENT_SECONDS = 5.0
WORDLESS = 12  # a minute: Ollama's clients wait up to five, or ten, for the first line, and some take it for a word


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that has been listened to until its end."""

    thinking: str
    text: str
    calls: tuple[ToolCall, ...]
    done: Done
    logprobs: tuple[Logprob, ...] = ()
    sources: tuple[Source, ...] = ()


class StreamReply(Protocol):
    """One answer in the words of a door, piece by piece."""

    def write_event(self, event: Event) -> Iterable[dict[str, Any]]: ...

    def write_failure(self, error: OssianError) -> Iterable[dict[str, Any]]:
        """What is said when it fails after the first word."""
        ...


class Reply(StreamReply, Protocol):
    """The same, or the whole answer at its end."""

    @property
    def write_whole(self) -> Callable[..., dict[str, Any]]:
        """Write an answer that has been listened to, or as many as the door takes."""
        ...


class LiveResponse(Response):
    """Does its work while it listens to the caller: who leaves, at any moment, cancels the work."""

    def __init__(self, dialect: Dialect, stopping: asyncio.Event, content_type: str) -> None:
        self.status_code = 200
        self.background = None
        self.dialect = dialect
        self.stopping = stopping
        self.init_headers({"content-type": content_type, "cache-control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            ended = await race(self.work(send), hang_up(receive), self.stopping.wait())
            if not ended and self.stopping.is_set():
                raise ModelFailed("the server is stopping")
        except Exception as error:
            await self.fail(error, scope, receive, send)

    async def work(self, send: Send) -> None:
        raise NotImplementedError

    async def fail(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        await error_response(error, self.dialect)(scope, receive, send)


class WholeResponse(LiveResponse):
    """One JSON object at the end of some work."""

    def __init__(self, make: Callable[[], Awaitable[Any]], dialect: Dialect, stopping: asyncio.Event) -> None:
        super().__init__(dialect, stopping, JSON_TYPE)
        self.make = make

    async def work(self, send: Send) -> None:
        body = dump(await self.make())
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body})


class StreamResponse(LiveResponse):
    """Event after event. The first one, or the error in its place, decides the status.

    Where the dialect has comments the status is decided after `comment_seconds` at the latest, where it has
    pieces without words after WORDLESS times as long; an error after that is written into the stream.
    """

    def __init__(
        self, events: Events, reply: StreamReply, dialect: Dialect, stopping: asyncio.Event, comment_seconds: float
    ) -> None:
        super().__init__(dialect, stopping, dialect.media_type)
        self.events = events
        self.reply = reply
        self.comment_seconds = comment_seconds
        self.started = False
        self.silent = True

    async def work(self, send: Send) -> None:
        """Write all events; comments while there are none."""
        if self.dialect.comment or self.dialect.wordless:
            await race(self.speak(send), self.comment(send))
        else:
            await self.speak(send)
        await self.say(send, self.dialect.end, more=False)

    async def speak(self, send: Send) -> None:
        """Write the events, in one task from the first to the last, and close them whatever happens."""
        async with aclosing(self.events) as events:
            async for event in events:
                for data in self.reply.write_event(event):
                    await self.say(send, self.dialect.frame(data))

    async def comment(self, send: Send) -> None:
        """Keep proxies and clients waiting while a long prompt is read."""
        seconds = self.comment_seconds * (WORDLESS if self.dialect.wordless else 1)
        while True:
            self.silent = True
            await asyncio.sleep(seconds)
            if self.silent and self.dialect.wordless:
                for data in self.reply.write_event(Text("")):
                    await self.say(send, self.dialect.frame(data))
            elif self.silent:
                await self.say(send, self.dialect.comment)

    async def say(self, send: Send, data: bytes, more: bool = True) -> None:
        self.silent = False
        if not self.started:
            self.started = True
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": data, "more_body": more})

    async def fail(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        """Say what went wrong: as the whole answer, or as the last word of it."""
        if not self.started:
            await super().fail(error, scope, receive, send)
            return
        known = as_known(error)
        log.warning("an answer broke off: %s", known)
        for data in self.write_failure(known, Headers(scope=scope)):
            await self.say(send, self.dialect.frame(data))
        await self.say(send, self.dialect.end, more=False)

    def write_failure(self, error: OssianError, headers: Headers) -> Iterator[dict[str, Any]]:
        """The error in the words of the door; for VS Code as the end of the answer.

        That drops the answer so far for any other, and shows "Response contained no choices" (1.139.1).
        """
        if not is_vscode(headers):
            yield from self.reply.write_failure(error)
            return
        for event in (Text(f"\n\n**The answer broke off:** {error}"), Done("stop", Usage())):
            yield from self.reply.write_event(event)


async def gather(events: Events) -> list[Whole]:
    """Listen to the end of an answer, or of several that come one after another."""
    wholes = []
    heard: list[Event] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done):
                wholes.append(put_together(heard, event))
                heard = []
            else:
                heard.append(event)
    return wholes or [put_together(heard, Done("stop", Usage()))]


def put_together(heard: Sequence[Event], done: Done) -> Whole:
    texts = [event for event in heard if isinstance(event, Text)]
    return Whole(
        "".join(event.text for event in heard if isinstance(event, Thinking)),
        "".join(event.text for event in texts),
        tuple(event for event in heard if isinstance(event, ToolCall)),
        done,
        tuple(likely for event in texts for likely in event.logprobs),
        tuple(source for event in heard if isinstance(event, Sources) for source in event.passages),
    )


async def hang_up(receive: Receive) -> None:
    """Return when the caller has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def race(work: Coroutine[Any, Any, None], *ends: Coroutine[Any, Any, object]) -> bool:
    """Do the work until it is done, or one of the ends has come; tell whether it was done.

    Who is still running then is cancelled and waited for. The work's own exception goes on to the caller.
    """
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
    return finished
