"""A model that looks into documents by itself: it calls our tools, the server answers them and asks on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conftest import RunningServer, Serve
from ossian.chat import Done, Event, Text, Thinking, ToolCall, Usage
from ossian.rag.rounds import MOST_ROUNDS, NO_ROOM

CODE = '''"""Ships that sail."""


def run_target(name):
    """Run what a name stands for."""
    return name.upper()


def main():
    print(run_target("harbour"))
'''
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "", "parameters": {"type": "object", "properties": {}}},
}
MESSAGES = [{"role": "user", "content": "What does run_target give back?"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ships.py").write_text(CODE)
    (tmp_path / "notes.md").write_text("# Notes\n\nThe harbour opens at seven.\n")
    return tmp_path


def call(name: str, id: str = "call_1", **arguments: Any) -> ToolCall:
    return ToolCall(id, name, json.dumps(arguments))


def serve_documents(serve: Serve, folder: Path, script: Sequence[Sequence[Event]]) -> RunningServer:
    server = serve(script, embedder="off")
    added = server.post("/api/library/ships/documents", {"paths": [str(folder)], "stream": False})
    assert (added.status_code, added.json()["files"]) == (200, 2)
    return server


def ask(server: RunningServer, **more: Any) -> dict[str, Any]:
    body = {"model": "fake", "messages": MESSAGES, "documents": ["ships"], "document_tools": True, "stream": False}
    answer = server.post("/api/chat", body | more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_model_reads_a_file_and_its_citation_is_checked(serve: Serve, folder: Path) -> None:
    path = folder / "notes.md"
    script = [
        (Thinking("I look."), call("read", path=str(path)), Done("stop", Usage(10, 4, 3))),
        (Text("At seven [2], not [9]."), Done("stop", Usage(20, 5, 4))),
    ]
    server = serve_documents(serve, folder, script)

    answer = ask(server)

    assert answer["message"] == {
        "role": "assistant",
        "content": f"At seven [[2]](file://{path}#L1), not.",
        "thinking": "I look.",
    }
    assert [(each["number"], each["path"], each["cited"]) for each in answer["sources"]] == [
        (1, str(folder / "ships.py"), False),
        (2, str(path), True),
    ]
    assert (answer["prompt_eval_count"], answer["ossian_cached_tokens"], answer["eval_count"]) == (30, 9, 7)
    second = server.model.requests[1]
    assert [tool.name for tool in second.tools] == ["search", "definition", "references", "read"]
    assert [message.role for message in second.messages] == ["user", "assistant", "tool"]
    assert second.messages[2].content == (
        f"[2] {path}:1-3\n# Notes\n\nThe harbour opens at seven.\n\n"
        "Behind what you take from a passage, put its number, like [1]."
    )
    assert (second.messages[2].call_id, second.messages[2].name) == ("call_1", "read")
