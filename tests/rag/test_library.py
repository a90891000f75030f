"""What goes on behind a library's answers: meaning is filled in, and what nobody has held for long is swept away."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ossian.rag import library as module
from ossian.rag.library import Library
from ossian.rag.roots import Roots
from ossian.rag.search import Embedder
from ossian.rag.sqlite_store import SqliteShelf


async def embed(texts: Sequence[str]) -> list[list[float]]:
    return [[float(len(text)), 1.0] for text in texts]


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

    async def put_in() -> None:
        async for _ in library.add("notes", [folder]):
            pass
        assert library._filling
        await library._filling

    (folder / "a.md").write_text("Puffins nest on Runde.")
    await put_in()
    (text,) = library.shelf.texts_of([1]).values()
    assert library.shelf.vectors_of("lengths", [text])

    (folder / "a.md").write_text("The ferry leaves at nine.")
    await put_in()

    assert bool(library.shelf.vectors_of("lengths", [text])) == is_kept
    await library.close()
