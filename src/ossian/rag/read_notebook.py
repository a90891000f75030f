"""Notebooks: Markdown cells as they are, code cells fenced, and what they printed, cut short."""

import json
from typing import Any

from ossian.errors import Unreadable
from ossian.rag.read_text import read_text

LONGEST_OUTPUT = 2_000  # characters


def read_notebook(data: bytes) -> str:
    try:
        book = json.loads(read_text(data))
        cells = book.get("cells") or [cell for sheet in book["worksheets"] for cell in sheet["cells"]]  # before 4
        language = book.get("metadata", {}).get("kernelspec", {}).get("language") or "python"
        return "\n\n".join(text for cell in cells for text in read_cell(cell, language) if text.strip())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable("damaged, or not what its name says: it is no notebook") from error


def read_cell(cell: dict[str, Any], language: str) -> list[str]:
    source = joined(cell.get("source", cell.get("input", "")))
    match cell["cell_type"]:
        case "code":
            outputs = [read_output(output) for output in cell.get("outputs", ())]
            return [fenced(language, source), *(fenced("", output) for output in outputs)]
        case "heading":
            return [f"{'#' * int(cell.get('level', 1))} {source}"]
        case _:
            return [source]


def read_output(output: dict[str, Any]) -> str:
    """What a cell printed or gave as text; pictures and tables of HTML are passed over."""
    text = joined(output.get("text", "")) or joined(output.get("data", {}).get("text/plain", ""))
    return text[:LONGEST_OUTPUT]


def joined(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```" if text.strip() else ""
