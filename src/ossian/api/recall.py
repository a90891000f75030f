"""Chains of thought behind tool calls, kept a while: most clients drop them, and gpt-oss needs them to go on.

OpenAI says the reasoning must stay in the prompt between a call and the answer to it; VS Code's Ollama extension,
and others, never send it back. The very text the model wrote also keeps the prompt equal to the tokens in the cache.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from ossian.chat import ChatRequest, Events, Message, Thinking, ToolCall

REMEMBERED_CALLS = 1_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a model thought before a call, and the call in its own words."""

    thinking: str
    call: ToolCall


@dataclass(slots=True)
class CallMemory:
    """The last calls of all models, by the model's digest and the id of the call; the oldest goes first."""

    limit: int = REMEMBERED_CALLS
    _calls: OrderedDict[tuple[str, str], Remembered] = field(default_factory=OrderedDict)

    def remember(self, model: str, call: ToolCall, thinking: str) -> None:
        self._calls[model, call.id] = Remembered(thinking, call)
        self._calls.move_to_end((model, call.id))
        while len(self._calls) > self.limit:
            self._calls.popitem(last=False)

    def find(self, model: str, call: ToolCall) -> Remembered | None:
        """What is known of a call, if it is still the call the model made."""
        known = self._calls.get((model, call.id))
        if known is None or known.call.name != call.name or not same_json(known.call.arguments, call.arguments):
            return None
        self._calls.move_to_end((model, call.id))
        return known


def recall(request: ChatRequest, memory: CallMemory, model: str) -> ChatRequest:
    """The conversation as the model wrote it: arguments to the letter, and thinking that the client dropped."""
    return replace(request, messages=tuple(recall_message(message, memory, model) for message in request.messages))


def recall_message(message: Message, memory: CallMemory, model: str) -> Message:
    known = [memory.find(model, call) for call in message.calls]
    calls = tuple(past.call if past else call for past, call in zip(known, message.calls, strict=True))
    thoughts = (past.thinking for past in known if past is not None)
    return replace(message, calls=calls, thinking=message.thinking or next(thoughts, ""))


async def remember_calls(events: Events, memory: CallMemory, model: str) -> Events:
    """The same events; what was thought before a call is kept on the way."""
    thinking: list[str] = []
    async with aclosing(events):
        async for event in events:
            match event:
                case Thinking(text):
                    thinking.append(text)
                case ToolCall():
                    memory.remember(model, event, "".join(thinking))
            yield event


def same_json(one: str, other: str) -> bool:
    return one == other or list(read_arguments(one)) == list(read_arguments(other)) != []


def read_arguments(text: str) -> Iterator[Any]:
    """The value that a call's arguments stand for; none when they are no JSON."""
    try:
        yield json.loads(text or "{}")
    except ValueError:
        return
