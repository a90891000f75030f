"""What is PostgreSQL's own in a store of documents: servers that go and come back, pgvector, few rights."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
from ingest_forever import FILES, file_of
from places import Library
from postgres_process import PostgresProcess, running_postgres
from small_library import read
from test_crash import PROGRAM, check_inside

from ossian.errors import CollectionNotFound, LibraryFailed, SettingInvalid
from ossian.rag.shelf import open_shelf
from ossian.rag.store import Shelf
from ossian.rag.words import terms_of

psycopg = pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")

ISLANDS = read("islands.md", "Puffins nest on Runde.", "The ferry leaves at nine.")
EAST = numpy.eye(3, dtype=numpy.float32)[0]


@pytest.fixture
def own_postgres() -> Iterator[PostgresProcess]:
    """A server that a test may end."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresProcess) -> Iterator[Library]:
    library = Library(postgres.new_database())
    yield library
    library.close()


def names_of(shelf: Shelf, *terms: str) -> list[str]:
    hits = shelf.find_words("notes", terms, 10)
    return [placed.path for placed in shelf.placed(hit.place for hit in hits).values()]


def test_a_database_that_went_away_is_named_and_is_found_again_when_it_is_back(own_postgres: PostgresProcess) -> None:
    library = Library(own_postgres.new_database())
    shelf = library.open()
    shelf.keep("notes", [ISLANDS])
    with ThreadPoolExecutor(4) as threads:  # so that several connections are open, and lost
        list(threads.map(lambda _: shelf.find_words("notes", ["ferry"], 10), range(40)))
    own_postgres.stop()
    with pytest.raises(LibraryFailed, match=r"the database library0 at /tmp/.* cannot be used: .*Start the database"):
        shelf.find_words("notes", ["ferry"], 10)
    with pytest.raises(LibraryFailed, match="Start the database"):
        library.open()
    own_postgres.start()
    assert names_of(shelf, "ferry") == ["islands.md"]
    own_postgres.stop()
    own_postgres.start()
    shelf.keep("notes", [read("more.md", "Another ferry.")])
    assert names_of(shelf, "ferry") == ["more.md", "islands.md"]
    library.close()


def test_who_may_not_make_tables_is_told_how_to_be_allowed(postgres: PostgresProcess) -> None:
    url = postgres.new_database()
    postgres.psql("postgres", "CREATE ROLE guest LOGIN")
    with pytest.raises(LibraryFailed, match=r"permission denied .* GRANT CREATE ON DATABASE"):
        open_shelf(url.replace("postgres@", "guest@"), Path())
    with pytest.raises(LibraryFailed, match=r"does not exist. .*check OSSIAN_LIBRARY"):
        open_shelf(url.replace("@/", "@/no"), Path())


def test_a_writer_killed_in_the_middle_of_a_file_leaves_nothing_of_it(
    database: Library, eventually: Callable[..., None]
) -> None:
    shelf = database.open()
    shelf.keep("c", [file_of(0)])
    before = shelf.files("c")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'relation'"
    with psycopg.connect(database.where) as blocker, psycopg.connect(database.where, autocommit=True) as watcher:
        blocker.execute("LOCK TABLE ossian.symbols IN SHARE MODE")  # so that it stops when the old places are out
        with subprocess.Popen([sys.executable, str(PROGRAM), database.where, str(FILES)]) as writer:
            eventually(lambda: watcher.execute(waiting).fetchone() == (1,), seconds=60)
            assert shelf.files("c") == before
            writer.send_signal(signal.SIGKILL)
        blocker.rollback()
    shelf.keep("d", [ISLANDS])
    assert shelf.files("c") == before
    check_inside(database)


def test_whoever_opens_and_reads_waits_for_no_writer(database: Library) -> None:
    database.open().keep("notes", [ISLANDS])
    with psycopg.connect(database.where) as writer:
        writer.execute("SELECT pg_advisory_xact_lock(%s)", (0x6F737369616E,))
        writer.execute("DELETE FROM ossian.places")
        assert names_of(database.open(), "nine") == ["islands.md"]
        writer.rollback()


def test_a_library_of_another_version_is_left_alone(database: Library) -> None:
    database.open()
    with psycopg.connect(database.where) as file:
        file.execute("UPDATE ossian.about SET version = 99")
    with pytest.raises(LibraryFailed, match="of version 99, and this program reads version 1"):
        database.open()


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@127.0.0.1:1/team", "postgresql://me:secret@[", "postgresql://me:secret@/t?x=1"]
)
def test_a_database_that_is_not_there_is_told_without_the_password(url: str) -> None:
    with pytest.raises((LibraryFailed, SettingInvalid), match=r"cannot be (used|understood)") as failure:
        open_shelf(url, Path())
    assert "secret" not in str(failure.value)


def test_zeros_long_names_and_long_words_are_kept(database: Library) -> None:
    shelf = database.open()
    path = "".join(map(chr, range(0x4E00, 0x4E00 + 4_000)))
    word = "\U0001d7d8" * 100
    shelf.keep("no\0tes", [read(path, f"zero \0 here {word} {'x' * 5_000}", symbols=("long" * 2_000, "a\0b"))])
    shelf.keep_vectors("mini", {f"zero \0 here {word} {'x' * 5_000}": EAST})
    assert shelf.pending("mini", 10) == {}
    (hit,) = shelf.find_words("no\0tes", ["zero"], 10)
    assert shelf.placed([hit.place])[hit.place].text == f"zero \ufffd here {word} {'x' * 5_000}"
    assert shelf.find_definitions("no\0tes", ["long" * 2_000]).keys() == {"long" * 2_000}
    assert shelf.forget("no\0tes", [path]) == 1
    with pytest.raises(CollectionNotFound):
        shelf.files("\ud800")


def test_a_chunk_of_a_hundred_thousand_words_is_kept(database: Library) -> None:
    shelf = database.open()
    shelf.keep("notes", [read("dump.txt", " ".join(map(str, range(100_000))))])
    assert names_of(shelf, "17") == ["dump.txt"]


@pytest.mark.parametrize(
    "question", ["puffins", "ferry ferries", "the keeper wrote", "borrowModel", "naïve café", "使用方法", "1e5 entry 7"]
)
def test_words_score_as_they_do_in_sqlite(database: Library, tmp_path: Path, question: str) -> None:
    numbered = [f"The keeper wrote entry {number}, {'ferry ' * (number % 7)}." for number in range(40)]
    others = [
        "def borrowModel(): wait()",
        "A naive café.",
        "Das CAFE\u0301 naïve",
        "図書館の使用方法を読む",
        "1e5 times 1.5e5",
    ]
    readings = [ISLANDS, read("log.md", *numbered), read("others.txt", *others, context="class ModelPool, ferry")]
    scores = []
    for shelf in (database.open(), open_shelf(str(tmp_path / "library.sqlite"), tmp_path)):
        shelf.keep("notes", readings)
        terms = terms_of(question)
        hits = shelf.find_words("notes", terms, 100)
        placed = shelf.placed(hit.place for hit in hits)
        found = {placed[hit.place].text: pytest.approx(hit.score) for hit in hits}
        covered = shelf.cover("notes", terms, [hit.place for hit in hits])
        scores.append((found, {placed[place].text: pytest.approx(share) for place, share in covered.items()}))
        shelf.close()
    assert scores[0] == scores[1]


def many_vectors(shelf: Shelf, count: int = 400) -> dict[str, numpy.ndarray]:
    texts = [f"text {number}" for number in range(count)]
    chance = numpy.random.default_rng(0)
    vectors = dict(zip(texts, chance.normal(size=(count, 8)).astype(numpy.float32), strict=True))
    shelf.keep("notes", [read(f"{start}.md", *texts[start : start + 40]) for start in range(0, count, 40)])
    shelf.keep_vectors("mini", vectors)
    return vectors


def nearest(shelf: Shelf, vector: numpy.ndarray) -> str:
    chunks = shelf.find_meaning("notes", "mini", vector, 1)
    (placed,) = shelf.placed(shelf.places_of("notes", chunks).values()).values()
    return placed.text


def graph_is_ready(url: str) -> bool:
    with psycopg.connect(url) as file:
        return file.execute("SELECT ready FROM ossian.graphs").fetchone() == (True,)


def test_many_vectors_are_found_by_a_graph_that_all_servers_share(
    database: Library, eventually: Callable[..., None]
) -> None:
    shelf = database.open_with_lists(300)
    vectors = many_vectors(shelf)
    assert nearest(shelf, vectors["text 7"]) == "text 7"
    eventually(lambda: graph_is_ready(database.where), seconds=60)
    with psycopg.connect(database.where) as file:
        (definition,) = file.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'near_1_graph'").fetchone()
        assert "USING hnsw (vector vector_ip_ops)" in definition
        file.execute("UPDATE ossian.vectors SET vector = ''")  # so that only the graph knows
    other = database.open_with_lists(300)
    assert [text for text in vectors if nearest(other, vectors[text]) != text] == []
    other.keep("notes", [read("new.md", "new")])
    other.keep_vectors("mini", {"new": 1.5 * vectors["text 7"] - vectors["text 8"], "of another width": EAST})
    assert nearest(shelf, 1.5 * vectors["text 7"] - vectors["text 8"]) == "new"
    (seven,) = shelf.find_meaning("notes", "mini", vectors["text 7"], 1)
    shelf.forget("notes", ["0.md"])
    assert seven not in shelf.find_meaning("notes", "mini", vectors["text 7"], 400)
    assert shelf.sweep(unused_seconds=-1) == 41
    assert shelf.find_meaning("notes", "mini", EAST, 1) == {}


def test_what_was_asked_about_is_given_beside_the_nearest_of_a_graph(
    database: Library, eventually: Callable[..., None]
) -> None:
    shelf = database.open_with_lists(300)
    vectors = many_vectors(shelf)
    by_text = {text: number for number, text in shelf.pending("other", 400).items()}
    question = vectors["text 7"] / numpy.linalg.norm(vectors["text 7"])
    asked = [by_text["text 8"], by_text["text 9"], 10_000]
    exact = shelf.find_meaning("notes", "mini", question, 3, asked)
    eventually(lambda: graph_is_ready(database.where), seconds=60)
    found = shelf.find_meaning("notes", "mini", question, 3, asked)
    assert found == {chunk: pytest.approx(score, abs=1e-3) for chunk, score in exact.items()}


def plain_user(postgres: PostgresProcess, url: str) -> str:
    """The URL of a user who may make a schema, and no more."""
    name = url.partition("@/")[2].partition("?")[0]
    postgres.psql(name, f"CREATE ROLE plain_{name} LOGIN; GRANT CREATE ON DATABASE {name} TO plain_{name}")
    return url.replace("postgres@", f"plain_{name}@")


def test_who_may_not_have_pgvector_is_served_from_memory(postgres: PostgresProcess) -> None:
    url = postgres.new_database()
    library = Library(plain_user(postgres, url))
    shelf = library.open_with_lists(300)
    vectors = many_vectors(shelf)
    for _ in range(3):
        assert [text for text in list(vectors)[::20] if nearest(shelf, vectors[text]) != text] == []
    with psycopg.connect(url) as file:
        assert file.execute("SELECT count(*) FROM ossian.graphs").fetchone() == (0,)
    library.close()


def test_pgvector_that_somebody_installed_serves_everybody(
    postgres: PostgresProcess, eventually: Callable[..., None]
) -> None:
    url = postgres.new_database("CREATE EXTENSION vector")
    library = Library(plain_user(postgres, url))
    shelf = library.open_with_lists(300)
    vectors = many_vectors(shelf)
    assert nearest(shelf, vectors["text 7"]) == "text 7"
    eventually(lambda: graph_is_ready(url), seconds=60)
    assert nearest(shelf, vectors["text 7"]) == "text 7"
    library.close()


def test_a_small_collection_beside_large_ones_is_not_looked_for_in_the_graph_of_all(
    database: Library, eventually: Callable[..., None]
) -> None:
    shelf = database.open_with_lists(300)
    vectors = many_vectors(shelf)
    nearest(shelf, vectors["text 7"])
    eventually(lambda: graph_is_ready(database.where), seconds=60)
    shelf.keep("small", [read("a.md", "text 1", "small")])
    shelf.keep_vectors("mini", {"small": -vectors["text 7"]})
    question = vectors["text 7"] / numpy.linalg.norm(vectors["text 7"])
    assert len(shelf.find_meaning("small", "mini", question, 10)) == 2
