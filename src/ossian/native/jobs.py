"""What is asked of the engine, one answer at a time, and what it tells while it writes it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ossian.native.cache import Lease
from ossian.native.constrain import Constraint
from ossian.native.lookup import Lookup
from ossian.native.sampler import Likely, Rules, Sampler


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
    """The end: counts in tokens, times in seconds. `limit`: the bound on tokens ended it.

    `guessed` tokens were looked up and read, of which `kept` were right.
    """

    prompt: int
    cached: int
    written: int
    prompt_seconds: float
    written_seconds: float
    limit: bool
    guessed: int = 0
    kept: int = 0


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
    known: int = field(default=0, init=False)  # tokens of the prompt that the cache had
    text: list[int] = field(default_factory=list, init=False)  # all its tokens, where it gave its place back
    refused: bool = field(default=False, init=False)  # there was no room for it, and no answer has ended since
    passed: int = field(default=0, init=False)  # how many later ones were let in before it
    told: int = field(default=0, init=False)  # tokens of the prompt that are said to be read
    sampler: Sampler = field(init=False)
    lookup: Lookup | None = field(default=None, init=False)
    guessed: int = field(default=0, init=False)
    kept: int = field(default=0, init=False)
    began: float = field(default_factory=time.monotonic, init=False)
    first: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.sampler = Sampler(self.rules)

    def look_up(self, token: int) -> None:
        """Guess from now on what follows, behind a token that was written."""
        if self.lookup is None:
            self.lookup = Lookup([*self.prompt, token])
        else:
            self.lookup.add(token)
