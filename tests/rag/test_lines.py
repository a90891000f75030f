"""Lines are counted as editors do, in passages and where they are shown."""

from pathlib import Path

import pytest

from ossian.rag.lines import read_lines
from ossian.rag.read import read_document
from ossian.rag.split import split
from ossian.rag.store import KeptFile


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("inside", ["\f", "\v", "\x1c", "\x85", "\u2028"])
def test_what_stands_within_a_line_ends_none(tmp_path: Path, end: str, inside: str) -> None:
    path = tmp_path / "rfc.txt"
    path.write_bytes(end.join(["one", f"two{inside}still two", "three", ""]).encode())
    (chunk,) = split(read_document(path))
    kept = KeptFile(str(path), 1, 1, b"", "text", "searchable", "", 1, 0)
    shown, _ = read_lines(kept, 1, 9)
    assert (chunk.first_line, chunk.last_line, len(shown)) == (1, 3, 3)
    assert read_lines(kept, 3, 3)[0] == ["three"]
