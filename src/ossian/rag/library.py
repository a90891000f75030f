"""A person's documents as the rest of the house sees them: put in, listed, searched, given to a model, cited.

Words are searchable at once; meaning is filled in behind them, resumable, and never beside a running answer.
"""

import asyncio
import logging
import re
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

from ossian.chat import ChatRequest, Done, Events, Source, Sources, Text
from ossian.errors import BadRequest, CollectionNotFound, OssianError
from ossian.rag.cite import Citer, write_silence
from ossian.rag.context import CONTEXT_SHARE, Context, Prepared, estimate_tokens
from ossian.rag.find import normal
from ossian.rag.given import Given, GivenMemory
from ossian.rag.ingest import Ingested, Step, ingest
from ossian.rag.reader import Reader
from ossian.rag.roots import Roots
from ossian.rag.search import By, Embedder, Findings, Search
from ossian.rag.store import Collection, KeptFile, Shelf
from ossian.rag.tools import Tools
from ossian.store.told import in_thread

FILL_BATCH = 16
QUIET_POLL_SECONDS = 0.5
FAILED_PAUSE_SECONDS = 30.0
UNUSED_SECONDS = 30 * 24 * 3600.0  # a branch that is switched back to within a month costs no new embedding
COLLECTION_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

log = logging.getLogger(__name__)


def check_collection_name(name: str) -> str:
    """Raises BadRequest for what cannot stand behind a model's name and a plus."""
    if not COLLECTION_NAME.fullmatch(name):
        raise BadRequest(
            f"'{name}' cannot name a collection.", "Use small letters, digits, '.', '_' and '-', 64 at most."
        )
    return name


@dataclass(frozen=True, slots=True)
class Listed:
    """A collection, counted. `pending` of its chunks have no meaning yet; `skipped` of its files could not be read.

    roots   the paths that were put in
    """

    collection: Collection
    pending: int
    skipped: int
    roots: tuple[str, ...] = ()


@dataclass(slots=True)
class Library:
    """All collections of one server.

    open_shelf    where they are kept: opened when it is needed first
    roots         the paths that were put in, by collection
    find_embedder who gives meaning now; None: nobody, and words alone are searched
    close_embedder ends what gives meaning
    is_busy       whether an answer is being written
    tokens        how many the passages of one turn may take
    """

    open_shelf: Callable[[], Shelf]
    roots: Roots
    find_embedder: Callable[[], Embedder | None] = lambda: None
    is_busy: Callable[[], bool] = lambda: False
    close_embedder: Callable[[], Awaitable[None]] | None = None
    memory: GivenMemory = field(default_factory=GivenMemory)
    tokens: int = 1_600
    reader: Reader = field(default_factory=Reader)
    _opened: Search | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock)
    _filling: asyncio.Task[None] | None = None
    _changes: int = 0  # how often files were put in
    _filled: tuple[str, int] = ("", 0)  # the embedder of which nothing was missing, after so many changes
    _learned: dict[str, tuple[int, str]] = field(default_factory=dict)  # chunks, and by whom all had meaning
    _adding: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))  # by collection

    @property
    def shelf(self) -> Shelf:
        return self._search.shelf

    @property
    def _search(self) -> Search:
        """Searches the shelf, which is opened now if it is not yet. Raises LibraryFailed."""
        with self._opening:
            if self._opened is None:
                self._opened = Search(self.open_shelf())
            return self._opened

    async def close(self) -> None:
        """Stop filling and reading; what was told is kept."""
        if self._filling:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        if self.close_embedder:
            await self.close_embedder()
        await asyncio.to_thread(self.reader.close)
        if self._opened:
            await asyncio.to_thread(self._opened.shelf.close)

    # --- what is there ------------------------------------------------------------------------------------------

    def names(self) -> tuple[str, ...]:
        """All collections; none where the library cannot be read, since models are listed all the same."""
        try:
            return self.shelf.names()
        except OssianError as error:
            log.warning("documents are not listed: %s", error)
            return ()

    def list(self) -> list[Listed]:
        """Every collection, counted."""
        return [self.count(each) for each in self.shelf.collections()]

    def count(self, collection: Collection) -> Listed:
        files = self.files(collection.name)
        skipped = sum(file.state == "skipped" for file in files)
        counted = replace(collection, files=len(files) - skipped)
        roots = tuple(map(str, self.roots.of(collection.name)))
        return Listed(counted, sum(file.pending for file in files), skipped, roots)

    def find(self, name: str) -> Listed:
        """Raises CollectionNotFound."""
        found = next((each for each in self.shelf.collections() if each.name == name), None)
        if found is None:
            raise CollectionNotFound(name)
        return self.count(found)

    def files(self, name: str) -> tuple[KeptFile, ...]:
        """Every file of a collection. Raises CollectionNotFound."""
        embedder = self.find_embedder()
        return self.shelf.files(name, embedder.name if embedder else "")

    def file(self, name: str, path: str) -> KeptFile | None:
        """The file of this very path. Raises CollectionNotFound."""
        return next((file for file in self.shelf.files(name, ending=path) if file.path == path), None)

    # --- putting in and taking out ------------------------------------------------------------------------------

    async def add(
        self, name: str, paths: Sequence[Path], *, changed: bool = False
    ) -> AsyncGenerator[Step | Ingested, None]:
        """Put files and folders in, step by step; closing this stops the work, and what was told stays.

        changed: read them again as what was put in before would have them; what is ignored there stays out
        """
        check_collection_name(name)
        async with self._adding[name]:
            if not changed:
                await asyncio.to_thread(self.roots.add, name, paths)
            roots = await asyncio.to_thread(self.roots.of, name) if changed else None
            steps = ingest(self.shelf, self.reader, name, paths, roots)
            try:
                async with aclosing(in_thread(steps, "reading documents", waits=True)) as told:
                    async for step in told:
                        yield step
            finally:
                self._changes += 1
                self.fill()

    def remove(self, name: str, paths: Iterable[Path] | None = None) -> int:
        """Take files out, and all files of folders; or the whole collection. Raises CollectionNotFound."""
        gone = None if paths is None else [str(normal(path)) for path in paths]
        files = None
        if gone is not None:
            known = [file.path for file in self.shelf.files(name)]
            files = [path for path in known if any(Path(path).is_relative_to(each) for each in gone)]
        count = self.shelf.forget(name, files)
        if files is None:
            self._search.unlearn(name)
            self._learned.pop(name, None)
        self.roots.forget(name, gone)
        return count

    def fill(self) -> None:
        """Give meaning to what has none, in the background."""
        if self._filling is None or self._filling.done():
            self._filling = asyncio.get_running_loop().create_task(self._fill())

    async def _fill(self) -> None:
        learned = -1
        while True:
            changes, embedder = self._changes, self.find_embedder()
            try:
                if self.is_busy():
                    await asyncio.sleep(QUIET_POLL_SECONDS)
                elif embedder and (texts := await asyncio.to_thread(self._pending, embedder.name)):
                    if learned != changes:
                        await self._learn("")
                        learned = changes
                    vectors = await embedder.embed(list(texts.values()))
                    kept = dict(zip(texts.values(), vectors, strict=True))
                    await asyncio.to_thread(self.shelf.keep_vectors, embedder.name, kept)
                else:
                    self._filled = embedder.name if embedder else "", changes
                    await self._learn(embedder.name if embedder else "words")
                    await asyncio.to_thread(self.shelf.sweep, UNUSED_SECONDS)
                    if changes == self._changes:
                        return
            except OssianError as error:
                log.warning("meaning was not filled in: %s", error)
                await asyncio.sleep(FAILED_PAUSE_SECONDS)

    def _pending(self, embedder: str) -> dict[int, str]:
        return self.shelf.pending(embedder, FILL_BATCH)

    async def _learn(self, whole: str) -> None:
        """Learn what is usual in collections that have changed by a tenth since, or have all of a meaning now.

        whole: by whom; empty: some of it is still missing
        """
        self._search.use(self.find_embedder())
        for each in await asyncio.to_thread(self.shelf.collections):
            chunks, before = self._learned.get(each.name, (0, ""))
            changed = abs(each.chunks - chunks) > chunks / 10 or (whole and whole != before)
            if changed or not self._search.is_calibrated([each.name]):
                await self._search.calibrate([each.name])
                self._learned[each.name] = each.chunks, whole

    # --- answering ----------------------------------------------------------------------------------------------

    async def search(self, names: Sequence[str], question: str, count: int = 10, by: By = "both") -> Findings:
        """The passages that fit a question best. Raises CollectionNotFound, LibraryFailed."""
        search = await self._ready(names)
        return await search.find(names, question, count, by)

    async def prepare(self, request: ChatRequest) -> Prepared:
        """A request with passages of its documents in it. Raises CollectionNotFound, LibraryFailed."""
        search = await self._ready(request.documents)
        return await Context(search, self.memory, self.tokens).prepare(request)

    async def tools(self, names: Sequence[str], context: int | None = None, *, linked: bool = False) -> Tools:
        """Tools on collections, for a model with so many tokens of context."""
        room = min(self.tokens, context // CONTEXT_SHARE) if context else self.tokens
        return Tools(await self._ready(names), names, room, linked)

    async def remember(self, prepared: Prepared, sources: Sequence[Source]) -> None:
        """Let later turns have what tools found in this one: all that was cited, and more where there is room."""
        had = {source.number for source in prepared.sources}
        new, room = [source for source in sources if source.number not in had], self.tokens
        for source in new:
            room -= estimate_tokens(source.text) * source.cited
        kept: list[Source] = []
        for source in new:
            room -= 0 if source.cited else estimate_tokens(source.text)
            kept += [replace(source, cited=False, changed=False)] if source.cited or room >= 0 else []
        if kept and prepared.place:
            given = Given((*prepared.given.passages, *kept))
            await asyncio.to_thread(self.memory.remember, prepared.place, given)

    async def _ready(self, names: Sequence[str]) -> Search:
        """What searches now and knows what is usual in these collections. Missing meaning is filled in behind."""
        search, embedder = await asyncio.to_thread(lambda: self._search), self.find_embedder()
        search.use(embedder)
        if not search.is_calibrated(names):
            await search.calibrate(names)
        if embedder and (embedder.name, self._changes) != self._filled:
            self.fill()
        return search


async def cite(events: Events, prepared: Prepared) -> Events:
    """The same events: citations checked and linked, and before the end the passages that were given.

    An answer in a format is left as it is, since a link would break it; its passages are told all the same.
    """
    citer, sources = Citer(prepared.sources), list(prepared.sources)
    plain = prepared.request.format is None
    opening = write_silence(prepared.request.documents) if prepared.silent and plain else ""
    async with aclosing(events):
        async for event in events:
            match event:
                case Text(text) if plain:
                    text, opening = opening + citer.feed(text), ""
                    if text or event.logprobs:
                        yield replace(event, text=text)
                case Sources(passages):  # found by tools on the way
                    sources += passages
                    citer.learn(passages)
                    opening = ""
                case Done():
                    if rest := citer.finish():
                        yield Text(rest)
                    yield Sources(mark_cited(sources, citer.cited))
                    yield event
                case _:
                    yield event


def mark_cited(sources: Iterable[Source], cited: set[int]) -> tuple[Source, ...]:
    return tuple(replace(source, cited=source.number in cited) for source in sources)
