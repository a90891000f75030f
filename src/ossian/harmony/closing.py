"""How a text that a grammar binds is brought to its end in the shortest way, from wherever it stands. Pure.

A place in a text is a stack: the part that is being written, how much of it is, and what comes behind it. Where a
grammar leaves a choice there are several. Equal stacks are one object, so a long string costs no more than a short one.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from ossian.harmony.gbnf_reading import Choice, Letter, Part, Repeat, Row, Rule, Rules, Word, read_rules

FILLERS = (" ", *"1aA0-.", *map(chr, range(33, 127)))  # what stands for a letter that must be there
MOST_LETTERS = 100_000  # of an end that is worth writing: lists of lists with least lengths are soon beyond any memory


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """A part, how much of it is written (letters, parts or times), what is behind it, and letters to the end of all."""

    part: Part
    done: int
    behind: "Place | None"
    cost: float


Places = tuple[Place | None, ...]
"""Where the next letter may stand; None is the end of all."""


class Closer:
    """A grammar that is ready to follow texts.

    >>> written = Closer('root ::= "[" ([0-9] ",")* "0]"').begin().after("[1,2")
    >>> written.rest, written.after("]").rest
    (',0]', None)
    """

    def __init__(self, grammar: str) -> None:
        self._rules = read_rules(grammar)
        self._known = shortest_of_rules(self._rules)
        self._places: dict[tuple[int, int, int], Place] = {}
        self._heads: dict[int, Places] = {}
        self._costs: dict[int, list[float]] = {}

    def begin(self) -> "Written":
        """Before the first letter."""
        return Written(self, self._find_heads(self._place(self._rules["root"], 0, None)))

    def follow(self, places: Places, letter: str) -> Places:
        """Where a letter leads; nowhere when the grammar forbids it."""
        found = (place for place in places if place is not None and takes(place, letter))
        reached = [self._find_heads(self._place(place.part, place.done + 1, place.behind)) for place in found]
        return tuple({id(place): place for heads in reached for place in heads}.values())

    def write_rest(self, place: Place | None) -> str:
        """The shortest text from a place to the end."""
        texts = []
        while place is not None:
            texts.append(shortest(what_is_left(place), self._known) or "")
            place = place.behind
        return "".join(texts)

    def _place(self, part: Part, done: int, behind: Place | None) -> Place:
        """The one place of this kind."""
        key = (id(part), done, id(behind))
        if key not in self._places:
            self._places[key] = Place(part, done, behind, self._cost_of(part, done) + (behind.cost if behind else 0))
        return self._places[key]

    def _cost_of(self, part: Part, done: int) -> float:
        """Letters that complete a part in the shortest way."""
        match part:
            case Word(text):
                return weigh(text[done:])
            case Repeat(each, least, _):
                return max(0, least - done) * self._cost_of(each, 0) if done < least else 0
            case _:
                costs = self._costs.get(id(part))
                if costs is None:
                    costs = self._costs[id(part)] = list(self._count_costs(part))
                return costs[done]

    def _count_costs(self, part: Part) -> Iterator[float]:
        """The same for each number of what may be done of a part."""
        match part:
            case Row(parts):
                costs = [self._cost_of(each, 0) for each in parts]
                yield from reversed(list(accumulate(reversed(costs), initial=0.0)))
            case Choice(options):
                yield min(self._cost_of(option, 0) for option in options)
            case _:
                text = shortest(part, self._known)
                yield from (math.inf if text is None else len(text), 0)

    def _find_heads(self, place: Place) -> Places:
        """The words and letters that a place begins with."""
        if id(place) not in self._heads:
            found: dict[int, Place | None] = {}
            waiting: list[Place | None] = [place]
            while waiting:
                one = waiting.pop()
                if id(one) not in found:
                    found[id(one)] = one
                    waiting += () if one is None or is_head(one) else self._unfold(one)
            self._heads[id(place)] = tuple(one for one in found.values() if one is None or is_head(one))
        return self._heads[id(place)]

    def _unfold(self, place: Place) -> Iterator[Place | None]:
        """The places that one place may be, a step nearer to its first letter."""
        done, behind = place.done, place.behind
        match place.part:
            case Rule(name):
                yield self._place(self._rules[name], 0, behind)
            case Choice(options):
                yield from (self._place(option, 0, behind) for option in options)
            case Row(parts) if done < len(parts):
                yield self._place(parts[done], 0, self._place(place.part, done + 1, behind))
            case Repeat(part, least, most):
                if done >= least:
                    yield behind
                if most is None or done < most:
                    counted = done + 1 if most is not None or done < least else done
                    yield self._place(part, 0, self._place(place.part, counted, behind))
            case _:
                yield behind


@dataclass(frozen=True, slots=True)
class Written:
    """A text so far: where it stands in its grammar."""

    closer: Closer
    places: Places

    def after(self, text: str) -> "Written":
        """The text with more behind it."""
        places = self.places
        for letter in text:
            places = self.closer.follow(places, letter)
        return Written(self.closer, places)

    @property
    def is_right(self) -> bool:
        """Whether the grammar allows it."""
        return bool(self.places)

    @property
    def cost(self) -> float:
        """Letters of the shortest text that completes it."""
        return min(map(cost_of, self.places), default=math.inf)

    @property
    def rest(self) -> str | None:
        """That text; None where there is none, it would be very long, or the grammar has been left."""
        return self.closer.write_rest(min(self.places, key=cost_of)) if self.cost <= MOST_LETTERS else None


def what_is_left(place: Place) -> Part:
    """The part of a place without what is done of it."""
    match place.part:
        case Word(text):
            return Word(text[place.done :])
        case Row(parts):
            return Row(parts[place.done :])
        case Repeat(part, least, _):
            return Repeat(part, max(0, least - place.done), None)
        case _:
            return place.part


def cost_of(place: Place | None) -> float:
    return place.cost if place else 0


def is_head(place: Place) -> bool:
    """Whether a letter may be taken right there."""
    match place.part:
        case Word(text):
            return place.done < len(text)
        case Letter():
            return place.done == 0
        case _:
            return False


def takes(place: Place, letter: str) -> bool:
    match place.part:
        case Word(text):
            return text[place.done] == letter
        case Letter(pattern):
            return pattern.fullmatch(letter) is not None
        case _:
            return False


def shortest(part: Part, known: Mapping[str, str]) -> str | None:
    """The shortest text of a part, where the rules that it needs are known."""
    match part:
        case Word(text):
            return text
        case Letter(pattern):
            return next(filter(pattern.fullmatch, FILLERS), None)
        case Rule(name):
            return known.get(name)
        case Choice(options):
            texts = (shortest(option, known) for option in options)
            return min((text for text in texts if text is not None), key=weigh, default=None)
        case Row(parts):
            rows = [shortest(each, known) for each in parts]
            return None if None in rows else shorter_than_most("".join(filter(None, rows)), 1)
        case Repeat(each, least, _):
            once = shortest(each, known) if least else ""
            return None if once is None else shorter_than_most(once, least)


def weigh(text: str) -> float:
    """Letters of a text; where nothing is known, "false" shall be said though "true" is shorter."""
    return len(text) + 2 if text == "true" else len(text)


def shorter_than_most(text: str, times: int) -> str | None:
    return text * times if len(text) * times <= MOST_LETTERS else None


def shortest_of_rules(rules: Rules) -> dict[str, str]:
    """The shortest text of each rule that can end."""
    known: dict[str, str] = {}
    learns = True
    while learns:
        learns = False
        for name, part in reversed(rules.items()):  # those that are needed come last
            text = shortest(part, known)
            if text is not None and text != known.get(name):
                known[name], learns = text, True
    return known
