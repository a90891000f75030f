"""Plain text, whatever it is written in: by its mark, as UTF-8, as UTF-16 without a mark, else as Windows."""

import codecs

from ossian.rag.left_out import HEAD_BYTES, looks_like_utf16

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_text(data: bytes, said: str = "") -> str:
    """A text; `said` is what the file itself names as its encoding, believed only where it can be true.

    >>> read_text("naïve".encode("latin-1")), read_text("naïve".encode("utf-16"))
    ('naïve', 'naïve')
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    for guess in (said, "utf-8", looks_like_utf16(data[:HEAD_BYTES])):
        if (text := find_text(data, guess or "")) is not None:
            return text
    # Windows-1252 is Latin-1 with letters and quotes where Latin-1 has control signs; five of its bytes are unused.
    windows = find_text(data, "cp1252")
    return data.decode("latin-1") if windows is None else windows


def find_text(data: bytes, encoding: str) -> str | None:
    """The text, if these bytes can be in this encoding and it is one of text."""
    try:
        return data.decode(encoding) if encoding else None
    except (UnicodeError, LookupError):
        return None


def lines_of(text: str) -> list[str]:
    """The lines as editors and passages count them: a form feed, for one, ends none."""
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
