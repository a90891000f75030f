"""What a grammar binds, brought to its end before the tokens run out. Knows nothing of prompts or channels."""

from collections.abc import Awaitable, Callable, Sequence

from ossian.engines.meter import Meter
from ossian.harmony.closing import Closer, Written

MOST_BYTES = 4  # of a letter
Tokenize = Callable[[str], Awaitable[Sequence[int]]]


class Finish:
    """Follows a text while it is written, and lets no piece through behind which no end would fit any more.

    Where not even the shortest end fits, or a piece is none of the grammar, all go through.
    """

    def __init__(self, grammar: str, meter: Meter, tokenize: Tokenize) -> None:
        self._written = Closer(grammar).begin()
        self._meter = meter
        self._tokenize = tokenize
        self._counts: dict[str, int] = {}
        self._left, self._spent = -1, 0  # before the last piece; unknown until one has come
        self._is_full = False

    async def lets_through(self, text: str) -> bool:
        """Take the next piece, which is metered already; False where it must be left out and the end be written."""
        if self._left < 0:
            self._left, self._spent = self._meter.left + 1, self._meter.written - 1
        after = self._written.after(text)
        self._is_full = after.is_right and await self._is_beyond(after, self._meter.left) and await self._fits()
        if not self._is_full:
            self._written, self._left, self._spent = after, self._meter.left, self._meter.written
        return not self._is_full

    async def write_end(self) -> str:
        """The shortest end of what a bound or a loop cut short, paid for; "" where none fits, or it came to its own."""
        if not (self._is_full or self._meter.limit) or not await self._fits():
            return ""
        rest = self._written.rest or ""
        self._meter.settle(self._spent + await self._count(rest), limit=self._written.places != (None,))
        return rest

    async def _fits(self) -> bool:
        return not await self._is_beyond(self._written, self._left)

    async def _is_beyond(self, written: Written, left: int) -> bool:
        """Whether the shortest end of a text has too many tokens; it never has more than bytes."""
        if written.cost * MOST_BYTES <= left:
            return False
        rest = written.rest
        return rest is None or (len(rest.encode()) > left and await self._count(rest) > left)

    async def _count(self, text: str) -> int:
        if text and text not in self._counts:
            self._counts[text] = len(await self._tokenize(text))
        return self._counts.get(text, 0)
