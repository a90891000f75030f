"""The tools on documents over plain HTTP, for agents that bring a model of their own."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def server(serve: Any, tmp_path: Path) -> Any:
    (tmp_path / "notes.md").write_text("# Notes\n\nThe harbour opens at seven.\n")
    running = serve(embedder="off")
    running.post("/api/library/notes/documents", {"paths": [str(tmp_path)], "stream": False})
    return running


def test_a_tool_is_called_by_curl(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    body = {"name": "read", "arguments": {"path": "notes.md", "first_line": 3}, "documents": ["notes"]}

    answer = server.post("/api/tools", body)

    source = {
        "number": 1,
        "collection": "notes",
        "path": str(path),
        "first_line": 3,
        "last_line": 3,
        "page": None,
        "text": "The harbour opens at seven.",
        "changed": False,
        "cited": False,
        "link": f"file://{path}#L3",
    }
    text = f"[1] [{path}:3-3](file://{path}#L3)\nThe harbour opens at seven."
    assert (answer.status_code, answer.json()) == (200, {"text": text, "sources": [source]})


def test_they_are_listed_as_functions(server: Any) -> None:
    listed = server.get("/api/tools").json()["tools"]

    assert [each["function"]["name"] for each in listed] == ["search", "definition", "references", "read"]
    assert listed[1]["function"]["parameters"]["required"] == ["name"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        pytest.param({"name": "write"}, 400, 'name "write" is no tool on documents', id="another tool"),
        pytest.param({"name": "search", "documents": ["books"]}, 404, "'books'", id="another collection"),
        pytest.param({"name": "search", "arguments": []}, 400, "arguments must be an object", id="a list"),
    ],
)
def test_what_cannot_be_is_refused(server: Any, body: dict[str, Any], status: int, said: str) -> None:
    answer = server.post("/api/tools", body)

    assert (answer.status_code, said in answer.json()["error"]) == (status, True)


def test_a_form_that_is_none_is_the_callers_fault(server: Any) -> None:
    headers = {"Content-Type": "multipart/form-data"}

    answer = server.client.post(f"{server.url}/api/library/notes/documents", content=b"{}", headers=headers)

    assert (answer.status_code, answer.json()["error"].startswith("the form cannot be read: ")) == (400, True)
