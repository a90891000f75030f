"""What every command needs of the terminal: data goes to stdout, talk to stderr, errors are sentences."""

import os
import sys
import tempfile
import traceback
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from ossian.errors import OssianError
from ossian.settings import Settings, read_settings

GB = 1_000_000_000
STEERING = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def settings_of() -> Settings:
    """The settings of this command's environment."""
    return read_settings()


def talk(text: str) -> None:
    """Say something to the person; never mixed into the data. Only a terminal needs the lines broken."""
    err.print(text, markup=False, soft_wrap=not err.is_terminal)


def complain(error: OssianError) -> None:
    """Tell an error: what happened, then what to do."""
    err.print(f"Error: {error.message}", style="red", markup=False, soft_wrap=not err.is_terminal)
    if error.hint:
        talk(error.hint)


def confess(fault: Exception) -> None:
    """Tell a fault of our own, and keep what its mending needs in a file."""
    path = Path(tempfile.gettempdir()) / f"ossian-fault-{os.getpid()}.txt"
    name = type(fault).__name__
    try:
        path.write_text("".join(traceback.format_exception(fault)))
    except OSError:
        complain(OssianError(f"a fault in Ossian itself, {name}: {fault}"))
        return
    complain(OssianError(f"a fault in Ossian itself, {name}: {fault}", f"Please report it with {path}."))


def waiting(text: str) -> AbstractContextManager[object]:
    """A sign of life on a terminal while nothing else can be shown."""
    return err.status(text) if sys.stderr.isatty() else nullcontext()


def printable(text: str) -> str:
    """A model's words without the control characters that would steer the terminal.

    >>> printable("a\\x1b[2Jb\\tc")
    'a[2Jb\\tc'
    """
    return text.translate(STEERING)


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Columns as wide as they need to be, three blanks apart.

    >>> print(table(("NAME", "SIZE"), [("demo", "9 MB")]))
    NAME   SIZE
    demo   9 MB
    """
    lines = [heads, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def size_text(size: int) -> str:
    """Bytes for people, in decimal units as Ollama shows them.

    >>> size_text(12_109_566_560), size_text(8_000_000)
    ('12 GB', '8.0 MB')
    """
    for unit, factor in (("GB", GB), ("MB", 1_000_000), ("KB", 1_000)):
        if size >= factor:
            amount = size / factor
            return f"{amount:.0f} {unit}" if amount >= 10 else f"{amount:.1f} {unit}"
    return f"{size} B"


def ago(moment: datetime) -> str:
    """A time for people: how long ago, or in how long.

    >>> ago(datetime.now(UTC))
    'now'
    """
    seconds = (datetime.now(UTC) - moment).total_seconds()
    lengths = (
        ("year", 31_536_000),
        ("month", 2_629_800),
        ("week", 604_800),
        ("day", 86_400),
        ("hour", 3_600),
        ("minute", 60),
    )
    for name, length in lengths:
        count = round(abs(seconds) / length)
        if abs(seconds) >= length * 0.99:
            words = f"{count} {name}{'s' if count != 1 else ''}"
            return f"{words} ago" if seconds > 0 else f"{words} from now"
    if abs(seconds) < 2:
        return "now"
    return f"{abs(seconds):.0f} seconds {'ago' if seconds > 0 else 'from now'}"


def is_terminal() -> bool:
    """Whether a person sits in front: both ends are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()
