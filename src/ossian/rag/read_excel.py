"""Excel and its like: each sheet under a heading, a row a line, the cells as a person sees them."""

from datetime import datetime, time
from io import BytesIO

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from ossian.errors import Unreadable
from ossian.rag.package import Package

ZIP = b"PK"  # all but the oldest of these formats are packages


def read_excel(data: bytes) -> str:
    if data.startswith(ZIP):
        with Package(data) as package:
            package.count_all()
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
        return "\n\n".join(read_sheet(book, name) for name in book.sheet_names)
    except PasswordError as error:
        raise Unreadable("encrypted: it wants a password") from error
    except CalamineError as error:
        raise Unreadable(f"damaged, or not what its name says ({error})") from error


def read_sheet(book: CalamineWorkbook, name: str) -> str:
    rows = ([write_cell(cell) for cell in row] for row in book.get_sheet_by_name(name).iter_rows())
    return "\n".join([f"# {name}", "", *(" | ".join(row).rstrip(" |") for row in rows if any(row))])


def write_cell(cell: object) -> str:
    """
    >>> write_cell(3.0), write_cell(0.1), write_cell(datetime(2026, 1, 2))
    ('3', '0.1', '2026-01-02')
    """
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == time():
        return str(cell.date())
    return " ".join(str(cell).split())
