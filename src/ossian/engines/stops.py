"""Where an answer ends before the model ends it: at a stop string, or in a loop. Knows only texts and token ids."""

from collections import deque
from collections.abc import Hashable, Sequence

MOST_REPEATS = 128  # Ollama ends an answer after 30, which a row of zeros in base64 or of dashes reaches
LONGEST_PERIOD = 64  # tokens of what is said again: two sentences, or the row of a table
LOOP_TOKENS = 1_024  # tokens that say nothing new; "write this line a hundred times" takes some 700, and is no loop


class StopCutter:
    """Feed it pieces of the answer; it lets out what cannot be the beginning of a stop string.

    >>> cutter = StopCutter(["END"])
    >>> cutter.feed("one E"), cutter.feed("ND two"), cutter.stopped
    ('one ', '', True)
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.met = ""  # the stop string that ended the text

    @property
    def stopped(self) -> bool:
        return bool(self.met)

    def feed(self, text: str) -> str:
        """The text that may be shown now. After a stop string was met, `stopped` is true and nothing more comes."""
        if self.stopped:
            return ""
        self._held += text
        found = [(at + len(stop), at, stop) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            _, start, self.met = min(found)  # the one that is complete first, as if letters came one by one
            return self._let_out(start)
        return self._let_out(len(self._held) - self._possible_beginning())

    def finish(self) -> str:
        """What was held back, when no more text comes."""
        return "" if self.stopped else self._let_out(len(self._held))

    def _possible_beginning(self) -> int:
        """Characters at the end of the held text that could grow into a stop string."""
        longest = max(map(len, self._stops), default=1) - 1
        for size in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-size:]) for stop in self._stops):
                return size
        return 0

    def _let_out(self, count: int) -> str:
        shown, self._held = self._held[:count], self._held[count:]
        return shown


class LoopGuard:
    """Notices a model that says the same again and again, as small or damaged ones do, and never comes to an end.

    A token is told by its id or by its text. What counts, or changes anything else as it goes on, is no loop.

    >>> guard = LoopGuard(most=3, span=8)
    >>> [guard.is_loop(token) for token in (7, 7, 7, 7)], guard.repeated
    ([False, False, False, True], 3)
    """

    def __init__(self, most: int = MOST_REPEATS, span: int = LOOP_TOKENS) -> None:
        self._most, self._span = most, span
        self._lately: deque[Hashable] = deque((object() for _ in range(LONGEST_PERIOD)), LONGEST_PERIOD)
        self._repeats = [0] * LONGEST_PERIOD
        """For each period: how many tokens in a row were what had been said so long before."""
        self.repeated = 0
        """How many tokens at the end of a loop only said again what stands before them; 0 where there is none."""

    def is_loop(self, token: Hashable) -> bool:
        """Take the next token; true when the same has come more often than anybody means it to."""
        pairs = zip(self._repeats, self._lately, strict=True)
        self._repeats = [times + 1 if before == token else 0 for times, before in pairs]
        self._lately.appendleft(token)
        if self._repeats[0] >= self._most:
            self.repeated = self._repeats[0]
        else:
            looping = (times for period, times in enumerate(self._repeats, 1) if times >= self._span - period)
            self.repeated = next(looping, 0)
        return self.repeated > 0
