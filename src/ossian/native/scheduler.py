"""Who is read and who is written at each step: one thread that feeds the model, many answers that wait for words.

Every answer that is being written gets one token a step; the rest of a step reads a piece of the prompt that has the
least left to be read, so that a short question need not wait for a long one. Running answers keep flowing beside it:
for as long as a step read, the next ones only write. A step with nothing to write reads larger pieces, which is faster.
Answers share the cache; where it has no room for all, the one that came last gives its place back and goes on when
another has ended. Where an answer repeats what stood before, a step also reads a guess at its next tokens
(`lookup.py`), and keeps as many as are what it draws: the same tokens, in fewer steps.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from ossian.native.cache import BLOCK_TOKENS, CacheFull, PrefixCache
from ossian.native.constrain import BadGrammar
from ossian.native.jobs import Failed, Finished, Job, Progress, Step, Written
from ossian.native.lookup import MOST_GUESSED, Pace, share_out
from ossian.native.model import Left, Model
from ossian.native.pieces import Piece, arrange
from ossian.native.sampler import likeliest
from ossian.native.weights import Array

PIECE, PIECE_BESIDE_OTHERS = 512, 64  # tokens of a prompt in one step
MOST_PASSED = 8  # later answers that are let in before one that needs much room
EARLIEST_EVERY = 4  # so often the prompt that came first has its turn, or short ones could keep it waiting for ever


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.context = context
        self._model, self._cache, self._endings, self._together = model, cache, endings, together
        self._guesses, self._pace, self._clock = guesses, Pace(), clock
        self._turns, self._only_write_until = 0, 0.0
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
        """Let in whom there is room for, in the order they came; a smaller one may pass, but not for ever."""
        earlier: list[Job] = []
        for job in list(self._waiting):
            if len(self._running) >= self._together or any(each.passed >= MOST_PASSED for each in earlier):
                return
            if not job.refused and self._let_in(job):
                for each in earlier:
                    each.passed += 1
            else:
                job.refused = True
                earlier.append(job)

    def _let_in(self, job: Job) -> bool:
        """Start an answer that fits beside the others, or alone."""
        tokens = job.text or job.prompt
        try:
            job.lease = lease = self._cache.start(tokens)
        except Exception as error:  # such as a damaged block on a disk that cannot be written
            self._waiting.remove(job)
            job.tell(Failed(f"{type(error).__name__}: {error}"))
            return True
        unread = -(-(len(tokens) - lease.known) // BLOCK_TOKENS)
        if self._running and unread + len(self._running) >= self._cache.room:
            self._cache.release(lease)
            job.lease = None
            return False
        self._waiting.remove(job)
        self._running.append(job)
        job.waiting = tokens[lease.known :]
        if not job.text:
            job.began, job.known = time.monotonic(), lease.known
            self._tell_read(job)
        return True

    def _step(self) -> None:
        """Read one piece of one prompt, and one token and what is guessed behind it for every answer being written."""
        fitting = [fitting for piece in self._cut() if (fitting := self._make_room(piece))]
        pieces = [piece for piece in fitting if piece.job.lease]  # who came last may have given its place back
        if not pieces:
            return
        alone = pieces[0].job if len(pieces) == 1 else None
        batch, began = arrange(pieces), self._clock()
        logits = self._model.forward(batch, self._cache.numbers, stop=lambda: alone is not None and alone.left)
        seconds = self._clock() - began
        self._pace.note(len(batch.tokens), seconds)
        if any(is_written(piece.job) for piece in pieces) and not all(is_written(piece.job) for piece in pieces):
            self._only_write_until = self._clock() + seconds
        row = 0
        for piece in pieces:
            job = piece.job
            assert job.lease is not None
            self._cache.add(job.lease, job.waiting[: piece.count])
            del job.waiting[: piece.count]
            if not job.waiting:
                self._try_to_write(piece, logits[row : row + 1 + len(piece.guess)])
                row += 1 + len(piece.guess)
            elif not job.written:
                self._tell_read(job)

    def _cut(self) -> list[Piece]:
        """What to read next: for those who write, and for one who waits to be read."""
        writing = [job for job in self._running if is_written(job)]
        read = [self._cut_prompt(job, beside=bool(writing)) for job in self._choose(beside=bool(writing))]
        rows = len(writing) + sum(map(len, read))
        guesses = share_out([(job.lookup, self._left(job)) for job in writing], rows, self._pace)
        return [Piece(job, 1, tuple(guess)) for job, guess in zip(writing, guesses, strict=True)] + read

    def _cut_prompt(self, job: Job, *, beside: bool) -> Piece:
        """A piece that ends with a block, so that what another reads meanwhile can be taken over behind it."""
        assert job.lease is not None
        if taken := self._cache.go_on(job.lease, job.waiting):
            del job.waiting[:taken]
            job.known += 0 if job.text else taken
        most = (PIECE_BESIDE_OTHERS if beside else PIECE) - len(job.lease.tokens) % BLOCK_TOKENS
        return Piece(job, min(len(job.waiting), most))

    def _choose(self, *, beside: bool) -> list[Job]:
        """Whose prompt is read now: mostly the one with the least left, at times the one that came first, or none."""
        reading = [job for job in self._running if not is_written(job)]
        if not reading:
            return []
        shortest = min(reading, key=lambda job: len(job.waiting))
        if beside and len(shortest.waiting) > PIECE_BESIDE_OTHERS and self._clock() < self._only_write_until:
            return []
        self._turns += 1
        return [shortest if self._turns % EARLIEST_EVERY else reading[0]]

    def _left(self, job: Job) -> int:
        """How many tokens may be guessed behind the next: none that could not be written."""
        room = min(job.most, self.context - len(job.prompt))
        return min(MOST_GUESSED, room - job.written - 1)

    def _make_room(self, piece: Piece) -> Piece | None:
        """A piece that has its place in the cache. Where there is none, a guess is given up, then who came last."""
        job = piece.job
        while job.lease is not None:
            for fitting in (piece, replace(piece, guess=())):
                try:
                    self._cache.make_room(job.lease, len(fitting))
                except CacheFull:
                    continue
                return fitting
            if len(self._running) == 1:
                self._end(job, Failed("the cache has no room for this answer"))
                return None
            self._put_back(self._choose_victim())
        return None

    def _choose_victim(self) -> Job:
        """Who gives its place back: the last that is still being read, or else the last that came."""
        holding = [job for job in reversed(self._running) if job.lease and job.lease.blocks]
        return next((job for job in holding if not is_written(job)), holding[0])

    def _put_back(self, job: Job) -> None:
        """Have an answer wait until another has ended. It goes on where it was, from what the cache then knows."""
        assert job.lease is not None
        job.text = [*job.lease.tokens, *job.waiting]
        self._cache.release(job.lease)
        job.lease = None
        self._running.remove(job)
        self._waiting.insert(0, job)
        job.refused = True

    def _tell_read(self, job: Job, read: int = 0) -> None:
        """How much of the prompt is read, which never becomes less: what was given back is read again in silence."""
        job.told = max(job.told, job.known, read or (len(job.lease.tokens) if job.lease else 0))
        job.tell(Progress(job.told, job.known))

    def _try_to_write(self, piece: Piece, logits: Array) -> None:
        """Draw; what one answer's rules do to it is no other's trouble."""
        try:
            self._write(piece, logits)
        except Exception as error:
            self._end(piece.job, Failed(f"{type(error).__name__}: {error}"))

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
            self._tell_read(job, len(job.prompt))
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
        times = job.first - job.began, now - job.first
        return Finished(len(job.prompt), job.known, job.written, *times, limit, job.guessed, job.kept)

    def _end(self, job: Job, last: Step | None) -> None:
        if job.lease is not None:
            self._cache.release(job.lease)
        self._running.remove(job)
        for other in self._waiting:
            other.refused = False
        if last is not None and not job.left:
            job.tell(last)


def is_written(job: Job) -> bool:
    """Whether the next token can be drawn in the next step; else there is a text to be read first."""
    return job.written > 0 and len(job.waiting) == 1
