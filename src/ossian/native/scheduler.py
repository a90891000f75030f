"""Who is read and who is written at each step: one thread that feeds the model, many answers that wait for words.

Every answer that is being written gets one token a step; the rest of a step reads a piece of the longest-waiting
prompt, so that running answers keep flowing beside it. A step with nothing to write reads larger pieces, which is
faster.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ossian.native.cache import CacheFull, Lease, PrefixCache
from ossian.native.constrain import BadGrammar, Constraint
from ossian.native.model import Batch, Left, Model
from ossian.native.sampler import Likely, Rules, Sampler, likeliest
from ossian.native.weights import Array

PIECE, PIECE_BESIDE_OTHERS = 512, 64  # tokens of a prompt in one step


@dataclass(frozen=True, slots=True)
class Progress:
    """So many tokens of the prompt are read, of which `cached` did not have to be."""

    read: int
    cached: int


@dataclass(frozen=True, slots=True)
class Written:
    """One token of the answer, and how likely it and others were, where that was asked for."""

    token: int
    likely: Likely | None = None
    likeliest: tuple[Likely, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The end: counts in tokens, times in seconds. `limit`: the bound on tokens ended it."""

    prompt: int
    cached: int
    written: int
    prompt_seconds: float
    written_seconds: float
    limit: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer cannot go on, and why."""

    reason: str
    callers_fault: bool = False


Step = Progress | Written | Finished | Failed


@dataclass(slots=True)
class Job:
    """One answer to be written. `tell` is called from the engine's thread and must not wait."""

    prompt: list[int]
    most: int
    rules: Rules
    tell: Callable[[Step], None]
    constraint: Constraint | None = None
    likeliest: int | None = None
    left: bool = False  # the caller went away
    lease: Lease | None = field(default=None, init=False)
    written: int = field(default=0, init=False)
    waiting: list[int] = field(default_factory=list, init=False)  # tokens to be read before the next can be drawn
    sampler: Sampler = field(init=False)
    began: float = field(default_factory=time.monotonic, init=False)
    first: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.sampler = Sampler(self.rules)


class Scheduler:
    """Runs a model for many callers. `submit` and `leave` may be called from any thread."""

    def __init__(self, model: Model, cache: PrefixCache, endings: frozenset[int], context: int, together: int) -> None:
        self.context = context
        self._model, self._cache, self._endings, self._together = model, cache, endings, together
        self._inbox: queue.Queue[Job | None] = queue.Queue()
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        self._inbox.put(job)

    def leave(self, job: Job) -> None:
        """The caller went away: nothing more is told, and a step that only reads for it ends at the next layer."""
        job.left = True

    def busy(self) -> list[bool]:
        """Of the answers that can be written at once, which are."""
        running = len(self._running)
        return [index < running for index in range(self._together)]

    def close(self) -> None:
        """End after the step that is being made."""
        for job in [*self._running, *self._waiting]:
            job.left = True
        self._inbox.put(None)
        self._thread.join()

    def _work(self) -> None:
        while self._take_in():
            self._admit()
            if not self._running:
                continue
            try:
                self._step()
            except Left:
                continue
            except Exception as error:  # one answer's trouble is told to those it concerns, and the engine goes on
                for job in list(self._running):
                    self._end(job, Failed(f"{type(error).__name__}: {error}"))

    def _take_in(self) -> bool:
        """Fetch new jobs, waiting where there is nothing to do; False at the end."""
        for gone in [job for job in self._running if job.left]:
            self._end(gone, None)
        self._waiting = [job for job in self._waiting if not job.left]
        while True:
            try:
                job = self._inbox.get(block=not (self._running or self._waiting))
            except queue.Empty:
                return True
            if job is None:
                return False
            self._waiting.append(job)

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self._together:
            job = self._waiting[0]
            try:
                job.lease = self._cache.start(job.prompt)
            except CacheFull:
                if not self._running:
                    self._waiting.pop(0).tell(Failed("the cache has no room for this prompt"))
                    continue
                return
            self._waiting.pop(0)
            job.began = time.monotonic()
            job.waiting = job.prompt[job.lease.known :]
            job.tell(Progress(job.lease.known, job.lease.known))
            self._running.append(job)

    def _step(self) -> None:
        """Read one piece of one prompt, and one token for every answer that is being written."""
        writing = [job for job in self._running if job.written]
        reading = next((job for job in self._running if not job.written), None)
        pieces = [(job, 1) for job in writing]
        if reading:
            pieces.append((reading, min(len(reading.waiting), PIECE_BESIDE_OTHERS if writing else PIECE)))
        pieces = [(job, count) for job, count in pieces if self._make_room(job, count)]
        if not pieces:
            return
        alone = pieces[0][0] if len(pieces) == 1 else None
        logits = self._model.forward(
            arrange(pieces), self._cache.numbers, stop=lambda: alone is not None and alone.left
        )
        row = 0
        for job, count in pieces:
            assert job.lease is not None
            self._cache.add(job.lease, job.waiting[:count])
            del job.waiting[:count]
            if job.waiting:
                job.tell(Progress(len(job.lease.tokens), job.lease.known))
            else:
                self._draw(job, logits[row])
                row += 1

    def _make_room(self, job: Job, count: int) -> bool:
        assert job.lease is not None
        try:
            self._cache.make_room(job.lease, count)
        except CacheFull:
            self._end(job, Failed("the cache is full: other answers hold it. Please ask again"))
            return False
        return True

    def _draw(self, job: Job, logits: Array) -> None:
        """The next token of one answer, or its end."""
        if not job.written:
            job.first = time.monotonic()
            job.tell(Progress(len(job.prompt), job.lease.known if job.lease else 0))
        if job.written >= job.most:
            return self._end(job, self._sum_up(job, limit=True))
        try:
            token = job.sampler.draw(logits, job.constraint.allowed() if job.constraint else None)
        except BadGrammar as error:
            return self._end(job, Failed(str(error), callers_fault=True))
        if job.constraint:
            job.constraint.take(token)
        job.written += 1
        likely, best = likeliest(logits, token, job.likeliest) if job.likeliest is not None else (None, [])
        job.tell(Written(token, likely, tuple(best)))
        if token in self._endings:
            return self._end(job, self._sum_up(job, limit=False))
        if job.written >= job.most or len(job.prompt) + job.written >= self.context:
            return self._end(job, self._sum_up(job, limit=True))
        job.waiting.append(token)
        return None

    def _sum_up(self, job: Job, *, limit: bool) -> Finished:
        now = time.monotonic()
        known = job.lease.known if job.lease else 0
        return Finished(len(job.prompt), known, job.written, job.first - job.began, now - job.first, limit)

    def _end(self, job: Job, last: Step | None) -> None:
        if job.lease is not None:
            self._cache.release(job.lease)
        self._running.remove(job)
        if last is not None and not job.left:
            job.tell(last)


def arrange(pieces: list[tuple[Job, int]]) -> Batch:
    """The rows of one step: the next tokens of each job. Asked for is what follows a job's last waiting token."""
    tokens: list[int] = []
    positions: list[int] = []
    conversations: list[int] = []
    wanted: list[int] = []
    widest = max(len(job.lease.blocks) for job, _ in pieces if job.lease)
    tables = np.zeros((len(pieces), widest), np.int32)
    for index, (job, count) in enumerate(pieces):
        assert job.lease is not None
        start = len(job.lease.tokens)
        tokens += job.waiting[:count]
        positions += range(start, start + count)
        conversations += [index] * count
        tables[index, : len(job.lease.blocks)] = job.lease.blocks
        if count == len(job.waiting):
            wanted.append(len(tokens) - 1)
    return Batch(
        tokens=np.array(tokens, np.int32),
        positions=np.array(positions, np.int32),
        conversations=np.array(conversations, np.int32),
        tables=tables,
        wanted=np.array(wanted, np.int32),
    )
