"""Turns in which a model called tools, kept a while: most clients drop its thoughts, and gpt-oss needs them to go on.

OpenAI says the reasoning must stay in the prompt between a call and the answer to it; VS Code's Ollama extension,
and others, never send it back. The very tokens the model wrote also keep the prompt equal to what the engine has read;
and as that outlives the process on the disk, so do they: else the first call of a conversation would be told in other
tokens after a restart, and all that follows it read again.
"""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from ossian.chat import ChatRequest, Done, Events, Message, Text, Thinking, ToolCall
from ossian.errors import StoreFailed
from ossian.settings import Settings
from ossian.store.texts import TextStore
from ossian.store.turns import Turn, TurnStore

REMEMBERED_CALLS = 1_000
STORE_FILE = "cache/calls.sqlite"

log = logging.getLogger(__name__)


def find_store(settings: Settings) -> TurnStore | None:
    """Where turns are kept on the disk, beside the engine's cache: not at all where that is kept off it."""
    return TurnStore(TextStore(settings.home / STORE_FILE)) if settings.cache_bytes else None


@dataclass(slots=True)
class CallMemory:
    """The last turns of all models, by the model's digest and the id of each call; the oldest goes first.

    With a store they are on the disk as well, where more of them have room and a restart does no harm.
    """

    store: TurnStore | None = None
    limit: int = REMEMBERED_CALLS
    _turns: OrderedDict[tuple[str, str], Turn] = field(default_factory=OrderedDict)

    def remember(self, model: str, turn: Turn) -> None:
        for call in turn.calls:
            self._turns[model, call.id] = turn
            self._turns.move_to_end((model, call.id))
        while len(self._turns) > self.limit:
            self._turns.popitem(last=False)

    async def keep(self, model: str, turn: Turn) -> None:
        """Remember a whole turn for good; what cannot be written is remembered in memory."""
        self.remember(model, turn)
        if self.store is not None:
            try:
                await asyncio.to_thread(self.store.keep, model, turn)
            except StoreFailed as error:
                log.warning("a call was not kept: %s", error)

    async def find(self, model: str, calls: list[ToolCall]) -> Mapping[str, Turn]:
        """The turns that are known of these calls, by the ids of those that are still what the model wrote."""
        ids = {call.id: (model, call.id) for call in calls if call.id}
        known = {id: self._turns[place] for id, place in ids.items() if place in self._turns}
        known |= await self._fetch(model, [id for id in ids if id not in known])
        for turn in known.values():
            self.remember(model, turn)
        return {call.id: known[call.id] for call in calls if call.id in known and is_among(call, known[call.id].calls)}

    async def _fetch(self, model: str, ids: list[str]) -> Mapping[str, Turn]:
        if self.store is None or not ids:
            return {}
        try:
            return await asyncio.to_thread(self.store.find, model, ids)
        except StoreFailed as error:
            log.warning("calls were not looked up: %s", error)
            return {}


async def recall(request: ChatRequest, memory: CallMemory, model: str) -> ChatRequest:
    """The conversation as the model wrote it: its own tokens, or else arguments to the letter and dropped thinking."""
    known = await memory.find(model, [call for message in request.messages for call in message.calls])
    return replace(request, messages=tuple(recall_message(message, known) for message in request.messages))


def recall_message(message: Message, known: Mapping[str, Turn]) -> Message:
    turns = [known.get(call.id) for call in message.calls]
    turn = next(filter(None, turns), None)
    if turn is None:
        return message
    calls = tuple(
        next((own for own in past.calls if own.id == call.id), call) if past else call
        for past, call in zip(turns, message.calls, strict=True)
    )
    told = replace(message, calls=calls, thinking=message.thinking or turn.thinking)
    return replace(told, written=turn.written if is_told(turn, told) else ())


def is_told(turn: Turn, message: Message) -> bool:
    """Whether a message tells a turn and nothing else; words that the client dropped are no difference."""
    same_words = message.content.strip() in ("", turn.content.strip())
    return message.calls == turn.calls and same_words and message.thinking.strip() == turn.thinking.strip()


async def remember_calls(events: Events, memory: CallMemory, model: str) -> Events:
    """The same events; a turn that calls tools is kept on the way."""
    turn = Turn("", "", ())
    async with aclosing(events):
        async for event in events:
            match event:
                case Thinking(text):
                    turn = replace(turn, thinking=turn.thinking + text)
                case Text(text):
                    turn = replace(turn, content=turn.content + text)
                case ToolCall():
                    turn = replace(turn, calls=(*turn.calls, event))
                    memory.remember(model, turn)  # the caller may leave before the end
                case Done(written=written) if turn.calls:
                    await memory.keep(model, replace(turn, written=written))
            yield event


def is_among(call: ToolCall, calls: tuple[ToolCall, ...]) -> bool:
    same = (own for own in calls if (own.id, own.name) == (call.id, call.name))
    return any(same_json(own.arguments, call.arguments) for own in same)


def same_json(one: str, other: str) -> bool:
    return one == other or list(read_arguments(one)) == list(read_arguments(other)) != []


def read_arguments(text: str) -> Iterator[Any]:
    """The value that a call's arguments stand for; none when they are no JSON."""
    try:
        yield json.loads(text or "{}")
    except ValueError:
        return
