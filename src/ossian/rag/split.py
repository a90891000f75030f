"""Split a document into chunks along headings, paragraphs, classes and functions, with lines, pages and context."""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from semantic_text_splitter import CodeSplitter, MarkdownSplitter, TextSplitter

from ossian.rag.languages import GRAMMARS
from ossian.rag.pieces import Chunk, Document
from ossian.rag.scopes import Scope, enclosing, find_scopes, leading_comment

MOST_CHARACTERS = 1_000  # of a chunk: some 250 tokens of prose, which is what small embedders read
FEW_CHARACTERS = 200  # of code, which says little alone and joins what follows it
MOST_CODE_CHARACTERS = 1_000_000  # beyond it a file is data, and split as text
PARTS_OF_CONTEXT = 3  # of the path
MARKDOWN = frozenset({"markdown", "rst", "word", "powerpoint", "excel", "html", "epub", "notebook", "mail"})

# Base64, hashes and the like: embedders make nothing of them, and nobody asks for them.
LONG_RUN = re.compile(r"[A-Za-z0-9+/=_-]{101,}")
LONGEST_WORD = 100
DEEPEST_INDENTATION = 200
BLOCK_CHARACTERS = 64_000
BREAKS = ("\n# ", "\n\n", "\n", " ")
LONGEST_PART = 32  # of a long run that is an address or a name made of words
PARTS = re.compile(r"[+/=_-]+")

Span = tuple[int, int]


def split(document: Document) -> list[Chunk]:
    """The chunks of a document in its order. None crosses a page."""
    place = "/".join(document.path.relative_to(document.path.anchor).parts[-PARTS_OF_CONTEXT:])
    if not document.pages:
        return list(split_stretch(document.text, document.kind, place))
    chunks: list[Chunk] = []
    line = 1
    for number, (start, end) in enumerate(zip(document.pages, (*document.pages[1:], None), strict=True), 1):
        page = document.text[start:end]
        chunks += split_stretch(page, document.kind, place, line, number)
        line += page.count("\n")
    return chunks


def split_stretch(text: str, kind: str, place: str, line: int = 1, page: int | None = None) -> Iterator[Chunk]:
    """The chunks of a whole document or of one page, whose first line is the `line`-th."""
    text = shorten(text)
    if kind in GRAMMARS and len(text) > MOST_CODE_CHARACTERS:
        kind = "text"
    context = [place, leading_comment(text)] if kind in GRAMMARS else [place]
    spans = list(find_spans(text, kind))
    scopes = find_scopes(text, kind) if kind in GRAMMARS or kind in MARKDOWN else []
    lines = list(lines_of(text, spans))
    names = names_in(scopes, lines)
    around = enclosing(scopes, (first for first, _ in lines))
    for (start, end), (first, last), scopes_around, symbols in zip(spans, lines, around, names, strict=True):
        labels = [scope.label for scope in scopes_around]
        said = "\n".join(filter(None, [*context, *labels]))
        yield Chunk(text[start:end], said, first + line - 1, last + line - 1, page, symbols)


def shorten(text: str) -> str:
    """A text without runs of letters that no word is as long as; lines stay where they are."""
    if max(map(len, text.split()), default=0) <= LONGEST_WORD:
        return text
    return LONG_RUN.sub(lambda run: run[0] if is_made_of_words(run[0]) else "…", text)


def is_made_of_words(run: str) -> bool:
    return max(map(len, PARTS.split(run))) <= LONGEST_PART and "=" not in run[-2:]


def find_spans(text: str, kind: str) -> Iterator[Span]:
    """Where chunks begin and end. Each begins with its line's indentation, or code would look wrong."""
    splitter = splitter_for(kind)
    blocks = [(0, text)] if kind in GRAMMARS else cut(text, BLOCK_CHARACTERS)
    spans = (
        (place + offset, place + offset + len(chunk))
        for place, block in blocks
        for offset, chunk in splitter.chunk_indices(block)
    )
    for start, end in join_small(spans) if kind in GRAMMARS else spans:
        beginning = text.rfind("\n", max(0, start - DEEPEST_INDENTATION), start) + 1
        yield (beginning if beginning and not text[beginning:start].strip() else start), end


def cut(text: str, size: int) -> Iterator[tuple[int, str]]:
    """A long text in blocks, for a splitter takes the square of its length; between paragraphs if it can be.

    >>> list(cut("one two\\n\\nthree four", 12))
    [(0, 'one two\\n'), (8, '\\nthree four')]
    """
    start = 0
    while len(text) - start > size:
        ends = (text.rfind(mark, start + size // 2, start + size) for mark in BREAKS)
        end = next((found + 1 for found in ends if found > 0), start + size)
        yield start, text[start:end]
        start = end
    yield start, text[start:]


@cache
def splitter_for(kind: str) -> CodeSplitter | MarkdownSplitter | TextSplitter:
    if kind in GRAMMARS:
        return CodeSplitter(GRAMMARS[kind].pointer(), MOST_CHARACTERS)
    return MarkdownSplitter(MOST_CHARACTERS) if kind in MARKDOWN else TextSplitter(MOST_CHARACTERS)


def join_small(spans: Iterable[Span]) -> Iterator[Span]:
    """A stretch of a few characters goes with what follows it: a decorator, the name of a long list.

    >>> list(join_small([(0, 40), (42, 900), (905, 1800)]))
    [(0, 900), (905, 1800)]
    """
    held: Span | None = None
    for start, end in spans:
        if held and held[1] - held[0] < FEW_CHARACTERS and end - held[0] <= MOST_CHARACTERS + FEW_CHARACTERS:
            held = held[0], end
            continue
        if held:
            yield held
        held = start, end
    if held:
        yield held


def lines_of(text: str, spans: Iterable[Span]) -> Iterator[tuple[int, int]]:
    """First and last line of each span, from 1."""
    line, counted = 1, 0
    for start, end in spans:
        line += text.count("\n", counted, start)
        counted = start
        yield line, line + text.count("\n", start, end)


def names_in(scopes: list[Scope], lines: list[tuple[int, int]]) -> Iterator[tuple[str, ...]]:
    """What each chunk defines: the names of definitions that begin in its lines."""
    following = iter((*scopes, None))
    scope = next(following)
    for _, last in lines:
        names: dict[str, None] = {}
        while scope and scope.first_line <= last:
            if scope.name:
                names[scope.name] = None
            scope = next(following)
        yield tuple(names)
