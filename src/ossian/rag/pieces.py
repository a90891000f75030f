"""What is read from files and kept: documents, chunks."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Document:
    """A file as text. `pages`: the offset in `text` at which each page starts, empty where a format has no pages."""

    path: Path
    text: str
    kind: str  # "python", "markdown", "pdf", ...
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a document that is found and cited as one."""

    text: str
    context: str  # path, headings, enclosing symbols, leading comment: searched beside the text
    first_line: int  # from 1, inclusive
    last_line: int
    page: int | None = None  # from 1
    symbols: tuple[str, ...] = ()  # what this chunk defines
