r"""A regular expression as a grammar of the JSON string that matches it. Pure.

>>> print(string_matching(r"^[a-c]{2}\d$"))
"\"" [a-c]{2,2} [0-9] "\""
"""

import re
import re._constants as kinds  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Sequence
from typing import Any

from ossian.harmony.gbnf import either, quote, repeat, sequence

LETTER = "letter"
CLASSES = {
    kinds.CATEGORY_DIGIT: "0-9",
    kinds.CATEGORY_WORD: "a-zA-Z0-9_",
    kinds.CATEGORY_SPACE: " ",
    kinds.CATEGORY_NOT_DIGIT: "^0-9",
    kinds.CATEGORY_NOT_WORD: "^a-zA-Z0-9_",
    kinds.CATEGORY_NOT_SPACE: "^ ",
}
FORMATS = {
    "date": r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$",
    "time": r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
    "uuid": r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "ipv4": r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$",
    "ipv6": r"^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}$",
    "hostname": r"^[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,2}(\.[a-z0-9]{1,20}){0,2}\.[a-z]{2,8}$",
    "duration": r"^P(([1-9]\d?D)?T(\d{1,2}H(\d{1,2}M(\d{1,2}S)?)?|\d{1,2}M(\d{1,2}S)?|\d{1,2}S)|[1-9]\d?D)$",
    "email": r"^[a-z0-9._+]{1,40}@[a-z0-9]{1,30}(\.[a-z0-9]{1,20}){0,2}\.[a-z]{2,8}$",
}
FORMATS["date-time"] = FORMATS["date"][:-1] + "T" + FORMATS["time"][1:]
"""Of the formats of JSON schemas those that can be said; others, such as `uri`, are remarks for the model."""
BEGINNINGS = (kinds.AT_BEGINNING, kinds.AT_BEGINNING_STRING)
ENDS = (kinds.AT_END, kinds.AT_END_STRING)
NEVER_PLAIN = r'"\\\x7F\x00-\x1F'  # what JSON writes with a backslash; a class never matches it here


def string_matching(pattern: str) -> str:
    """A JSON string in which the pattern is found. Raises ValueError for what a grammar cannot say."""
    try:
        parts = list(parser.parse(pattern))
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from error
    begins = bool(parts) and parts[0] in [(kinds.AT, at) for at in BEGINNINGS]
    ends = bool(parts) and parts[-1] in [(kinds.AT, at) for at in ENDS]
    middle = parts[1 if begins else 0 : len(parts) - 1 if ends else len(parts)]
    around = ("" if begins else f"{LETTER}*", "" if ends else f"{LETTER}*")
    return sequence(r'"\""', around[0], write_sequence(middle), around[1], r'"\""')


def write_sequence(parts: Sequence[Any]) -> str:
    return sequence(*(write_part(kind, value) for kind, value in parts))


def write_part(kind: Any, value: Any) -> str:
    match kind:
        case kinds.LITERAL:
            return quote(spell(chr(value)))
        case kinds.NOT_LITERAL:
            return f"[^{escape(chr(value))}{NEVER_PLAIN}]"
        case kinds.ANY:
            return LETTER
        case kinds.IN:
            return write_class(value)
        case kinds.BRANCH:
            return either(*(write_sequence(list(choice)) for choice in value[1]))
        case kinds.SUBPATTERN:
            return f"({write_sequence(list(value[3]))})"
        case kinds.MAX_REPEAT | kinds.MIN_REPEAT:
            least, most, inner = value
            return repeat(write_sequence(list(inner)), least, None if most == kinds.MAXREPEAT else int(most))
        case _:
            raise ValueError(f"{str(kind).lower()} cannot be said in a grammar")


def write_class(members: Sequence[Any]) -> str:
    """A class of letters, those that JSON must escape left out."""
    denied = bool(members) and members[0][0] is kinds.NEGATE
    shown = members[1:] if denied else members
    if denied:  # those that JSON escapes are denied in any case
        shown = [member for member in shown if member[0] is not kinds.LITERAL or is_plain(chr(member[1]))]
    text = "".join(write_member(kind, value) for kind, value in shown)
    if not any(kind is kinds.CATEGORY and CLASSES[value].startswith("^") for kind, value in shown):
        return f"[^{text}{NEVER_PLAIN}]" if denied else f"[{text}]"
    if denied or len(shown) > 1:
        raise ValueError("a class with a denied class in it cannot be said in a grammar")
    return f"[{text}{NEVER_PLAIN}]"


def write_member(kind: Any, value: Any) -> str:
    match kind:
        case kinds.LITERAL:
            return escape(plain(chr(value)))
        case kinds.RANGE:
            first, last = (plain(chr(bound)) for bound in value)
            return f"{escape(first)}-{escape(last)}"
        case kinds.CATEGORY:
            return CLASSES[value]
        case _:
            raise ValueError(f"{str(kind).lower()} cannot be said in a grammar")


def is_plain(letter: str) -> bool:
    return letter not in '"\\\x7f' and letter >= " "


def plain(letter: str) -> str:
    if not is_plain(letter):
        raise ValueError(f"{letter!r} in a class cannot be said in a grammar")
    return letter


def escape(letter: str) -> str:
    return f"\\x{ord(letter):02X}" if letter in "[]\\-^" else letter


def spell(letter: str) -> str:
    """A letter as JSON writes it inside a string."""
    return {'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(letter, letter)
