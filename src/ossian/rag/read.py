"""Read a file into a document: its text, what kind it is, where its pages begin. Each format has a file beside this.

What a reader makes of a format with headings is Markdown, so that it is split along them.
Runs in the reading child only.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ossian.errors import Unreadable
from ossian.rag.kinds import FORMATS, Format, kind_of
from ossian.rag.left_out import MOST_BYTES
from ossian.rag.pieces import Document
from ossian.rag.read_epub import read_epub
from ossian.rag.read_excel import read_excel
from ossian.rag.read_html import read_html
from ossian.rag.read_mail import read_mail
from ossian.rag.read_notebook import read_notebook
from ossian.rag.read_pdf import read_pdf
from ossian.rag.read_powerpoint import read_powerpoint
from ossian.rag.read_text import read_text
from ossian.rag.read_word import read_word

MOST_CHARACTERS = 64_000_000  # of a document; a book has a million

READERS: dict[Format, Callable[[bytes], str | list[str]]] = {
    "pdf": read_pdf,
    "word": read_word,
    "powerpoint": read_powerpoint,
    "excel": read_excel,
    "html": read_html,
    "epub": read_epub,
    "notebook": read_notebook,
    "mail": read_mail,
}
BETWEEN_PAGES = "\n\n"
# Signs that no text holds, and halves of a sign: nothing behind us can keep or show them.
UNWANTED = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class PagesWithoutText:
    """Pages of a document that are likely pictures, from 1."""

    numbers: tuple[int, ...]

    def __str__(self) -> str:
        """
        >>> str(PagesWithoutText((1, 3, 4, 5)))
        'pages 1, 3-5 have no text (scanned?)'
        """
        if len(self.numbers) == 1:
            return f"page {self.numbers[0]} has no text (scanned?)"
        return f"pages {', '.join(write_runs(self.numbers))} have no text (scanned?)"


def read_document(path: Path) -> Document:
    """Read one file. What cannot be read is Unreadable, with a reason for the person."""
    kind = kind_of(path)
    data = read_bytes(path)
    reader = READERS.get(kind, read_text)  # type: ignore[call-overload]
    try:
        read = reader(data)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # a parser meets broken files in ways it has no name for
        raise Unreadable(f"damaged, or not what its name says ({first_line_of(error)})") from error
    document = (
        join_pages(path, kind, [clean(page) for page in read])
        if isinstance(read, list)
        else (Document(path, clean(read), kind))
    )
    return check(document)


def read_bytes(path: Path) -> bytes:
    """All of a file that is one: never a pipe that would be waited for, never more than the bound."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(number, "rb") as file:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("not a file")
            if status.st_size > MOST_BYTES:
                raise Unreadable(f"too big: at most {MOST_BYTES >> 20} MB are read")
            return file.read(status.st_size)
    except OSError as error:
        raise Unreadable((error.strerror or str(error)).lower()) from error


def check(document: Document) -> Document:
    if len(document.text) > MOST_CHARACTERS:
        raise Unreadable(f"too long: {len(document.text):,} characters, and at most {MOST_CHARACTERS:,} are read")
    if not document.text.strip():
        pages = len(document.pages)
        raise Unreadable(f"none of its {pages:,} pages has text (scanned?)" if pages else "it holds no text")
    return document


def join_pages(path: Path, kind: str, pages: list[str]) -> Document:
    starts, offset = [], 0
    for page in pages:
        starts.append(offset)
        offset += len(page) + len(BETWEEN_PAGES)
    return Document(path, BETWEEN_PAGES.join(pages), kind, tuple(starts))


def clean(text: str) -> str:
    """A text with one way of ending lines and without what is no text."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return UNWANTED.sub("", text)


def find_pages_without_text(document: Document) -> PagesWithoutText | None:
    ends = (*document.pages[1:], len(document.text))
    empty = (
        tuple(
            number
            for number, (start, end) in enumerate(zip(document.pages, ends, strict=True), 1)
            if not document.text[start:end].strip()
        )
        if document.pages
        else ()
    )
    return PagesWithoutText(empty) if empty else None


def write_runs(numbers: tuple[int, ...]) -> list[str]:
    """
    >>> write_runs((1, 3, 4, 5))
    ['1', '3-5']
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ["-".join(map(str, run)) for run in runs]


def first_line_of(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"


assert set(READERS) == set(FORMATS.values())
