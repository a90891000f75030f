"""Tools with which a model, or an agent, looks into collections by itself: search, definition, references, read.

What goes wrong is a sentence that the caller of a tool can act on, never an exception.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ossian.chat import Source, Tool, ToolCall
from ossian.errors import BadRequest, CollectionNotFound, OssianError, Unreadable
from ossian.rag.cite import has_lines, link_to, write_place
from ossian.rag.context import WRITTEN_AROUND, estimate_tokens, mark_changed, number
from ossian.rag.lines import read_lines
from ossian.rag.search import CANDIDATES, Passage, Search
from ossian.rag.store import Hit, KeptFile, Placed

MOST_PASSAGES = 10
MOST_TOKENS = 1_600  # of one result
MOST_LINES = 200
SHOWN_LINES = 80
LAST_LINE = 10**9
MOST_FILES_NAMED = 5
IDENTIFIER = re.compile(r"\w+")
CITED = "Behind what you take from a passage, put its number, like [1]."


def offer(name: str, description: str, required: Sequence[str], /, **properties: Mapping[str, Any]) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return Tool(name, description, schema)


NAME = {"type": "string", "description": "The name of a function, class or method, such as run_target"}
LINE = {"type": "integer", "minimum": 1}
TOOLS = (
    offer(
        "search",
        "Search the person's documents by words and meaning. Gives numbered passages with path and lines.",
        ["query"],
        query={"type": "string", "description": "A question, or a few words"},
        k={"type": "integer", "minimum": 1, "maximum": MOST_PASSAGES, "description": "How many passages; 5 without it"},
    ),
    offer("definition", "Find where a name is defined in the person's code.", ["name"], name=NAME),
    offer("references", "Find where a name is used in the person's documents.", ["name"], name=NAME),
    offer(
        "read",
        f"Read lines of a text file of the person's documents, {MOST_LINES} at most.",
        ["path"],
        path={"type": "string", "description": "The path, as the other tools give it"},
        first_line={**LINE, "description": "From this line on; 1 without it"},
        last_line={**LINE, "description": f"Up to this line; {SHOWN_LINES} lines without it"},
    ),
)
NAMES = tuple(tool.name for tool in TOOLS)


class Unusable(Exception):
    """A call that cannot be answered, with the sentence that says so."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a tool answers: words for the model, and the passages in them by their numbers."""

    text: str
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Tools:
    """Answers calls from some collections.

    tokens       how many one answer may take
    linked       places are links that open
    """

    search: Search
    collections: Sequence[str]
    tokens: int = MOST_TOKENS
    linked: bool = False

    async def call(self, call: ToolCall, earlier: Sequence[Source] = ()) -> Found:
        """The answer to a call. Passages that stand among `earlier` keep their numbers."""
        try:
            given = read_arguments(call)
            passages, told = await self._answer(call.name, given)
        except Unusable as unusable:
            return Found(str(unusable))
        except CollectionNotFound as missing:
            return Found(missing.message)
        except OssianError as failure:
            return Found(f"{call.name} failed: {failure.message}")
        if not passages:
            return Found(told)
        return self._write(await asyncio.to_thread(mark_changed, number_all(passages, earlier)), told)

    async def _answer(self, name: str, given: Mapping[str, Any]) -> tuple[Sequence[Passage], str]:
        """Passages, and what is to be said beside them, or instead."""
        match name:
            case "search":
                return await self._find(read_text(given, "query"), read_count(given, "k", 5, MOST_PASSAGES))
            case "definition":
                name = read_name(given)
                found = await asyncio.to_thread(self._define, name)
                return found, "" if found else f'"{name}" is defined nowhere here. Try references or search.'
            case "references":
                name = read_name(given)
                found = await asyncio.to_thread(self._refer, name)
                return found, "" if found else f'Nothing uses "{name}" beside what defines it. Try definition.'
            case _:
                first = read_count(given, "first_line", 1, LAST_LINE)
                last = read_count(given, "last_line", first + SHOWN_LINES - 1, LAST_LINE + SHOWN_LINES)
                return await asyncio.to_thread(self._read, read_text(given, "path"), first, last)

    async def _find(self, query: str, count: int) -> tuple[Sequence[Passage], str]:
        found = await self.search.find(self.collections, query, count)
        if not found.passages:
            return (), f'Nothing was found for "{query}". Try other words.'
        return found.passages, "" if found.fits else "The documents hardly cover this; these are the nearest."

    def _define(self, name: str) -> Sequence[Passage]:
        placed = self._place(self._definitions(name))
        exact = [each for each in placed if holds(each.text, name)]
        return write_placed(exact or placed)

    def _refer(self, name: str) -> Sequence[Passage]:
        defining = {hit.place for hit in self._definitions(name)}
        terms = [name.replace("_", "").lower() or name]
        hits = [
            hit
            for collection in self.collections
            for hit in self.search.shelf.find_words(collection, terms, CANDIDATES)
            if hit.place not in defining
        ]
        using = [each for each in self._place(sorted(hits, key=lambda hit: -hit.score)) if holds(each.text, name)]
        return write_placed(using)

    def _definitions(self, name: str) -> list[Hit]:
        low = name.lower()
        found = (self.search.shelf.find_definitions(each, [low]).get(low, []) for each in self.collections)
        return [hit for hits in found for hit in hits]

    def _place(self, hits: Sequence[Hit]) -> list[Placed]:
        placed = self.search.shelf.placed([hit.place for hit in hits])
        return [placed[hit.place] for hit in hits if hit.place in placed]  # a file may have gone since

    def _read(self, path: str, first: int, last: int) -> tuple[Sequence[Passage], str]:
        collection, kept = self._find_file(path)
        if last < first:
            raise Unusable(f"last_line must be at least first_line, which is {first}.")
        try:
            lines, changed = read_lines(kept, first, min(last, first + MOST_LINES - 1))
        except (BadRequest, Unreadable) as refused:
            raise Unusable(f"{kept.path} cannot be read: {refused.message}. Try search.") from None
        if not lines:
            raise Unusable(f"{kept.path} ends before line {first}.")
        shown = self._cut(lines)
        told = "The file has changed since it was put in." if changed else ""
        end = first + len(shown) - 1
        if len(shown) < len(lines):
            told = f"{told} The rest begins at line {end + 1}.".strip()
        return [Passage(collection, kept.path, first, end, None, 0.0, "\n".join(shown), kept.digest)], told

    def _cut(self, lines: Sequence[str]) -> Sequence[str]:
        """As many lines as there is room for; of a first line that is too long, its beginning."""
        room = self.tokens - WRITTEN_AROUND
        for at, line in enumerate(lines):
            room -= estimate_tokens(line) + 1
            if room < 0:
                return lines[:at] or [line[: self.tokens]]
        return lines

    def _find_file(self, path: str) -> tuple[str, KeptFile]:
        """The file of this path, or the only one whose path ends so, and its collection."""
        ending, shelf = path.lstrip("./"), self.search.shelf
        wanted = [path, *([ending] if ending and ending != path else [])]
        listed = [
            (collection, file)
            for collection in self.collections
            for each in wanted
            for file in shelf.files(collection, ending=each)
        ]
        found = [each for each in listed if each[1].path == path] or listed
        paths = sorted({file.path for _, file in found})
        if len(paths) > 1:
            raise Unusable(f"Several files end so: {', '.join(paths[:MOST_FILES_NAMED])}. Name one of them.")
        if not found:
            raise Unusable(f'"{path}" is no file of these documents. Take a path that search gives.')
        return found[0]

    def _write(self, sources: Sequence[Source], told: str) -> Found:
        """The passages that there is room for, the first one in any case."""
        room = self.tokens
        shown: list[Source] = []
        for each in sources:
            room -= estimate_tokens(each.text) + estimate_tokens(each.path) + WRITTEN_AROUND
            if shown and room < 0:
                break
            shown.append(each)
        rest = len(sources) - len(shown)
        notes = [told, f"{rest} more were left out." if rest else "", "" if self.linked else CITED]
        places = [f"[{each.number}] {self._write_place(each)}\n{each.text}" for each in shown]
        told = " ".join(filter(None, notes))
        return Found("\n\n".join(filter(None, (*places, told))), tuple(shown))

    def _write_place(self, source: Source) -> str:
        place = write_range(source)
        return f"[{place}]({link_to(source)})" if self.linked else place


def number_all(passages: Sequence[Passage], earlier: Sequence[Source]) -> list[Source]:
    """The passages with numbers: those given before keep theirs."""
    had = {(each.path, each.first_line, each.text): each for each in earlier}
    known = [had.get((each.path, each.first_line, each.text)) for each in passages]
    fresh = number([each for each, old in zip(passages, known, strict=True) if old is None], earlier)
    new = iter(list(fresh))
    return [old or next(new) for old in known]


def write_range(source: Source) -> str:
    """Where a passage stands, from its first to its last line.

    >>> write_range(Source(1, "books", "/a/b.py", 3, 9, None, ""))
    '/a/b.py:3-9'
    """
    place = write_place(source)
    return f"{place}-{source.last_line}" if has_lines(source.path) and not source.page else place


def write_placed(placed: Iterable[Placed]) -> list[Passage]:
    return [
        Passage(
            each.collection,
            each.path,
            each.first_line,
            each.last_line,
            each.page,
            0.0,
            each.text.rstrip("\n"),
            each.digest,
        )
        for each in placed
    ]


def holds(text: str, name: str) -> bool:
    """Whether a text holds a name as a whole word.

    >>> holds("run_target(x)", "run_target"), holds("run_target(x)", "run")
    (True, False)
    """
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def read_arguments(call: ToolCall) -> Mapping[str, Any]:
    """What a tool is called with. Raises Unusable for another tool, and for what is not among its parameters."""
    tool = next((tool for tool in TOOLS if tool.name == call.name), None)
    if tool is None:
        raise Unusable(f'There is no tool "{call.name}"; there are {", ".join(NAMES)}.')
    try:
        given = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        raise Unusable("The arguments are no JSON. Send one object.") from None
    if not isinstance(given, dict):
        raise Unusable("The arguments must be one JSON object.")
    known = tuple(tool.parameters["properties"])
    for name in given:
        if name not in known:
            raise Unusable(f'{call.name} knows no "{name}"; it takes {", ".join(known)}.')
    return given


def read_text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Unusable(f"{name} must be a text that is not empty.")
    return value.encode("utf-8", "replace").decode().strip()  # half of a character cannot be looked up


def read_name(given: Mapping[str, Any]) -> str:
    """An identifier; of a dotted one its last part."""
    parts = IDENTIFIER.findall(read_text(given, "name"))
    if not parts:
        raise Unusable("name must be an identifier, such as run_target.")
    return str(parts[-1])


def read_count(given: Mapping[str, Any], name: str, otherwise: int, most: int) -> int:
    value = given.get(name)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise Unusable(f"{name} must be a whole number from 1 to {most}.")
    return value
