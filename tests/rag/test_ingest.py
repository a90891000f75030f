"""Folders become collections: read once, again only where something changed, and never half."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_files import write_pdf

from ossian.rag.ingest import Ingested, Step, ingest
from ossian.rag.reader import Reader
from ossian.rag.sqlite_store import SqliteShelf


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as reader:
        yield reader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text("# Ferry\nThe ferry leaves at nine.\n")
    (folder / "b.py").write_text("def nest():\n    return 'puffin'\n")
    return folder


def run(shelf: SqliteShelf, reader: Reader, *paths: Path) -> tuple[list[Step], Ingested]:
    *steps, end = ingest(shelf, reader, "notes", paths)
    assert isinstance(end, Ingested)
    return [step for step in steps if isinstance(step, Step)], end


def test_a_folder_is_put_in_and_only_what_changed_is_read_again(shelf, reader, folder) -> None:
    steps, end = run(shelf, reader, folder)
    assert [(step.status, step.path, step.done, step.total) for step in steps] == [
        ("reading", str(folder / "a.md"), 1, 2),
        ("reading", str(folder / "b.py"), 2, 2),
    ]
    assert end == Ingested(files=2, chunks=2)
    (folder / "a.md").write_text("# Ferry\nThe ferry leaves at ten o'clock.\n")
    steps, end = run(shelf, reader, folder)
    assert [step.path for step in steps] == [str(folder / "a.md")]
    assert end == Ingested(files=1, chunks=1, unchanged=1)
    assert len(shelf.find_words("notes", ["ten"], 5)) == 1
    assert shelf.find_words("notes", ["nine"], 5) == []


def test_what_is_gone_is_forgotten_but_for_a_folder_that_may_come_back(shelf, reader, folder) -> None:
    run(shelf, reader, folder)
    (folder / "b.py").unlink()
    assert run(shelf, reader, folder)[1] == Ingested(unchanged=1, removed=1)
    folder.rename(folder.with_name("unplugged"))
    assert run(shelf, reader, folder)[1].removed == 0
    assert [file.path for file in shelf.files("notes")] == [str(folder / "a.md")]


def test_one_changed_or_vanished_file_touches_no_other(shelf, reader, folder) -> None:
    run(shelf, reader, folder)
    (folder / "b.py").write_text("def nest():\n    return 'gull'\n")
    assert run(shelf, reader, folder / "b.py")[1] == Ingested(files=1, chunks=1)
    (folder / "a.md").unlink()
    assert run(shelf, reader, folder / "a.md")[1].removed == 1
    assert [file.path for file in shelf.files("notes")] == [str(folder / "b.py")]


def test_what_begins_to_be_ignored_goes(shelf, reader, folder) -> None:
    run(shelf, reader, folder)
    (folder / ".ossianignore").write_text("*.py\n")
    run(shelf, reader, folder)
    states = {Path(file.path).name: (file.state, file.chunks) for file in shelf.files("notes")}
    assert states["b.py"] == ("skipped", 0) and states["a.md"] == ("searchable", 1)


def test_what_cannot_be_read_is_listed_with_the_reason_and_tried_again_when_it_changes(shelf, reader, folder) -> None:
    broken = folder / "c.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing more")
    steps, end = run(shelf, reader, folder)
    (skipped,) = [step for step in steps if step.status == "skipped"]
    assert skipped.path == str(broken) and skipped.reason
    assert end.skipped == 1
    assert [file.reason for file in shelf.files("notes") if file.state == "skipped"] == [skipped.reason]
    assert run(shelf, reader, folder)[0] == [], "what did not change is read again"
    broken.write_bytes(b"%PDF-1.7 nothing more, again")
    assert [step.path for step in run(shelf, reader, folder)[0]] == [str(broken)]


def test_a_path_that_is_not_there_is_told_and_not_kept(shelf, reader, tmp_path) -> None:
    steps, _ = run(shelf, reader, tmp_path / "nowhere")
    assert [(step.status, step.reason) for step in steps] == [("skipped", "there is no such file or folder")]
    assert shelf.collections() == ()


def test_pages_without_text_are_named_although_others_have_some(shelf, reader, tmp_path) -> None:
    path = write_pdf(tmp_path / "half.pdf", "The ferry leaves at nine.", "", "Puffins nest on Runde.")
    (step,), _ = run(shelf, reader, path)
    (file,) = shelf.files("notes")
    assert (step.status, file.state, file.chunks) == ("reading", "searchable", 2)
    assert "2" in step.reason and step.reason == file.reason


def test_what_changes_under_a_folder_is_read_as_the_folder_would_have_it(shelf, reader, folder) -> None:
    (folder / ".gitignore").write_text("*.log\ndist/\n")
    run(shelf, reader, folder)
    (folder / "dist").mkdir()
    changed = [folder / "app.log", folder / "dist" / "out.js", folder / "new.md"]
    for path in changed:
        path.write_text("Puffins nest on Runde.")
    *steps, _ = ingest(shelf, reader, "notes", changed, [folder])
    assert [Path(step.path).name for step in steps if step.status == "reading"] == ["new.md"]
    searchable = [Path(file.path).name for file in shelf.files("notes") if file.state == "searchable"]
    assert searchable == [".gitignore", "a.md", "b.py", "new.md"]
    *_, end = ingest(shelf, reader, "notes", [folder.parent / "elsewhere"], [folder])
    assert end == Ingested()


def test_what_a_glob_matched_follows_it(shelf, reader, folder) -> None:
    glob = folder / "*.md"
    assert run(shelf, reader, glob)[1].files == 1
    (folder / "c.md").write_text("Puffins nest on Runde.")
    (folder / "c.txt").write_text("Puffins nest on Runde.")
    *_, end = ingest(shelf, reader, "notes", [folder], [glob])
    assert (end.files, end.unchanged) == (1, 1)
    (folder / "a.md").unlink()
    assert run(shelf, reader, glob)[1] == Ingested(unchanged=1, removed=1)
    assert [Path(file.path).name for file in shelf.files("notes")] == ["c.md"]


def test_who_stops_listening_keeps_what_was_told(shelf, reader, folder) -> None:
    for number in range(30):
        (folder / f"n{number}.md").write_text(f"# Note {number}\nword{number}\n")
    steps = ingest(shelf, reader, "notes", [folder])
    told = next(steps)
    steps.close()
    assert isinstance(told, Step)
    assert told.path in {file.path for file in shelf.files("notes")}
    assert run(shelf, reader, folder)[1].files + len(shelf.files("notes")) >= 32
