"""Edits in a text of JSON with comments, as VS Code's settings are: all that is not edited stays to the letter.

Pure: texts in, texts out. Comments and trailing commas are let by, as VS Code does.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from ossian.errors import BadRequest

BLANK = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
BEHIND = re.compile(r"(?:[ \t]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
BARE = re.compile(r"[-+.\w]+")
DEEPEST = 200


class NotJson(BadRequest):
    """A text that cannot be understood; `line` counts from 1."""

    def __init__(self, text: str, place: int, wanted: str) -> None:
        self.line = text.count("\n", 0, place) + 1
        super().__init__(f"line {self.line}: {wanted} was expected.")


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands. `parts` are what is in it, each from its key or its first letter on.

    names   the keys of an object's parts
    comma   where the comma behind a part stands; -1 where there is none
    """

    value: Any
    start: int
    end: int
    parts: tuple["Part", ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A member of an object, or an item of an array."""

    name: str
    start: int
    node: Node
    comma: int


def parse(text: str) -> Node:
    """The whole text. Raises NotJson, with the line, for what VS Code would not understand either."""
    start = skip(text, 0)
    node = read_value(text, start, 0)
    end = skip(text, node.end)
    if end < len(text):
        raise NotJson(text, end, "the end of the file")
    return node


def skip(text: str, place: int) -> int:
    """The next place that is neither blank nor comment."""
    found = BLANK.match(text, place)
    return found.end() if found else place


def read_value(text: str, place: int, depth: int) -> Node:
    if depth > DEEPEST:
        raise NotJson(text, place, "less nesting")
    if text[place : place + 1] in ("{", "["):
        return read_parts(text, place, depth)
    found = STRING.match(text, place) or BARE.match(text, place)
    try:
        return Node(json.loads(found[0]) if found else refuse(text, place), place, found.end() if found else place)
    except ValueError:
        raise NotJson(text, place, "a value") from None


def refuse(text: str, place: int) -> Any:
    raise NotJson(text, place, "a value")


def read_parts(text: str, start: int, depth: int) -> Node:
    """An object or an array. Of a key that comes twice the last one counts, as in VS Code."""
    is_object, close = text[start] == "{", "}" if text[start] == "{" else "]"
    parts: list[Part] = []
    place = skip(text, start + 1)
    while text[place : place + 1] != close:
        if parts and parts[-1].comma < 0:
            raise NotJson(text, place, f"a comma or {close}")
        first, name = place, ""
        if is_object:
            name, place = read_key(text, place)
        node = read_value(text, place, depth + 1)
        place = skip(text, node.end)
        comma = place if text[place : place + 1] == "," else -1
        parts.append(Part(name, first, node, comma))
        place = skip(text, place + 1) if comma >= 0 else place
    values = [part.node.value for part in parts]
    value = dict(zip((part.name for part in parts), values, strict=True)) if is_object else values
    return Node(value, start, place + 1, tuple(parts))


def read_key(text: str, place: int) -> tuple[str, int]:
    """A key, and where its value begins."""
    found = STRING.match(text, place)
    if not found:
        raise NotJson(text, place, "a name in quotes")
    colon = skip(text, found.end())
    if text[colon : colon + 1] != ":":
        raise NotJson(text, colon, "a colon")
    try:
        return json.loads(found[0]), skip(text, colon + 1)
    except ValueError:
        raise NotJson(text, place, "a name in quotes") from None


def find_part(node: Node, name: str) -> Part | None:
    return next((part for part in reversed(node.parts) if part.name == name), None)


def put(text: str, name: str, value: Any) -> str:
    """The text of an object in which a member has this value."""
    node = parse(text)
    part = find_part(node, name)
    if part is None:
        return add(text, node, f"{json.dumps(name)}: {write(value, text)}")
    return text[: part.node.start] + write(value, text) + text[part.node.end :]


def append(text: str, value: Any) -> str:
    """The text of an array with one more item at its end."""
    return add(text, parse(text), write(value, text))


def replace(text: str, index: int, value: Any) -> str:
    """The text of an array with another item in a place."""
    node = parse(text).parts[index].node
    return text[: node.start] + write(value, text) + text[node.end :]


def add(text: str, node: Node, written: str) -> str:
    """The text with one more part, on a line of its own behind the last; a comma that trails stays the way."""
    line = f"{line_end_of(text)}{indent_of(text)}{written}"
    if not node.parts:
        inside = text[node.start + 1 : node.end - 1].rstrip()
        return f"{text[: node.start + 1]}{inside}{line}{line_end_of(text)}{text[node.end - 1 :]}"
    last = node.parts[-1]
    trails = last.comma >= 0
    end = last.comma + 1 if trails else last.node.end
    here = end_of_line(text, end)  # a comment behind the last part stays with it
    close = "" if text[here : here + 1] in ("\r", "\n") else line_end_of(text)
    return text[:end] + ("" if trails else ",") + text[end:here] + line + ("," if trails else "") + close + text[here:]


def end_of_line(text: str, place: int) -> int:
    """Where the line ends, or something stands that is no comment."""
    found = BEHIND.match(text, place)
    return found.end() if found else place


def take(text: str, node: Node, index: int) -> str:
    """The text without a part and its comma; its line goes where nothing else stands on it."""
    part = node.parts[index]
    start, end = part.start, part.comma + 1 if part.comma >= 0 else part.node.end
    begun, ended = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    if begun and ended >= 0 and not (text[begun:start] + text[end:ended]).strip():
        start, end = begun, ended + 1
    if index == 0 or part.comma >= 0:
        return text[:start] + text[end:]
    comma = node.parts[index - 1].comma
    return text[:comma] + text[comma + 1 : start] + text[end:]


def write(value: Any, text: str) -> str:
    """A value as it stands one step in, indented as the text is."""
    indent = indent_of(text)
    lines = json.dumps(value, indent=indent, ensure_ascii=False).split("\n")
    return f"{line_end_of(text)}{indent}".join(lines)


def indent_of(text: str) -> str:
    """How far the first line that is indented is."""
    found = re.search(r'^([ \t]+)["{\[]', text, re.MULTILINE)
    return found[1] if found else "    "


def line_end_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
