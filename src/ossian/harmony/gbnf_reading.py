"""A grammar in llama.cpp's notation (GBNF), read into its parts. Pure. Knows no tags: those stand for tokens.

>>> read_rules('root ::= "a" | other?')["root"]
Choice(options=(Word(text='a'), Repeat(part=Rule(name='other'), least=0, most=1)))
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MARK = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|\{\d+,?\d*\}|[\w-]+|[()|*+?]')
ESCAPED = re.compile(r"\\(.)")
BREAKS = {"n": "\n", "r": "\r", "t": "\t"}
TIMES = {"*": (0, None), "+": (1, None), "?": (0, 1)}


@dataclass(frozen=True, eq=False, slots=True)
class Word:
    """A text that must stand there as it is."""

    text: str


@dataclass(frozen=True, eq=False, slots=True)
class Letter:
    """One letter of a class, which a regular expression writes in the same way."""

    pattern: re.Pattern[str]


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """What another rule says."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Row:
    """Parts one behind another."""

    parts: tuple["Part", ...]


@dataclass(frozen=True, eq=False, slots=True)
class Choice:
    """One of several."""

    options: tuple["Part", ...]


@dataclass(frozen=True, eq=False, slots=True)
class Repeat:
    """A part so many times; `most` None: without end."""

    part: "Part"
    least: int
    most: int | None


Part = Word | Letter | Rule | Row | Choice | Repeat
Rules = dict[str, Part]


def read_rules(grammar: str) -> Rules:
    """All rules by their names."""
    lines = (line.partition(" ::= ") for line in grammar.split("\n") if line)
    return {name: Reader(body).read() for name, _, body in lines}


class Reader:
    """Reads the body of one rule, from left to right."""

    def __init__(self, body: str) -> None:
        self._marks = MARK.findall(body)
        self._at = 0

    def read(self) -> Part:
        """A choice of rows, up to the end or to a closing bracket."""
        options = [self._read_row()]
        while self._sees("|"):
            self._at += 1
            options.append(self._read_row())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sees(self, *marks: str) -> bool:
        return self._at < len(self._marks) and self._marks[self._at] in marks

    def _read_row(self) -> Part:
        parts = tuple(self._read_parts())
        return parts[0] if len(parts) == 1 else Row(parts)

    def _read_parts(self) -> Iterator[Part]:
        while self._at < len(self._marks) and not self._sees("|", ")"):
            part = self._read_one()
            while self._at < len(self._marks) and self._marks[self._at][0] in "*+?{":
                part = Repeat(part, *read_times(self._marks[self._at]))
                self._at += 1
            yield part

    def _read_one(self) -> Part:
        mark = self._marks[self._at]
        self._at += 1
        match mark[0]:
            case "(":
                part = self.read()
                self._at += 1
                return part
            case '"':
                return Word(ESCAPED.sub(lambda found: BREAKS.get(found[1], found[1]), mark[1:-1]))
            case "[":
                return Letter(re.compile(mark))
            case _:
                return Rule(mark)


def read_times(mark: str) -> tuple[int, int | None]:
    """How often a part may stand: `*`, `+`, `?`, `{2}`, `{2,}` or `{2,3}`."""
    if mark in TIMES:
        return TIMES[mark]
    least, comma, most = mark[1:-1].partition(",")
    return int(least), int(most) if most else None if comma else int(least)


def find_ending(rules: Rules) -> set[str]:
    """The rules that some text satisfies. A name that is none of them is somebody else's, which does.

    >>> sorted(find_ending(read_rules('a ::= "(" b ")"\\nb ::= a | "x"\\nc ::= "(" c ")"')))
    ['a', 'b']
    """
    ending: set[str] = set()
    while found := {name for name, part in rules.items() if name not in ending and can_end(part, rules, ending)}:
        ending |= found
    return ending


def can_end(part: Part, rules: Rules, ending: set[str]) -> bool:
    match part:
        case Rule(name):
            return name in ending or name not in rules
        case Row(parts):
            return all(can_end(each, rules, ending) for each in parts)
        case Choice(options):
            return any(can_end(option, rules, ending) for option in options)
        case Repeat(each, least, _):
            return least == 0 or can_end(each, rules, ending)
        case _:
            return True
