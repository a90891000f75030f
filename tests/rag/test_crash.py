"""A process is killed in mid-ingest while others read: nothing acknowledged is lost, no half file is seen."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path

import numpy
import pytest
from ingest_forever import CHUNKS, FILES, texts_of
from places import Library

from ossian.rag.store import Shelf

KILLS = int(os.environ.get("OSSIAN_TEST_KILLS", "6"))
PROGRAM = Path(__file__).with_name("ingest_forever.py")


def ingest_and_kill(library: Library, first: int, acknowledged: int, seconds: float) -> int:
    """Ingest until so many files are acknowledged and a little longer; the number of the last one acknowledged."""
    command = [sys.executable, str(PROGRAM), library.where, str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(acknowledged):
            assert process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
    return int(rest[-1]) if rest else first + acknowledged - 1


def writings(shelf: Shelf) -> dict[int, int]:
    """For each file, which writing of it is there; it is there whole, in the list, the words and the names."""
    there: dict[int, int] = {}
    for kept in shelf.files("c"):
        assert kept.chunks == CHUNKS
        name = kept.path.removesuffix(".md")
        hits = shelf.find_words("c", [f"file{name}"], 2 * CHUNKS)
        texts = [placed.text for placed in shelf.placed([hit.place for hit in hits]).values()]
        if kept not in shelf.files("c"):
            continue  # it was written again in between
        (writing,) = {text.split()[0].removeprefix("writing") for text in texts}
        assert sorted(texts) == sorted(texts_of(int(writing)))
        there[int(name)] = int(writing)
    return there


def check_inside(library: Library) -> None:
    """Nothing stands inside that belongs to nothing."""
    check_postgres(library.where) if library.in_postgres else check_sqlite(Path(library.where))


def check_postgres(url: str) -> None:
    with import_module("psycopg").connect(url) as file:
        lost = "SELECT count(*) FROM ossian.chunks WHERE NOT EXISTS ({places} WHERE chunk = chunks.number)"
        assert file.execute(lost.format(places="SELECT FROM ossian.places")).fetchone() == (0,)
        counted = "SELECT sum(chunks), sum(words) FROM ossian.files"
        there = "SELECT count(*), sum(length) FROM ossian.places"
        assert file.execute(counted).fetchone() == file.execute(there).fetchone()
        names = "SELECT count(*) FROM ossian.symbols WHERE place NOT IN (SELECT number FROM ossian.places)"
        assert file.execute(names).fetchone() == (0,)


def check_sqlite(path: Path) -> None:
    """SQLite finds no damage, and its index of words has exactly the places that there are."""
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        file.execute("INSERT INTO words_1 (words_1) VALUES ('integrity-check')")
        indexed = file.execute("SELECT id FROM words_1_docsize ORDER BY id").fetchall()
        assert indexed == file.execute("SELECT number FROM places ORDER BY number").fetchall()
        lost = "SELECT count(*) FROM chunks WHERE NOT EXISTS (SELECT 1 FROM places WHERE chunk = chunks.number)"
        assert file.execute(lost).fetchone() == (0,)


@contextmanager
def readers(library: Library, count: int) -> Iterator[list[BaseException]]:
    """So many readers, each with connections of its own; what goes wrong with them is in the list."""
    wrong: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        shelf = library.open()
        try:
            while not stop.is_set():
                writings(shelf)
                shelf.find_meaning("c", "mini", numpy.array([1, 0], numpy.float32), 5)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_ingest_loses_nothing_acknowledged_and_leaves_no_half_file(library: Library, kill: int) -> None:
    ingest_and_kill(library, 0, acknowledged=1, seconds=0)
    first = max(writings(library.open()).values()) + 1
    with readers(library, count=2) as wrong:
        last = ingest_and_kill(library, first, acknowledged=1 + kill % (2 * FILES), seconds=0.003 * (kill % 7))
    assert wrong == []
    shelf = library.open()
    for name, writing in writings(shelf).items():
        acknowledged = max((number for number in range(last + 1) if number % FILES == name), default=-1)
        # The one that was being written when the process died may be there as well, whole.
        assert writing in (acknowledged, last + 1)
    assert len(shelf.files("c")) >= min(FILES, last + 1)
    shelf.close()
    check_inside(library)
