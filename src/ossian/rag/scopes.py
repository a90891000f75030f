"""What encloses a line: headings of prose, classes and functions of code. Pure; counts lines from 1."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tree_sitter import Node, Parser, QueryCursor

from ossian.rag.languages import GRAMMARS, definitions_of, language

LONGEST_LABEL = 120
LONGEST_COMMENT = 240
HASHES = re.compile(r"(#{1,6})[ \t]+(\S.*?)[ \t#]*")
FENCE = re.compile(r"[ \t]*(```|~~~)")
UNDERLINES = {"markdown": "=-", "rst": "=-~^\"'*+#:."}
COMMENT_MARKS = ("#", "//", "--", ";", "%", "*", "/*", '"""', "'''", "<!--")
COMMENT = re.compile(r'(?:#|//|--|;|%|/\*+!?|\*/|\*|"""|\'\'\'|<!--|-->)+[ \t]?')
LEGAL = re.compile(r"copyright|licen[cs]e|spdx|all rights reserved", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scope:
    """Lines under one heading, or of one definition. `label` is how it opens, `name` what it defines, if anything."""

    first_line: int
    last_line: int
    label: str
    name: str = ""


def find_scopes(text: str, kind: str) -> list[Scope]:
    """All scopes of a text by where they begin, the outer before the inner."""
    if kind in GRAMMARS:
        return sorted(find_definitions(text, kind), key=lambda scope: (scope.first_line, -scope.last_line))
    return list(find_sections(text, kind))


def find_definitions(text: str, kind: str) -> Iterator[Scope]:
    data = text.encode("utf-8", "replace")
    tree = Parser(language(kind)).parse(data)
    lines = text.split("\n")
    seen: set[tuple[int, str]] = set()
    for _, matched in QueryCursor(definitions_of(kind)).matches(tree.root_node):
        scope = read_definition(matched["definition"][0], matched["name"][0], lines)
        if scope.name and (scope.first_line, scope.name) not in seen:
            seen.add((scope.first_line, scope.name))
            yield scope


def read_definition(node: Node, name: Node, lines: Sequence[str]) -> Scope:
    first, last = node.start_point.row, node.end_point.row
    label = lines[first].strip().rstrip("{:").rstrip()[:LONGEST_LABEL]
    return Scope(first + 1, last + 1, label, plain_name((name.text or b"").decode("utf-8", "replace")))


def plain_name(name: str) -> str:
    """
    >>> plain_name("Store::read<T>"), plain_name("table.insert"), plain_name("~Pool")
    ('read', 'insert', 'Pool')
    """
    words = re.findall(r"\w+", re.split(r"[<({\[]", name, maxsplit=1)[0])
    return words[-1] if words else ""


def find_sections(text: str, kind: str) -> Iterator[Scope]:
    """A section ends where the next heading stands that is not under its own."""
    headings = list(find_headings(text, kind))
    last = text.count("\n") + 1
    open_: list[tuple[int, int, str]] = []
    ended: dict[int, int] = {}
    for line, level, _ in headings:
        while open_ and open_[-1][1] >= level:
            ended[open_.pop()[0]] = line - 1
        open_.append((line, level, ""))
    for line, _, label in headings:
        yield Scope(line, ended.get(line, last), label)


def find_headings(text: str, kind: str) -> Iterator[tuple[int, int, str]]:
    """Line, level and words of each heading that does not stand in fenced code."""
    marks = UNDERLINES.get(kind, "")
    levels: dict[str, int] = {"=": 1, "-": 2} if kind == "markdown" else {}
    fence = ""
    for number, (line, after) in enumerate(pairwise([*text.split("\n"), ""]), 1):
        if opening := FENCE.match(line):
            fence = "" if fence == opening[1] else fence or opening[1]
        elif fence:
            continue
        elif (match := HASHES.fullmatch(line)) and kind != "rst":
            yield number, len(match[1]), match[2][:LONGEST_LABEL]
        elif is_underlined(line, after, marks):
            yield number, levels.setdefault(after[0], len(levels) + 1), line.strip()[:LONGEST_LABEL]


def is_underlined(line: str, after: str, marks: str) -> bool:
    """Whether the line after is made of one of these marks and as long as the words above it."""
    under = after.rstrip()
    if len(under) < 3 or under[0] not in marks or under.count(under[0]) != len(under):
        return False
    return line[:1].strip() != "" and line[0] not in marks and len(under) >= min(len(line.rstrip()), 8)


def enclosing(scopes: Sequence[Scope], lines: Iterable[int]) -> Iterator[tuple[Scope, ...]]:
    """For each of these rising lines the scopes that began before it and have not ended, the outermost first."""
    stack: list[Scope] = []
    following = iter((*scopes, None))
    scope = next(following)
    for line in lines:
        while scope and scope.first_line < line:
            stack = [*(outer for outer in stack if outer.last_line >= scope.first_line), scope]
            scope = next(following)
        stack = [outer for outer in stack if outer.last_line >= line]
        yield tuple(stack)


def leading_comment(text: str) -> str:
    """What a source file says of itself at its beginning, unless it only speaks of rights.

    >>> leading_comment("#!/bin/sh\\n# Copies all.\\n# Slowly.\\n\\nx=1")
    'Copies all. Slowly.'
    """
    words: list[str] = []
    closing = ""
    for line in text[:4_000].split("\n"):
        bare = line.strip()
        if bare.startswith(("#!", "# -*-", "#include", "#pragma", "#[", "#ifndef", "#define")) or not bare:
            if words:
                break
            continue
        if not closing and not bare.startswith(COMMENT_MARKS):
            break
        closing = still_open(bare, closing)
        words.append(COMMENT.sub("", bare).strip())
    comment = " ".join(filter(None, words))
    return "" if LEGAL.search(comment) else comment[:LONGEST_COMMENT]


def still_open(line: str, closing: str) -> str:
    """What ends the comment that goes on behind this line; "" when none does."""
    if closing:
        return "" if closing in line else closing
    for opening, end in (('"""', '"""'), ("'''", "'''"), ("/*", "*/"), ("<!--", "-->")):
        if line.startswith(opening):
            return "" if end in line[len(opening) :] else end
    return ""
