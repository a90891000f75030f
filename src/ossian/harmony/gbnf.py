r"""The pieces of a grammar in llama.cpp's notation (GBNF), each a text. Knows nothing of schemas or of harmony.

>>> sequence(quote("a"), repeat("[0-9]", 1, 3)), either("x", "y")
('"a" [0-9]{1,3}', '(x | y)')
"""

import re
from collections.abc import Iterable, Iterator, Sequence

NOTHING = '""'
SPACE = "space"
"""The blank that JSON allows between its parts, kept short so that no model fills an answer with it."""

MOST_REPEATS = 2_000  # llama.cpp refuses more (llama-grammar.cpp)
COMMON_RULES = {
    SPACE: r'| " " | "\n" [ \t]{0,20}',
    "letter": r'[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" code)',
    "code": "[0-9a-cA-CeEfF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}",  # no half of a surrogate pair
    "string": r'"\"" letter* "\""',
    "whole": r'"-"? ("0" | [1-9] [0-9]{0,15})',
    "fraction": r'"." [0-9]{1,16}',
    "number": r'whole fraction? ([eE] [-+]? [0-9]{1,2})?',
    "boolean": r'"true" | "false"',
    "null": r'"null"',
    "value": r"object | array | string | number | boolean | null",
    "object": r'"{" space (string ":" space value ("," space string ":" space value)*)? space "}"',
    "array": r'"[" space (value ("," space value)*)? space "]"',
}  # fmt: skip
"""What any JSON is made of. A rule starts where its value starts and ends where it ends."""


def quote(text: str) -> str:
    r"""A text that must stand there as it is.

    >>> print(quote('say "hi"\n'))
    "say \"hi\"\n"
    """
    marks = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(marks.get(letter, letter) for letter in text) + '"'


def sequence(*parts: str) -> str:
    return " ".join(part for part in parts if part and part != NOTHING) or NOTHING


def either(*choices: str) -> str:
    """One of several; each only once."""
    different = list(dict.fromkeys(choices))
    return different[0] if len(different) == 1 else f"({' | '.join(different)})"


def optional(part: str) -> str:
    return f"({part})?"


def repeat(part: str, least: int, most: int | None) -> str:
    """A part so many times. `most` None: without end; a higher bound than the engine takes is lowered to that.

    Raises ValueError when more are needed than the engine takes.
    """
    if least > MOST_REPEATS:
        raise ValueError(f"more than {MOST_REPEATS} times cannot be said in a grammar")
    most = None if most is None else min(most, MOST_REPEATS)
    if most is not None and most <= 0:
        return NOTHING
    whole = part if re.fullmatch(r"[\w-]+|\[(?:[^\]\\]|\\.)*\]", part) else f"({part})"
    match least, most:
        case 0, None:
            return f"{whole}*"
        case 1, None:
            return f"{whole}+"
        case _, None:
            return f"{whole}{{{least},}}"
        case 1, 1:
            return part
        case _:
            return f"{whole}{{{least},{most}}}"


def separated(part: str, least: int, most: int | None) -> str:
    """A part so many times, with commas between."""
    if most == 0:
        return NOTHING
    rest = repeat(sequence('","', SPACE, part), max(0, least - 1), None if most is None else most - 1)
    full = sequence(part, rest)
    return full if least > 0 else optional(full)


def write_members(members: Sequence[tuple[str, bool]]) -> str:
    """The members of an object in their order, the optional ones there or not, commas only between."""
    if not members:
        return ""
    (member, needed), *rest = members
    after = "".join(f" {each}" if must else f" {optional(each)}" for each, must in with_comma(rest))
    if needed or not rest:
        return (member if needed else optional(member)) + after
    return (
        either(member + after, write_members(rest))
        if any(must for _, must in rest)
        else f"({member}{after} | {write_members(rest)})?"
    )


def with_comma(members: Sequence[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    for member, needed in members:
        yield sequence('","', SPACE, member), needed


def write_grammar(root: str, rules: Iterable[tuple[str, str]]) -> str:
    """The whole grammar: the root, the rules it was built with, and what any JSON is made of."""
    named = {"root": root, **dict(rules), **COMMON_RULES}
    return "\n".join(f"{name} ::= {body}" for name, body in named.items()) + "\n"
