"""What recent requests were and what became of them, for the page that draws them. In memory only, and bounded."""

import time
from collections import deque
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field

from starlette.requests import Request

from ossian.chat import ChatRequest, CompletionRequest, Done, Events, Sources, Text, Thinking, ToolCall, Usage

MOST_REQUESTS = 50
LONGEST_BODY = 200_000  # characters that are kept of what was sent
MOST_BYTES = 4  # of a character in UTF-8


@dataclass(slots=True)
class Recorded:
    """One request. Times are seconds since the epoch, and 0 where something has not come; `ending` is empty meanwhile.

    documents   the collections it asked; `passages` is how many it was given
    looked_up   the tools on documents that the model called by itself; `calls` are those of the caller's tools
    """

    door: str
    agent: str
    body: str
    began: float
    model: str = ""
    documents: tuple[str, ...] = ()
    passages: int = 0
    first_word: float = 0.0
    ended: float = 0.0
    ending: str = ""
    calls: list[str] = field(default_factory=list)
    looked_up: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class Workflow:
    """The last requests that a model answered, the newest first."""

    recorded: deque[Recorded] = field(default_factory=lambda: deque(maxlen=MOST_REQUESTS))

    async def begin(self, request: Request) -> None:
        """Remember what came in, in case a model is asked for it."""
        body = (await request.body())[: LONGEST_BODY * MOST_BYTES].decode(errors="replace")[:LONGEST_BODY]
        agent = request.headers.get("user-agent", "")
        ASKED.set(Recorded(request.url.path, agent, body, time.time()))

    async def watch(self, asked: ChatRequest | CompletionRequest, events: Events) -> Events:
        """The same events, noted."""
        record = ASKED.get(None)
        if record is None:
            async with aclosing(events):
                async for event in events:
                    yield event
            return
        record.model = asked.model
        record.documents = asked.documents if isinstance(asked, ChatRequest) else ()
        self.recorded.appendleft(record)
        try:
            async with aclosing(events):
                async for event in events:
                    match event:
                        case Text() | Thinking() if not record.first_word:
                            record.first_word = time.time()
                        case ToolCall(name=name):
                            record.calls.append(name)
                        case Sources(passages):
                            record.passages = len(passages)
                        case Done(reason, usage, looked_up=looked_up):
                            record.ending, record.usage, record.looked_up = reason, usage, looked_up
                    yield event
        except Exception as error:
            record.ending = str(error)
            raise
        finally:
            record.ended = time.time()
            record.ending = record.ending or "the caller left"


ASKED: ContextVar[Recorded | None] = ContextVar("asked", default=None)
"""The request that this task answers; the doors hand a model only what it means."""
