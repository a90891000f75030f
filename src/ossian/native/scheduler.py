"""Who is read and who is written at each step: one thread that feeds the model, many answers that wait for words.

Every answer that is being written gets one token a step; the rest of a step reads a piece of the longest-waiting
prompt, so that running answers keep flowing beside it. A step with nothing to write reads larger pieces, which is
faster. Where an answer repeats what stood before, a step also reads a guess at its next tokens (`lookup.py`), and
keeps as many as are what it draws: the same tokens, in fewer steps.
"""

import queue
import threading
import time
from dataclasses import dataclass, replace

import numpy as np

from ossian.native.cache import CacheFull, PrefixCache
from ossian.native.constrain import BadGrammar
from ossian.native.jobs import Failed, Finished, Job, Progress, Step, Written
from ossian.native.lookup import MOST_GUESSED, Pace, share_out
from ossian.native.model import Batch, Left, Model
from ossian.native.sampler import likeliest
from ossian.native.weights import Array

PIECE, PIECE_BESIDE_OTHERS = 512, 64  # tokens of a prompt in one step


@dataclass(frozen=True, slots=True)
class Piece:
    """What a step reads for one answer: so many tokens that wait and, behind the last of them, a guess at the next."""

    job: Job
    count: int
    guess: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.count + len(self.guess)


class Scheduler:
    """Runs a model for many callers. `submit` and `leave` may be called from any thread."""

    def __init__(
        self,
        model: Model,
        cache: PrefixCache,
        endings: frozenset[int],
        context: int,
        together: int,
        guesses: bool = True,
    ) -> None:
        self.context = context
        self._model, self._cache, self._endings, self._together = model, cache, endings, together
        self._guesses, self._pace = guesses, Pace()
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
        """End after the step that is being made, with all that was read on the disk where it is kept."""
        for job in [*self._running, *self._waiting]:
            job.left = True
        self._inbox.put(None)
        self._thread.join()
        self._cache.close()

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
        """Read one piece of one prompt, and one token and what is guessed behind it for every answer being written."""
        pieces = [fitting for piece in self._cut() if (fitting := self._make_room(piece))]
        if not pieces:
            return
        alone = pieces[0].job if len(pieces) == 1 else None
        batch, began = arrange(pieces), time.monotonic()
        logits = self._model.forward(batch, self._cache.numbers, stop=lambda: alone is not None and alone.left)
        self._pace.note(len(batch.tokens), time.monotonic() - began)
        row = 0
        for piece in pieces:
            job = piece.job
            assert job.lease is not None
            self._cache.add(job.lease, job.waiting[: piece.count])
            del job.waiting[: piece.count]
            if job.waiting:
                job.tell(Progress(len(job.lease.tokens), job.lease.known))
            else:
                self._write(piece, logits[row : row + 1 + len(piece.guess)])
                row += 1 + len(piece.guess)

    def _cut(self) -> list[Piece]:
        """What to read next: for those who write, and for the one who has waited longest to be read."""
        writing = [job for job in self._running if job.written]
        reading = [job for job in self._running if not job.written][:1]
        most = PIECE_BESIDE_OTHERS if writing else PIECE
        read = [Piece(job, min(len(job.waiting), most)) for job in reading]
        rows = len(writing) + sum(map(len, read))
        guesses = share_out([(job.lookup, self._left(job)) for job in writing], rows, self._pace)
        return [Piece(job, 1, tuple(guess)) for job, guess in zip(writing, guesses, strict=True)] + read

    def _left(self, job: Job) -> int:
        """How many tokens may be guessed behind the next: none that could not be written."""
        room = min(job.most, self.context - len(job.prompt))
        return min(MOST_GUESSED, room - job.written - 1)

    def _make_room(self, piece: Piece) -> Piece | None:
        """A piece that has its place in the cache; a guess is given up where it has none."""
        assert piece.job.lease is not None
        for fitting in (piece, replace(piece, guess=())):
            try:
                self._cache.make_room(piece.job.lease, len(fitting))
            except CacheFull:
                continue
            return fitting
        self._end(piece.job, Failed("the cache is full: other answers hold it. Please ask again"))
        return None

    def _write(self, piece: Piece, logits: Array) -> None:
        """Draw behind each row, as long as what is drawn is what the next row has read. The rest is written over."""
        job = piece.job
        job.guessed += len(piece.guess)
        for guessed, row in zip((*piece.guess, None), logits, strict=True):
            self._draw(job, row)
            if job.waiting != [guessed]:
                return
            assert job.lease is not None
            self._cache.add(job.lease, job.waiting)
            job.waiting.clear()
            job.kept += 1

    def _draw(self, job: Job, logits: Array) -> None:
        """The next token of one answer, or its end."""
        if not job.written:
            job.first = time.monotonic()
            if job.lease:
                self._cache.keep_tail(job.lease)
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
        if self._guesses:
            job.look_up(token)
        return None

    def _sum_up(self, job: Job, *, limit: bool) -> Finished:
        now = time.monotonic()
        known = job.lease.known if job.lease else 0
        times = job.first - job.began, now - job.first
        return Finished(len(job.prompt), known, job.written, *times, limit, job.guessed, job.kept)

    def _end(self, job: Job, last: Step | None) -> None:
        if job.lease is not None:
            self._cache.release(job.lease)
        self._running.remove(job)
        if last is not None and not job.left:
            job.tell(last)


def arrange(pieces: list[Piece]) -> Batch:
    """The rows of one step. Asked for is what follows a job's last waiting token, and each one of a guess."""
    tokens: list[int] = []
    positions: list[int] = []
    conversations: list[int] = []
    wanted: list[int] = []
    widest = max(len(piece.job.lease.blocks) for piece in pieces if piece.job.lease)
    tables = np.zeros((len(pieces), widest), np.int32)
    for index, piece in enumerate(pieces):
        job = piece.job
        assert job.lease is not None
        start = len(job.lease.tokens)
        tokens += [*job.waiting[: piece.count], *piece.guess]
        positions += range(start, start + len(piece))
        conversations += [index] * len(piece)
        tables[index, : len(job.lease.blocks)] = job.lease.blocks
        if piece.count == len(job.waiting):
            wanted += range(len(tokens) - len(piece.guess) - 1, len(tokens))
    return Batch(
        tokens=np.array(tokens, np.int32),
        positions=np.array(positions, np.int32),
        conversations=np.array(conversations, np.int32),
        tables=tables,
        wanted=np.array(wanted, np.int32),
    )
