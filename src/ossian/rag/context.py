"""Put passages into a conversation so that the model can answer from them, and the prompt cache holds.

What was there stays where it was, byte for byte: passages stand once, behind the newest question, and later turns
repeat them; only what was not given yet is added.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ossian.chat import ChatRequest, Message, Source
from ossian.rag.cite import read_said, write_given
from ossian.rag.given import Given, GivenMemory, place_of
from ossian.rag.ingest import digest_file
from ossian.rag.question import leans, question_of, read_question
from ossian.rag.search import Findings, Passage, Search

MOST_PASSAGES = 8
CHARACTERS_PER_TOKEN = 3  # of ASCII text; o200k has 3.2 for code and 4.2 for English. Of other signs: 1
CONTEXT_SHARE = 3  # passages take at most a third of the context that the caller wants
WRITTEN_AROUND = 12  # tokens of a passage's number and place, at least


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request with its passages in it, and all that were given in this conversation.

    silent: the documents have nothing on the newest question, and nothing was put in for it
    given: what the newest question was given, kept under `place`, which is empty where there is no question
    """

    request: ChatRequest
    sources: tuple[Source, ...] = ()
    silent: bool = False
    given: Given = field(default_factory=Given)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """Prepares conversations. `tokens`: how many the passages of one turn may take."""

    search: Search
    memory: GivenMemory
    tokens: int

    async def prepare(self, request: ChatRequest) -> Prepared:
        """The request with passages from its documents. Raises CollectionNotFound, LibraryFailed."""
        messages = [unmark(message) for message in request.messages]
        turns = [index for index, message in enumerate(messages) if message.role == "user"]
        if not turns:
            return Prepared(replace(request, messages=tuple(messages)))
        given = await self._given(request, messages, turns)
        place = place_of(messages[: turns[-1] + 1], request.documents)
        for index, found in given.items():
            messages[index] = replace(messages[index], content=messages[index].content + write_given(found))
        sources = await asyncio.to_thread(mark_changed, [each for found in given.values() for each in found.passages])
        asked, now = replace(request, messages=tuple(messages)), given[turns[-1]]
        return Prepared(asked, tuple(sources), not now.covers, now, place)

    async def _given(
        self, request: ChatRequest, messages: Sequence[Message], turns: Sequence[int]
    ) -> Mapping[int, Given]:
        """What each turn of the person was given, and is given now."""
        places = {index: place_of(messages[: index + 1], request.documents) for index in turns}
        known = await asyncio.to_thread(self.memory.find, list(places.values()))
        newest = turns[-1]
        given = {index: known[place] for index, place in places.items() if place in known}
        if newest < len(messages) - 1 and newest in given:  # the model is amid its tools: nothing new is asked
            return given
        earlier = [each for index in turns[:-1] if index in given for each in given[index].passages]
        given[newest] = await self._find(request, messages, earlier)
        await asyncio.to_thread(self.memory.remember, places[newest], given[newest])
        return dict(sorted(given.items()))

    async def _find(self, request: ChatRequest, messages: Sequence[Message], earlier: Sequence[Source]) -> Given:
        question = question_of(messages)
        if not question:
            return Given()
        findings = await self.search.find(request.documents, question, MOST_PASSAGES)
        newest = read_question(next(message.content for message in reversed(messages) if message.role == "user"))
        if not findings.fits and not (earlier and leans(newest)):
            return Given(covers=False)
        return Given(tuple(number(self._choose(request, findings, earlier), earlier)))

    def _choose(self, request: ChatRequest, findings: Findings, earlier: Sequence[Source]) -> list[Passage]:
        """The best that fit into the budget and were not given yet, in the order of their places.

        What fits worse than the mean of all candidates would cost time to read and lead astray.
        """
        room = min(self.tokens, request.context // CONTEXT_SHARE) if request.context else self.tokens
        had = {(each.path, each.text) for each in earlier}
        chosen: list[Passage] = []
        for passage in (each for each in findings.passages if each.score >= min(0.0, findings.passages[0].score)):
            cost = estimate_tokens(passage.text) + estimate_tokens(passage.path) + WRITTEN_AROUND
            if (passage.path, passage.text) not in had and cost <= room:
                chosen.append(passage)
                room -= cost
        return sorted(chosen, key=lambda each: (each.collection, each.path, each.first_line))


def unmark(message: Message) -> Message:
    """An answer of ours as the model wrote it."""
    return replace(message, content=read_said(message.content)) if message.role == "assistant" else message


def number(passages: Iterable[Passage], earlier: Sequence[Source]) -> Iterable[Source]:
    first = max((each.number for each in earlier), default=0) + 1
    for at, each in enumerate(passages, first):
        place = each.first_line, each.last_line, each.page
        yield Source(at, each.collection, each.path, *place, each.text, each.digest.hex())


def estimate_tokens(text: str) -> int:
    """Rather too many than too few, without a tokenizer.

    >>> estimate_tokens("def main():"), estimate_tokens("使用方法")
    (4, 4)
    """
    plain = len(text) if text.isascii() else sum(sign.isascii() for sign in text)
    return -(-plain // CHARACTERS_PER_TOKEN) + len(text) - plain


def mark_changed(sources: Sequence[Source]) -> list[Source]:
    """The same, each told whether its file is still what was read."""
    now = {path: digest_now(path) for path in {source.path for source in sources}}
    return [replace(source, changed=now[source.path] != source.digest) for source in sources]


def digest_now(path: str) -> str:
    try:
        return digest_file(Path(path)).hex()
    except OSError:
        return ""
