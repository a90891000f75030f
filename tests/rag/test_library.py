"""What goes on behind a library's answers: meaning is filled in, and what nobody has held for long is swept away."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from ossian.rag import library as module
from ossian.rag.ingest import Ingested
from ossian.rag.library import Library
from ossian.rag.roots import Roots
from ossian.rag.search import Embedder
from ossian.rag.sqlite_store import SqliteShelf


async def embed(texts: Sequence[str]) -> list[list[float]]:
    return [[float(len(text)), 1.0] for text in texts]


async def test_what_was_put_in_before_a_caller_left_gets_its_meaning(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.md").write_text(f"Note {number}.")
    roots = Roots(tmp_path / "roots.json")
    library = Library(lambda: SqliteShelf(tmp_path / "library.sqlite"), roots, lambda: Embedder("lengths", embed))
    steps = library.add("notes", [folder])
    async for _ in steps:
        break
    await steps.aclose()
    assert library._filling
    await library._filling
    files = library.files("notes")
    assert files and {file.state for file in files} == {"searchable"}
    await library.close()


async def test_a_changed_file_does_not_make_the_next_question_wait_for_forty_others(tmp_path: Path) -> None:
    asked: list[str] = []

    async def listen(texts: Sequence[str]) -> list[list[float]]:
        asked.extend(texts)
        return await embed(texts)

    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(20):
        (notes / f"{number}.md").write_text(f"Note {number}.")
    roots = Roots(tmp_path / "roots.json")
    library = Library(lambda: SqliteShelf(tmp_path / "library.sqlite"), roots, lambda: Embedder("lengths", listen))
    await put_in(library, notes)
    asked.clear()
    (notes / "3.md").write_text("Puffins nest on Runde.")
    await put_in(library, notes / "3.md")
    await library.search(["notes"], "Where do puffins nest?")
    assert asked == ["Puffins nest on Runde.", "Where do puffins nest?"]
    await library.close()


async def test_one_collection_does_not_wait_for_another(tmp_path: Path) -> None:
    many, one = tmp_path / "many", tmp_path / "one.md"
    many.mkdir()
    one.write_text("Puffins nest on Runde.")
    for number in range(200):
        (many / f"{number}.md").write_text(f"Note {number}.")
    roots = Roots(tmp_path / "roots.json")
    library = Library(lambda: SqliteShelf(tmp_path / "library.sqlite"), roots)
    large = library.add("large", [many])
    await anext(large)
    async with asyncio.timeout(60):
        await put_in(library, one)
    *_, end = [step async for step in large]
    assert isinstance(end, Ingested) and end.files == 200
    await library.close()


async def test_a_folder_is_taken_out_with_its_files_and_followed_no_more(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    (notes / "old").mkdir(parents=True)
    for path in (notes / "a.md", notes / "old" / "b.md", notes / "old" / "c.md"):
        path.write_text("Puffins nest on Runde.")
    roots = Roots(tmp_path / "roots.json")
    library = Library(lambda: SqliteShelf(tmp_path / "library.sqlite"), roots)
    await put_in(library, notes / "old", notes / "a.md")
    assert library.remove("notes", [notes / "elsewhere"]) == 0
    assert library.remove("notes", [notes / "x" / ".." / "old"]) == 2
    assert [Path(file.path).name for file in library.files("notes")] == ["a.md"]
    assert roots.of("notes") == [notes / "a.md"]
    await library.close()


async def put_in(library: Library, *paths: Path) -> None:
    """Put paths in and wait until their meaning is there."""
    async for _ in library.add("notes", list(paths)):
        pass
    assert library._filling
    await library._filling


@pytest.mark.parametrize(("unused_seconds", "is_kept"), [(3_600.0, True), (-1.0, False)])
async def test_vectors_that_no_file_holds_are_kept_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_seconds: float, is_kept: bool
) -> None:
    monkeypatch.setattr(module, "UNUSED_SECONDS", unused_seconds)
    folder, embedder = tmp_path / "notes", Embedder("lengths", embed)
    folder.mkdir()
    library = Library(
        lambda: SqliteShelf(tmp_path / "library.sqlite"), Roots(tmp_path / "roots.json"), lambda: embedder
    )

    (folder / "a.md").write_text("Puffins nest on Runde.")
    await put_in(library, folder)
    (text,) = library.shelf.texts_of([1]).values()
    assert library.shelf.vectors_of("lengths", [text])

    (folder / "a.md").write_text("The ferry leaves at nine.")
    await put_in(library, folder)

    assert bool(library.shelf.vectors_of("lengths", [text])) == is_kept
    await library.close()
