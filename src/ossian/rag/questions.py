"""Questions with known answers, made of what a file says of itself: headings, docstrings, comments before code. Pure.

The words of such a question stand in its answer, so search by words looks better on them than on a person's own.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ossian.rag.read_text import lines_of

LEAST_WORDS = 3
MOST_WORDS = 40
HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$")
FENCE = re.compile(r"^\s*(```|~~~)")
BLOCK = re.compile(r"^[ \t]*/\*\*(.*?)\*/|((?:^[ \t]*///[^\n]*\n)+)", re.MULTILINE | re.DOTALL)
MARKS = re.compile(r"^[ \t]*(?:///?|\*)[ \t]?", re.MULTILINE)
SENTENCE = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)
DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and where its answer stands: anywhere in a file without `line`."""

    question: str
    path: str
    line: int | None = None


def make_questions(path: str, kind: str, text: str) -> list[Asked]:
    """What a file answers by its own account."""
    match kind:
        case "markdown":
            said = headings(text)
        case "python":
            said = docstrings(text)
        case _:
            said = comments(text)
    return [Asked(question, path, line) for question, line in said if len(question.split()) >= LEAST_WORDS]


def headings(text: str) -> Iterator[tuple[str, int]]:
    """Headings with their lines; not what looks like one in code."""
    fenced = False
    for line, words in enumerate(lines_of(text), 1):
        fenced ^= FENCE.match(words) is not None
        if not fenced and (found := HEADING.match(words)):
            yield found[1], line


def docstrings(text: str) -> Iterator[tuple[str, int]]:
    """The first sentences of docstrings, with the lines at which these begin."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about escapes in strings, which concern nobody here
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, DEFINING) and (said := ast.get_docstring(node)):
            yield first_sentence(said), node.body[0].lineno


def comments(text: str) -> Iterator[tuple[str, int]]:
    """The first sentences of /** comments */ and of those behind ///, with the lines at which these begin."""
    for found in BLOCK.finditer(text):
        said = MARKS.sub("", found[1] or found[2])
        yield first_sentence(said), text.count("\n", 0, found.start()) + 1


def first_sentence(text: str) -> str:
    """
    >>> first_sentence("Sort a list,\\n in place. Return nothing.")
    'Sort a list, in place.'
    """
    paragraph = text.strip().split("\n\n")[0]
    found = SENTENCE.match(paragraph)
    return " ".join((found[1] if found else paragraph).split()[:MOST_WORDS])


def pick(asked: Sequence[Asked], count: int) -> list[Asked]:
    """So many of them, evenly from first to last; the same each time."""
    if len(asked) <= count:
        return list(asked)
    return [asked[at * len(asked) // count] for at in range(count)]
