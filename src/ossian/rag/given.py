"""What was given to the model in earlier turns, so that later ones repeat it to the letter and the cache holds.

Clients send a conversation back without the passages that were put into it. They are remembered here by all that was
said until then: bounded, on this machine, gone after a month.
"""

import json
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b

from ossian.chat import Message, Source
from ossian.errors import StoreFailed
from ossian.store.texts import TextStore

REMEMBERED = 1_000
OWNER = "passages"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Given:
    """What one turn was given: new passages, with their numbers. `covers` is False where the documents were silent."""

    passages: tuple[Source, ...] = ()
    covers: bool = True


@dataclass(slots=True)
class GivenMemory:
    """Turns by what was said until then, in memory and, with a store, on the disk."""

    store: TextStore | None = None
    _given: OrderedDict[str, Given] = field(default_factory=OrderedDict)

    def remember(self, place: str, given: Given) -> None:
        """Remember; what cannot be written is remembered in memory."""
        self._given[place] = given
        self._given.move_to_end(place)
        while len(self._given) > REMEMBERED:
            self._given.popitem(last=False)
        if self.store is not None:
            try:
                self.store.keep(OWNER, [place], json.dumps(asdict(given)))
            except StoreFailed as error:
                log.warning("passages were not kept: %s", error)

    def find(self, places: Sequence[str]) -> Mapping[str, Given]:
        known = {place: self._given[place] for place in places if place in self._given}
        missing = [place for place in places if place not in known]
        if self.store is not None and missing:
            try:
                known |= {place: read_given(text) for place, text in self.store.find(OWNER, missing).items()}
            except StoreFailed as error:
                log.warning("passages were not looked up: %s", error)
        return known


def read_given(text: str) -> Given:
    """A turn's passages as they were kept. Raises StoreFailed for what is none."""
    try:
        kept = json.loads(text)
        return Given(tuple(Source(**passage) for passage in kept["passages"]), kept["covers"])
    except (ValueError, TypeError, KeyError) as error:
        raise StoreFailed(f"what was given to the model cannot be read: {error}.") from error


def place_of(messages: Sequence[Message], documents: Sequence[str]) -> str:
    """What a turn is known by: the collections, and all that people said up to it.

    Not what the model said: clients change that (they trim it, or drop the thinking).
    """
    said = [[message.role, message.content] for message in messages if message.role in ("system", "developer", "user")]
    return blake2b(json.dumps([list(documents), said]).encode(), digest_size=16).hexdigest()
