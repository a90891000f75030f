"""One answer in the words of /v1/responses: the object, and the events of its stream."""

import time
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

from ossian.api.dialects import write_openai_error
from ossian.api.logprobs import write_logprobs
from ossian.api.responses_items import ID_PREFIXES, fresh_id, seal
from ossian.chat import Done, Event, Events, Logprob, Text, Thinking, ToolCall, Usage
from ossian.errors import OssianError

Words = dict[str, Any]
Kind = Literal["reasoning", "message", "function_call"]
OPEN = "in_progress"


@dataclass(slots=True)
class OutputItem:
    """A thought, a message or a call, while it is written and afterwards. `head` is what a call says of itself."""

    kind: Kind
    place: int
    id: str
    head: Words
    status: str = OPEN
    pieces: list[str] = field(default_factory=list)
    logprobs: list[Logprob] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def where(self) -> Words:
        """What every event about its text says."""
        index = {"reasoning": {"summary_index": 0}, "message": {"content_index": 0}}.get(self.kind, {})
        return {"item_id": self.id, "output_index": self.place, **index}

    def write_part(self) -> Words:
        if self.kind == "reasoning":
            return {"type": "summary_text", "text": self.text}
        return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": write_logprobs(self.logprobs)}

    def write(self, *, sealed: bool) -> Words:
        words: Words = {"id": self.id, "type": self.kind, "status": self.status, **self.head}
        parts = [self.write_part()] if self.pieces and self.kind != "function_call" else []
        match self.kind:
            case "reasoning":
                return words | {"summary": parts, "encrypted_content": seal(self.text) if sealed else None}
            case "message":
                return words | {"role": "assistant", "content": parts}
            case "function_call":
                return words | {"arguments": self.text}


@dataclass(slots=True)
class ResponsesReply:
    """An answer that grows event by event.

    asked      what every object of the answer repeats of the question
    groups     how a call of a grouped function is written, by the full name it was offered under
    one_call   no call but the first is passed on
    sealed     a thought also comes as `encrypted_content`, which clients send back
    """

    asked: Words
    groups: Mapping[str, Words] = field(default_factory=dict)
    one_call: bool = False
    sealed: bool = False
    id: str = field(default_factory=lambda: fresh_id("resp"))
    created_at: int = field(default_factory=lambda: int(time.time()))
    completed_at: int | None = None
    items: list[OutputItem] = field(default_factory=list)
    done: Done | None = None
    failure: OssianError | None = None
    said: int = 0

    @property
    def status(self) -> str:
        if self.failure:
            return "failed"
        if self.done is None:
            return OPEN
        return "incomplete" if self.done.reason == "length" else "completed"

    def write_event(self, event: Event) -> Iterator[Words]:
        yield from self.write_beginning()
        match event:
            case Thinking(text) if text:
                yield from self.write_thought(text)
            case Text(text, logprobs) if text or logprobs:
                yield from self.write_text(text, logprobs)
            case ToolCall() if not (self.one_call and self.call_ids()):
                yield from self.write_call(event)
            case Done():
                self.end(event)
                yield from self.close()
                yield self.say(f"response.{self.status}", response=self.write_response())

    def write_failure(self, error: OssianError) -> Iterator[Words]:
        yield from self.write_beginning()
        self.failure = error
        yield self.say("response.failed", response=self.write_response())

    def write_beginning(self) -> Iterator[Words]:
        if self.said == 0:
            yield self.say("response.created", response=self.write_response())
            yield self.say("response.in_progress", response=self.write_response())

    def write_thought(self, text: str) -> Iterator[Words]:
        """A piece of thinking, as the summary of the reasoning, which clients show. Here it is the whole."""
        yield from self.turn_to("reasoning")
        item = self.items[-1]
        item.pieces.append(text)
        yield self.say("response.reasoning_summary_text.delta", **item.where, delta=text)

    def write_text(self, text: str, logprobs: tuple[Logprob, ...]) -> Iterator[Words]:
        yield from self.turn_to("message")
        item = self.items[-1]
        item.pieces.append(text)
        item.logprobs += logprobs
        yield self.say("response.output_text.delta", **item.where, delta=text, logprobs=write_logprobs(logprobs))

    def write_call(self, call: ToolCall) -> Iterator[Words]:
        """A whole call. Clients tell calls apart by id, so no two have the same."""
        call_id = call.id if call.id and call.id not in self.call_ids() else fresh_id("call")
        yield from self.close()
        yield from self.open("function_call", call_id=call_id, **self.groups.get(call.name, {"name": call.name}))
        item = self.items[-1]
        item.pieces.append(call.arguments or "{}")
        yield self.say("response.function_call_arguments.delta", **item.where, delta=item.text)
        yield from self.close()

    def call_ids(self) -> list[str]:
        return [item.head["call_id"] for item in self.items if item.kind == "function_call"]

    def turn_to(self, kind: Kind) -> Iterator[Words]:
        """Go on with the item that is open, if it is of this kind; else end it and open another."""
        if self.items and self.items[-1].kind == kind and self.items[-1].status == OPEN:
            return
        yield from self.close()
        yield from self.open(kind)
        item, part = self.items[-1], "reasoning_summary_part" if kind == "reasoning" else "content_part"
        yield self.say(f"response.{part}.added", **item.where, part=item.write_part())

    def open(self, kind: Kind, **head: Any) -> Iterator[Words]:
        item = OutputItem(kind, len(self.items), fresh_id(ID_PREFIXES[kind]), head)
        self.items.append(item)
        yield self.say("response.output_item.added", output_index=item.place, item=self.write_item(item))

    def close(self) -> Iterator[Words]:
        """End the item that is open, if one is."""
        if not self.items or self.items[-1].status != OPEN:
            return
        item = self.items[-1]
        item.status = "completed" if self.done is None else self.status
        where, text = item.where, item.text
        match item.kind:
            case "reasoning":
                yield self.say("response.reasoning_summary_text.done", **where, text=text)
                yield self.say("response.reasoning_summary_part.done", **where, part=item.write_part())
            case "message":
                logprobs = write_logprobs(item.logprobs)
                yield self.say("response.output_text.done", **where, text=text, logprobs=logprobs)
                yield self.say("response.content_part.done", **where, part=item.write_part())
            case "function_call":
                name = item.head["name"]
                yield self.say("response.function_call_arguments.done", **where, name=name, arguments=text)
        yield self.say("response.output_item.done", output_index=item.place, item=self.write_item(item))

    def end(self, done: Done) -> None:
        """Note the end: from here on the response is written as it will stay."""
        self.done = done
        self.completed_at = self.completed_at or int(time.time())

    def say(self, kind: str, **words: Any) -> Words:
        self.said += 1
        return {"type": kind, "sequence_number": self.said - 1, **words}

    def write_item(self, item: OutputItem) -> Words:
        """An item; one that is still open when all ends has the status of the whole."""
        words = item.write(sealed=self.sealed)
        ended = {"completed": "completed", OPEN: OPEN}.get(self.status, "incomplete")
        return words | {"status": ended} if item.status == OPEN else words

    def write_response(self) -> Words:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": self.status,
            "completed_at": self.completed_at if self.status == "completed" else None,
            "error": write_failure(self.failure) if self.failure else None,
            "incomplete_details": {"reason": "max_output_tokens"} if self.status == "incomplete" else None,
            "output": [self.write_item(item) for item in self.items],
            "usage": write_usage(self.done.usage) if self.done else None,
            **self.asked,
        }


async def listen(events: Events, reply: ResponsesReply) -> Words:
    """The whole response, at the end of the answer."""
    async with aclosing(events):
        async for event in events:
            for _ in reply.write_event(event):
                pass
    return reply.write_response()


def write_failure(error: OssianError) -> Words:
    """An error as part of a response. Codex looks for the code of a prompt that is too long."""
    code = write_openai_error(error)["error"]["code"] or ("server_error" if error.status >= 500 else "invalid_prompt")
    return {"code": code, "message": str(error)}


def write_usage(usage: Usage) -> Words:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.prompt_tokens - usage.cached_tokens,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
