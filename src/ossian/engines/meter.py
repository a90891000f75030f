"""What an answer costs: counts tokens and seconds over the one or two completions it takes."""

import time
from collections.abc import Sequence

from ossian.chat import Usage
from ossian.engines.steps import Piece, Timings
from ossian.engines.transcript import Transcript


class Meter:
    """Counts as pieces come; the engine's own figures replace the estimate where a completion ran to its end."""

    def __init__(self, prompt_tokens: int) -> None:
        self.prompt_tokens = prompt_tokens
        self.transcript = Transcript()
        self.limit = False
        self.loop = 0
        self._cached = 0
        self._written = 0
        self._prompt_seconds = 0.0
        self._writing_seconds = 0.0
        self._guessed = self._kept = 0
        self._completions = 0
        self._thinking = 0
        self.begin((), 0)

    @property
    def written(self) -> int:
        """Tokens written so far."""
        return self._written + self._pieces

    @property
    def left(self) -> int:
        """Tokens that may still be written."""
        return self.bound - self.written

    @property
    def writing_seconds(self) -> float:
        """Since the first piece of this completion."""
        return time.monotonic() - self._first

    def begin(self, prompt: Sequence[int], bound: int) -> None:
        """A completion of so many tokens at most is asked for."""
        self.transcript.begin(prompt)
        self._pieces = self._latest = 0
        self.bound = self._written + bound
        self._asked = self._first = time.monotonic()

    def piece(self, piece: Piece) -> None:
        """One more piece has come, of one token or of several."""
        self.transcript.take(piece)
        if self._pieces == 0:
            self._first = time.monotonic()
        written = max(self._pieces + 1, piece.written)
        self._latest, self._pieces = written - self._pieces, written
        if self._completions == 0:
            self._cached = piece.cached

    def thought(self) -> None:
        """The latest piece was thinking."""
        self._thinking += self._latest

    def note(self, written: int, bound: int) -> None:
        """So many tokens have come in all, of so many that may."""
        self._pieces, self.bound = written, bound

    def end(self, timings: Timings | None, *, loop: int = 0, limit: bool = False) -> None:
        """A completion is over; None when we stopped it ourselves: for having enough, in a loop of so many tokens, or
        at a limit of ours.

        The caller's prompt is the first completion's.
        """
        if self._completions == 0 and timings is not None:
            self._cached = timings.cached_tokens
        self._completions += 1
        self._written += timings.completion_tokens if timings else self._pieces
        self._prompt_seconds += timings.prompt_seconds if timings else self._first - self._asked
        self._writing_seconds += timings.completion_seconds if timings else time.monotonic() - self._first
        self._guessed += timings.guessed_tokens if timings else 0
        self._kept += timings.kept_tokens if timings else 0
        self.loop = loop
        self.limit = limit or loop > 0 or (timings is not None and timings.limit)
        self._pieces = 0

    def settle(self, written: int, *, limit: bool) -> None:
        """All completions are over, and what came of them, with an end of ours, is so many tokens."""
        self._written, self._pieces = written, 0
        self.limit = limit

    @property
    def usage(self) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self._cached,
            completion_tokens=self._written,
            thinking_tokens=self._thinking,
            prompt_seconds=self._prompt_seconds,
            completion_seconds=self._writing_seconds,
            guessed_tokens=self._guessed,
            kept_tokens=self._kept,
        )
