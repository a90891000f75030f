"""Turns in which a model called tools, kept on this machine by the ids of their calls. Knows no wire format."""

import json
from collections.abc import Collection
from dataclasses import astuple, dataclass
from pathlib import Path

from ossian.chat import ToolCall
from ossian.errors import StoreFailed
from ossian.store.texts import TextStore


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model thought, said and called in one go; `written` are the token ids, with those that opened it."""

    thinking: str
    content: str
    calls: tuple[ToolCall, ...]
    written: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnStore:
    """The file of them. A call belongs to the model that made it: to another one its tokens mean nothing."""

    texts: TextStore

    def keep(self, model: str, turn: Turn) -> None:
        """Keep a turn under each of its calls. Raises StoreFailed, for example when the disk is full."""
        self.texts.keep(model, [call.id for call in turn.calls], json.dumps(astuple(turn)))

    def find(self, model: str, ids: Collection[str]) -> dict[str, Turn]:
        """The turns of these calls, as far as they are kept. Raises StoreFailed."""
        found = self.texts.find(model, ids)
        return {id: read_turn(text, self.texts.path) for id, text in found.items()}


def read_turn(text: str, path: Path) -> Turn:
    """A turn as it was kept. Raises StoreFailed for what is none."""
    try:
        thinking, content, calls, written = json.loads(text)
        return Turn(thinking, content, tuple(ToolCall(*call) for call in calls), tuple(written))
    except (ValueError, TypeError) as error:
        raise StoreFailed(f"{path} holds what is no turn: {error}.") from error
