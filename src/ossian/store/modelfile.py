"""Read and write Ollama's Modelfile, the text that says how one model is made from another. Pure: text in, values out.

A text in quotes ends where a line ends with the same quotes, as Ollama has it; nothing inside is escaped.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ossian.errors import BadRequest

TRIPLE = '"""'
ROLES = ("system", "user", "assistant")
WORDS = ("FROM", "PARAMETER", "TEMPLATE", "SYSTEM", "LICENSE", "MESSAGE")
REFUSED = {
    "ADAPTER": "merge it into the model first",
    "DRAFT": "our own engine guesses from the text itself",
    "RENDERER": "gpt-oss is always asked in its own language, harmony",
    "PARSER": "gpt-oss is always asked in its own language, harmony",
    "REQUIRES": "a version of Ollama cannot be required of Ossian",
}


@dataclass(frozen=True, slots=True)
class Modelfile:
    """What a Modelfile says. Parameters are names and values, a name more than once for a list (`stop`)."""

    base: str = ""
    parameters: tuple[tuple[str, Any], ...] = ()
    template: str = ""
    system: str = ""
    licenses: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()


def read_modelfile(text: str) -> Modelfile:
    """Read a Modelfile. Raises BadRequest, naming the line, for what cannot be understood or is not served.

    >>> read_modelfile('FROM demo\\nPARAMETER stop "a b"\\nSYSTEM Be kind.')
    Modelfile(base='demo', parameters=(('stop', 'a b'),), template='', system='Be kind.', licenses=(), messages=())
    """
    read = Modelfile()
    for number, word, rest in read_statements(text):
        read = add_statement(read, number, word, rest)
    if not read.base:
        raise BadRequest("the Modelfile has no FROM line.", "Begin it with the model it is made from: FROM gpt-oss:20b")
    return read


def add_statement(read: Modelfile, number: int, word: str, rest: str) -> Modelfile:
    if not rest:
        raise BadRequest(f"line {number} of the Modelfile: {word} lacks its value.")
    match word:
        case "FROM" if read.base:
            raise BadRequest(f"line {number} of the Modelfile: a second FROM is not supported.")
        case "FROM":
            return replace(read, base=unquote(rest))
        case "SYSTEM":
            return replace(read, system=unquote(rest))
        case "TEMPLATE":
            return replace(read, template=unquote(rest))
        case "LICENSE":
            return replace(read, licenses=(*read.licenses, unquote(rest)))
        case "PARAMETER":
            return replace(read, parameters=(*read.parameters, read_pair(number, word, rest)))
    role, content = read_pair(number, word, rest)
    if role.lower() not in ROLES:
        raise BadRequest(
            f'line {number} of the Modelfile: message role must be one of {", ".join(ROLES)}, not "{role}".'
        )
    return replace(read, messages=(*read.messages, (role.lower(), content)))


def read_pair(number: int, word: str, rest: str) -> tuple[str, str]:
    """What stands behind PARAMETER and MESSAGE: a name and a text."""
    name, *text = rest.split(maxsplit=1)
    if not text:
        raise BadRequest(f"line {number} of the Modelfile: {word} {name} lacks its value.")
    return name, unquote(text[0])


def read_statements(text: str) -> Iterator[tuple[int, str, str]]:
    """Each statement: the number of its first line, its word, and all that follows it, still in its quotes."""
    lines = iter(enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, *rest = line.split(maxsplit=1)
        yield number, known_word(number, word), whole_text(number, rest[0] if rest else "", has_name(word), lines)


def has_name(word: str) -> bool:
    """Whether the text of a statement stands behind a name: PARAMETER stop "…"."""
    return word.upper() in ("PARAMETER", "MESSAGE")


def known_word(number: int, word: str) -> str:
    upper = word.upper()
    if upper in REFUSED:
        raise BadRequest(f"line {number} of the Modelfile: {upper} is not supported: {REFUSED[upper]}.")
    if upper not in WORDS:
        raise BadRequest(f'line {number} of the Modelfile: "{word}" is not one of {", ".join(WORDS)}.')
    return upper


def whole_text(number: int, first: str, named: bool, lines: Iterator[tuple[int, str]]) -> str:
    """A statement up to its end: the line, or as far as the quotes go that it opens."""
    *name, begun = first.split(maxsplit=1) if named else [first]
    text, quotes = begun, opening(begun)
    while quotes and not is_closed(text.strip(), quotes):
        following = next(lines, None)
        if following is None:
            raise BadRequest(f"line {number} of the Modelfile: the {quotes} opened here are not closed.")
        text += "\n" + following[1]
    return " ".join([*name, text]).strip()


def opening(text: str) -> str:
    return next((quotes for quotes in (TRIPLE, '"') if text.startswith(quotes)), "")


def is_closed(text: str, quotes: str) -> bool:
    return len(text) >= 2 * len(quotes) and text.endswith(quotes)


def unquote(text: str) -> str:
    quotes = opening(text)
    return text[len(quotes) : -len(quotes)] if quotes else text


def write_modelfile(modelfile: Modelfile) -> str:
    """The text that `read_modelfile` reads back.

    >>> print(write_modelfile(Modelfile("demo", (("seed", 7), ("stop", "a")), messages=(("user", "Hi"),))), end="")
    FROM demo
    PARAMETER seed 7
    PARAMETER stop "a"
    MESSAGE user "Hi"
    """
    lines = [f"FROM {modelfile.base}"]
    lines += [f"PARAMETER {name} {write_value(value)}" for name, value in modelfile.parameters]
    for word, texts in (
        ("TEMPLATE", (modelfile.template,)),
        ("SYSTEM", (modelfile.system,)),
        ("LICENSE", modelfile.licenses),
    ):
        lines += [f"{word} {in_triple_quotes(text)}" for text in texts if text]
    lines += [f"MESSAGE {role} {write_value(content)}" for role, content in modelfile.messages]
    return "\n".join(lines) + "\n"


def write_value(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    # A first quote beside ours would read as three of them.
    return in_triple_quotes(value) if "\n" in value or value.startswith('"') else f'"{value}"'


def in_triple_quotes(text: str) -> str:
    """The text in triple quotes. Nothing escapes three quotes at the end of a line in it: a dot is put behind them."""
    *lines, last = text.split("\n")
    mended = [line + "." if line.rstrip().endswith(TRIPLE) else line for line in lines]
    return TRIPLE + "\n".join([*mended, last]) + TRIPLE
