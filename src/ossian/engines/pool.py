"""Which models are loaded: loads on demand, lends them out one caller a seat, keeps them warm, lets them go.

Knows nothing of what is said to a model. All state lives in one event loop; nothing here needs a lock but the load.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from ossian.chat import Model
from ossian.engines import memory
from ossian.errors import ModelNotFound, ServerBusy
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

log = logging.getLogger(__name__)

DEFAULT_LOADED_MODELS = 3
FOR_EVER = timedelta(days=365 * 100)  # clients print "Forever" for a date more than twenty years ahead


class LoadedModel(Model, Protocol):
    """A model that holds resources: it can die, and it is closed."""

    @property
    def alive(self) -> bool: ...

    async def close(self) -> None: ...


FindModel = Callable[[str], ModelFile | None]
StartModel = Callable[[ModelFile, int], Awaitable[LoadedModel]]
"""Load a model file with so many tokens of context."""


@dataclass(slots=True)
class Seat:
    """A loaded model, who is using it and until when it stays. Times are seconds of the monotonic clock."""

    file: ModelFile
    model: LoadedModel
    keep_alive: float
    gate: asyncio.Semaphore
    users: int = 0
    expires: float = math.inf
    timer: asyncio.TimerHandle | None = None

    @property
    def expires_at(self) -> datetime:
        """When it will be unloaded, for people."""
        left = self.keep_alive if self.users else self.expires - time.monotonic()
        ever = left < 0 if self.users else math.isinf(left)
        return datetime.now(UTC) + (FOR_EVER if ever else timedelta(seconds=max(0.0, left)))


@dataclass(slots=True)
class Pool:
    """The models of one server. `find` says what a name means, `start` loads it."""

    settings: Settings
    find: FindModel
    start: StartModel
    _seats: dict[Path, Seat] = field(default_factory=dict)
    _waiting: int = 0
    _load: asyncio.Lock = field(default_factory=asyncio.Lock)
    _freed: asyncio.Event = field(default_factory=asyncio.Event)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def borrow(
        self, name: str, *, context: int | None = None, keep_alive: float | None = None
    ) -> AsyncIterator[Model]:
        """Lend a model for one answer: load it or wait for it, hold it while speaking, give it back whatever happens.

        Raises ModelNotFound, ServerBusy, NotEnoughMemory, ModelFailed.
        """
        file = self.find(name)
        if file is None:
            raise ModelNotFound(name)
        seat = await self._take(file, context)
        if keep_alive is not None:
            seat.keep_alive = keep_alive
        try:
            yield seat.model
        finally:
            self._give_back(seat)

    @property
    def waiting(self) -> int:
        """Callers who wait, for a model or for a load."""
        return self._waiting

    def loaded(self) -> tuple[Seat, ...]:
        """What is loaded now, the one that stays longest first."""
        alive = [seat for seat in self._seats.values() if seat.model.alive]
        return tuple(sorted(alive, key=lambda seat: seat.expires_at, reverse=True))

    def context_of(self, file: ModelFile) -> int:
        """Tokens of context this model is served with: as loaded, or as it would be loaded now."""
        wanted = file.parameters.get("num_ctx")
        seat = self._ready_seat(file, wanted)
        return seat.model.info.context if seat is not None else self._context(file, wanted)

    async def unload(self, name: str) -> bool:
        """Let a model go: now when nobody uses it, else with the last answer. False when it is not loaded."""
        file = self.find(name)
        if file is None:
            raise ModelNotFound(name)
        seat = self._seats.get(file.path)
        if seat is None:
            return False
        seat.keep_alive = 0.0
        if seat.users == 0:
            await self._close(seat)
        return True

    async def close(self) -> None:
        """End every model."""
        await asyncio.gather(*(self._close(seat) for seat in tuple(self._seats.values())))
        await asyncio.gather(*self._closing)

    async def _take(self, file: ModelFile, context: int | None) -> Seat:
        """A seat on a loaded model that is large enough, with this caller counted in."""
        while True:
            seat = self._ready_seat(file, context)
            if seat is None:
                async with self._in_queue(self._load.locked()), self._load:
                    seat = self._ready_seat(file, context) or await self._load_seat(file, context)
            seat.users += 1
            self._stop_timer(seat)
            try:
                async with self._in_queue(seat.gate.locked()):
                    await seat.gate.acquire()
            except BaseException:
                self._leave(seat)
                raise
            if seat.model.alive:
                seat.file = file  # models made from one file share its seat, which goes by the name asked for last
                return seat
            self._give_back(seat)

    def _ready_seat(self, file: ModelFile, context: int | None) -> Seat | None:
        """The seat that can serve this request as it is; a dead or too small one is none."""
        seat = self._seats.get(file.path)
        if seat is None or not seat.model.alive:
            return None
        too_small = context is not None and context > seat.model.info.context
        return None if too_small and self._context(file, context) > seat.model.info.context else seat

    def _context(self, file: ModelFile, wanted: int | None) -> int:
        """Tokens to load with: never fewer than the machine would give anyway, so that nobody forces a reload later."""
        room = memory.free_memory(), memory.total_memory(), memory.serving_of(file, self.settings)
        usual = memory.context_for(file, self.settings.context_length, *room)
        if wanted is None or wanted <= usual:
            return usual
        return max(usual, min(wanted, memory.context_for(file, 0, *room)))

    async def _load_seat(self, file: ModelFile, context: int | None) -> Seat:
        old = self._seats.get(file.path)
        while old is not None and old.model.alive and old.users:
            await self._wait_for_a_release()
        if old is not None and self._seats.get(file.path) is old:
            await self._close(old)
        await self._make_room(file)
        if self._closing:  # they give their memory back first, and keep what they have read
            await asyncio.wait(tuple(self._closing))
        started = time.monotonic()
        model = await self.start(file, self._context(file, context))
        together = model.info.together or memory.serving_of(file, self.settings).together
        seat = Seat(file, model, self.settings.keep_alive, asyncio.Semaphore(together))
        self._seats[file.path] = seat
        log.info(
            "loaded %s in %.1f s, %.1f GiB, context %d",
            file.name, time.monotonic() - started, model.info.size / memory.GIB, model.info.context,
        )  # fmt: skip
        return seat

    async def _make_room(self, file: ModelFile) -> None:
        """Let idle models go, the one nearest its end first, until the new one has a place and memory."""
        limit = self.settings.max_loaded_models or DEFAULT_LOADED_MODELS
        while self._seats:
            smallest = memory.needed_memory(file, memory.SMALLEST_CONTEXT, memory.serving_of(file, self.settings))
            if len(self._seats) < limit and smallest <= memory.free_memory():
                return
            idle = [seat for seat in self._seats.values() if seat.users == 0]
            if idle:
                await self._close(min(idle, key=lambda seat: seat.expires))
            elif len(self._seats) < limit:
                return
            else:
                await self._wait_for_a_release()

    @asynccontextmanager
    async def _in_queue(self, must_wait: bool) -> AsyncIterator[None]:
        """Count a caller who has to wait, and refuse the one too many."""
        if not must_wait:
            yield
            return
        if self._waiting >= self.settings.max_queue:
            raise ServerBusy(self._waiting)
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def _wait_for_a_release(self) -> None:
        self._freed.clear()
        await self._freed.wait()

    def _give_back(self, seat: Seat) -> None:
        seat.gate.release()
        self._leave(seat)

    def _leave(self, seat: Seat) -> None:
        seat.users -= 1
        self._freed.set()
        if not seat.model.alive:
            self._close_soon(seat)
        elif seat.users == 0:
            self._start_timer(seat)

    def _start_timer(self, seat: Seat) -> None:
        if seat.keep_alive < 0:
            seat.expires = math.inf
            return
        seat.expires = time.monotonic() + seat.keep_alive
        if seat.keep_alive == 0:
            self._close_soon(seat)
        else:
            seat.timer = asyncio.get_running_loop().call_later(seat.keep_alive, self._close_soon, seat)

    def _stop_timer(self, seat: Seat) -> None:
        if seat.timer is not None:
            seat.timer.cancel()
            seat.timer = None

    def _close_soon(self, seat: Seat) -> None:
        task = asyncio.get_running_loop().create_task(self._close_unless_used(seat))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close_unless_used(self, seat: Seat) -> None:
        if not (seat.users and seat.model.alive):
            await self._close(seat)

    async def _close(self, seat: Seat) -> None:
        """Unload. The seat leaves the table first, so nobody sits down on it meanwhile."""
        self._stop_timer(seat)
        if self._seats.get(seat.file.path) is seat:
            del self._seats[seat.file.path]
        with contextlib.suppress(ProcessLookupError):
            await seat.model.close()
        self._freed.set()
        log.info("unloaded %s", seat.file.name)
