"""The house stands in a row: a file imports only from rooms to its left."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ossian"
ROW = (
    ("chat", "errors", "settings", "__init__"),
    ("harmony",),
    ("store",),
    ("native",),
    ("engines",),
    ("bench",),
    ("rag",),
    ("answer",),
    ("api",),
    ("web",),
    ("cli",),
    ("__main__",),
)
PLACE = {room: place for place, rooms in enumerate(ROW) for room in rooms}
PURE = {"harmony": {"ossian.chat", "ossian.errors"}}  # rooms that may use less than all to their left
WORLDLY = {"os", "io", "pathlib", "socket", "subprocess", "time", "httpx2", "urllib", "tempfile", "random", "secrets"}
FILES = sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively; write the whole name"
            yield node.module or ""


def own_rooms(path: Path) -> set[str]:
    parts = [name.split(".") for name in imports(path) if name.split(".")[0] == "ossian"]
    return {part[1] if len(part) > 1 else "__init__" for part in parts}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_imports_only_from_rooms_to_its_left(path: Path) -> None:
    room = room_of(path)
    assert room in PLACE, f"{room} has no place in the row; give it one here and in ARCHITECTURE.md"
    wrong = {other for other in own_rooms(path) - {room} if PLACE[other] >= PLACE[room] > 0}
    assert not wrong, f"{path.relative_to(SOURCE)} imports from {wrong}, which stands to its right"


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_knows_no_world(room: str) -> None:
    used = {name for path in (SOURCE / room).rglob("*.py") for name in imports(path)}
    outside = {name for name in used if name.startswith("ossian") and not name.startswith(f"ossian.{room}")}
    assert outside <= PURE[room]
    assert not {name.split(".")[0] for name in used} & WORLDLY


def test_no_import_hides_inside_a_function_but_the_engines_in_their_child() -> None:
    hidden = {
        str(path.relative_to(SOURCE))
        for path in FILES
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert hidden == {"engines/child.py"}
