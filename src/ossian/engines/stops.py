"""Cut an answer at a stop string, even when the string arrives in pieces. Knows only text."""

from collections.abc import Sequence


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
