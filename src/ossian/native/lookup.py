"""Looking up instead of writing: what followed the same few tokens before is guessed to follow them again.

A guess is read in the step that is made anyway, and kept as far as it is what would have been drawn; so it never
changes a token, it only saves steps. It is not free: more rows in a step touch more experts, and a step takes as long
as its experts take to be read. So both sides are measured, and a guess is made only where it should pay:

- how often a guess was right behind so many equal tokens (`Lookup`). What is written tells, whether the guess was
  read or not: where guessing does not pay it is given up at no cost, and taken up again when it would.
- how long a step takes with so many rows (`Pace`).
"""

from collections.abc import Iterator, Sequence
from itertools import islice

SIZES = (3, 2)  # equal tokens that make a guess, the most first
MOST_GUESSED = 32
FIRST_CHANCES = (0.3, 0.4, 0.6, 0.8, 0.9)  # of a guess behind 2, 3, 4, 8, 16 equal tokens or more
LATEST_SHARE = 1 / 8  # of the latest guess in the average
LEAST_CHANCE = 0.05  # a guess less likely than this is not thought about
GAIN_NEEDED = 1.05  # what looks smaller may be noise
SHORTEST_STEP = 1e-6  # seconds; a coarse clock shows none at all
FRESH_STEPS = 400  # a measure that is older is forgotten, so that what was slow once is tried again


class Lookup:
    """The tokens of one conversation, and where its last ones stood before. Adding one costs the same however long."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)
        self._chances = list(FIRST_CHANCES)
        self._behind = {size: index_all(self._tokens, size) for size in SIZES}
        self._place, self._equal = self._find()

    def add(self, token: int) -> None:
        """Go on by a token that was written, and learn whether it would have been guessed."""
        right = bool(self._equal) and self._tokens[self._place] == token
        if self._equal:
            group = group_of(self._equal)
            self._chances[group] += (right - self._chances[group]) * LATEST_SHARE
        self._tokens.append(token)
        self._place, self._equal = (self._place + 1, self._equal + 1) if right else self._find()
        for size in SIZES:
            self._behind[size][tuple(self._tokens[-size:])] = len(self._tokens)

    def guess(self, count: int) -> list[int]:
        """The next tokens, if all goes on as it did before. What repeats itself is guessed to go on doing so."""
        if not self._equal:
            return []
        period = len(self._tokens) - self._place
        return [self._tokens[self._place + step % period] for step in range(count)]

    def chances(self, count: int) -> Iterator[float]:
        """How likely each token of a guess is right, if all before it are."""
        if self._equal:
            for step in range(count):
                yield self._chances[group_of(self._equal + step)]

    def _find(self) -> tuple[int, int]:
        """What stands behind the last tokens' latest twin, and how many are equal; 0 of them: no twin."""
        for size in SIZES:
            place = self._behind[size].get(tuple(self._tokens[-size:]))
            if place is not None:
                return place, size
        return 0, 0


def index_all(tokens: Sequence[int], size: int) -> dict[tuple[int, ...], int]:
    """Where the latest of each few tokens ends, but for the very last few.

    >>> index_all([5, 6, 5, 6, 7], 2)
    {(5, 6): 4, (6, 5): 3}
    """
    few = zip(*(islice(tokens, first, None) for first in range(size)), strict=False)
    return dict(zip(few, range(size, len(tokens)), strict=False))


def group_of(equal: int) -> int:
    """Lengths that share a chance.

    >>> [group_of(equal) for equal in (2, 3, 4, 7, 8, 16, 500)]
    [0, 1, 2, 2, 3, 4, 4]
    """
    return equal - 2 if equal < 4 else min(equal.bit_length() - 1, len(FIRST_CHANCES) - 1)


class Pace:
    """How long a step takes with so many rows, in seconds, as measured lately."""

    def __init__(self) -> None:
        self._steps = 0
        self._measured: dict[int, tuple[float, int]] = {}

    def note(self, rows: int, seconds: float) -> None:
        """A step was made. A shorter time counts more: other work on the machine makes steps longer, none shorter."""
        self._steps += 1
        seconds = max(seconds, SHORTEST_STEP)
        oldest, size = self._steps - FRESH_STEPS, coarse(rows)
        self._measured = {each: measure for each, measure in self._measured.items() if measure[1] > oldest}
        if size in self._measured:
            before = self._measured[size][0]
            seconds = before + (seconds - before) * (0.5 if seconds < before else 0.1)
        self._measured[size] = seconds, self._steps

    def seconds(self, rows: int) -> float:
        """The time to expect. What was not measured is taken from the next smaller step, hopefully: it will be.

        Where 4 of 32 experts are chosen at random, what has to be read grows much as the root of the rows.
        """
        size, known = coarse(rows), self._measured
        near = size if size in known else max((each for each in known if each < size), default=min(known, default=0))
        return (known[near][0] if near else 1.0) * float((size / max(near, 1)) ** 0.5)


def coarse(rows: int) -> int:
    """Rows to three binary digits behind the first.

    >>> [coarse(rows) for rows in (1, 15, 17, 65, 79)]
    [1, 15, 16, 64, 72]
    """
    unit = 1 << max(0, rows.bit_length() - 4)
    return rows // unit * unit


def share_out(lookups: Sequence[tuple[Lookup | None, int]], rows: int, pace: Pace) -> list[list[int]]:
    """What to guess for each answer, at most so many tokens, in a step that has `rows` rows without any guess.

    The answer that makes the whole step write the most tokens per second wins each time; none where no one does.
    """
    tokens = float(len(lookups))  # that the step is expected to write
    speed = tokens / pace.seconds(rows) * GAIN_NEEDED
    guesses: list[list[int]] = []
    for lookup, most in lookups:
        if lookup is None:
            guesses.append([])
            continue
        best, gain, likely = (0, 0.0), 0.0, 1.0
        for count, chance in enumerate(lookup.chances(most), 1):
            likely *= chance
            if likely < LEAST_CHANCE:
                break
            gain += likely
            faster = (tokens + gain) / pace.seconds(rows + count)
            if faster > speed:
                best, speed = (count, gain), faster
        rows, tokens = rows + best[0], tokens + best[1]
        guesses.append(lookup.guess(best[0]))
    return guesses
