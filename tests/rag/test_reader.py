"""A child process reads for the server; what a file does to it, the next file does not feel."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import made_files
import pytest
from made_files import paragraph

from ossian.errors import Unreadable
from ossian.rag.pieces import Chunk
from ossian.rag.reader import Contents, Limits, Reader


@pytest.fixture
def reader() -> Iterator[Reader]:
    with Reader() as reader:
        yield reader


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.md"
    path.write_text("# Lamps\n\nThey burn.\n")
    return path


def contents(good: Path) -> Contents:
    place = "/".join(good.parts[-3:])
    return Contents("markdown", (Chunk("# Lamps\n\nThey burn.", place, 1, 3),))


def refusal(reader: Reader, path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        reader.read(path)
    return caught.value.message


def test_a_file_comes_back_as_its_chunks(reader: Reader, good: Path) -> None:
    assert reader.read(good) == contents(good)


def test_symbols_pages_and_remarks_come_back(reader: Reader, tmp_path: Path) -> None:
    code = tmp_path / "a.py"
    code.write_text("def light(): ...\n")
    assert reader.read(code).chunks[0].symbols == ("light",)
    read = reader.read(made_files.write_pdf(tmp_path / "a.pdf", "", "Words."))
    assert [chunk.page for chunk in read.chunks] == [2]
    assert read.remarks == ("page 1 has no text (scanned?)",)


def test_one_process_reads_many_files(reader: Reader, good: Path, tmp_path: Path) -> None:
    reader.read(good)
    first = reader.child
    assert refusal(reader, tmp_path / "gone.txt") == "no such file or directory"
    assert reader.read(good) == contents(good)
    assert reader.child is first


@pytest.mark.parametrize("name", ["bomb.docx", "bomb.xlsx"])
def test_a_zip_bomb_is_refused_unopened(reader: Reader, good: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(made_files.zip_bomb("word/document.xml"))
    assert refusal(reader, tmp_path / name) == "it unpacks to more than 400 MB, as a zip bomb does"
    assert reader.read(good) == contents(good)


def test_a_pdf_that_unpacks_without_end_harms_nobody(good: Path, tmp_path: Path) -> None:
    (tmp_path / "bomb.pdf").write_bytes(made_files.pdf_bomb())
    with Reader(Limits(wall_seconds=60, processor_seconds=20)) as strict:
        assert refusal(strict, tmp_path / "bomb.pdf")
        assert strict.read(good) == contents(good)


def test_xml_nested_a_million_deep_harms_nobody(reader: Reader, good: Path, tmp_path: Path) -> None:
    body = "<w:tbl>" * 1_000_000 + paragraph("Deep.") + "</w:tbl>" * 1_000_000
    path = made_files.write_word(tmp_path / "deep.docx", body)
    with Reader(Limits(wall_seconds=60, processor_seconds=20)) as strict:
        assert_bounded(strict, path)
        assert strict.read(good) == contents(good)


def assert_bounded(reader: Reader, path: Path) -> None:
    """Read, or refused; what must not happen is that nothing is said."""
    try:
        reader.read(path)
    except Unreadable as error:
        assert error.message


def test_a_file_that_wants_too_much_memory_is_refused_and_the_next_is_read(good: Path, tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("words and words\n" * 1_500_000)
    with Reader(Limits(memory_bytes=300 << 20)) as small:
        assert "memory" in refusal(small, tmp_path / "big.txt") or "broke" in refusal(small, tmp_path / "big.txt")
        assert small.read(good) == contents(good)


def test_a_file_that_takes_too_long_is_given_up(good: Path, tmp_path: Path) -> None:
    (tmp_path / "nest.py").write_text("(" * 900_000)
    with Reader(Limits(wall_seconds=2)) as hasty:
        expected = "reading it took more than 2 seconds, and was stopped"
        assert refusal(hasty, tmp_path / "nest.py") == expected
        assert hasty.read(good) == contents(good)


def test_a_file_that_takes_too_much_of_the_processor_is_given_up(good: Path, tmp_path: Path) -> None:
    (tmp_path / "nest.py").write_text("(" * 900_000)
    with Reader(Limits(processor_seconds=1)) as hasty:
        expected = "reading it took more than 1 seconds of the processor, and was stopped"
        assert refusal(hasty, tmp_path / "nest.py") == expected
        assert hasty.read(good) == contents(good)


def test_a_child_that_was_killed_between_two_files_is_replaced_unnoticed(reader: Reader, good: Path) -> None:
    reader.read(good)
    assert reader.child
    os.kill(reader.child.pid, signal.SIGKILL)
    assert reader.read(good) == contents(good)


def test_a_child_that_is_killed_while_it_reads_costs_that_file(reader: Reader, good: Path, tmp_path: Path) -> None:
    (tmp_path / "nest.py").write_text("(" * 900_000)
    reader.read(good)
    assert reader.child
    killer = threading.Timer(0.5, os.kill, (reader.child.pid, signal.SIGKILL))
    killer.start()
    assert refusal(reader, tmp_path / "nest.py").startswith("the program that reads it broke (status -9)")
    assert reader.read(good) == contents(good)


def test_closing_ends_the_child(good: Path) -> None:
    reader = Reader()
    reader.read(good)
    child = reader.child
    reader.close()
    assert child and child.poll() is not None


def test_closing_while_a_file_is_read_gives_that_file_up(good: Path, tmp_path: Path) -> None:
    (tmp_path / "nest.py").write_text("(" * 900_000)
    reader = Reader()
    reader.read(good)
    threading.Timer(0.5, reader.close).start()
    started = time.monotonic()
    assert refusal(reader, tmp_path / "nest.py").startswith("reading it was stopped")
    assert time.monotonic() - started < 60


def test_a_name_that_is_no_unicode_is_read_all_the_same(reader: Reader, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    path.write_text("Coffee.")
    assert reader.read(path).chunks[0].text == "Coffee."
