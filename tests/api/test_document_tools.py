"""A model that looks into documents by itself: it calls our tools, the server answers them and asks on."""

import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ossian.chat import ChatRequest, Done, Event, Events, Text, Thinking, ToolCall, Usage
from ossian.engines.fake import FakeModel
from ossian.errors import ContextTooLong
from ossian.rag.rounds import MOST_ROUNDS, NO_ROOM

CODE = '''"""Ships that sail."""


def run_target(name):
    """Run what a name stands for."""
    return name.upper()
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


def call(name: str, id: str = "call_1", /, **arguments: Any) -> ToolCall:
    return ToolCall(id, name, json.dumps(arguments))


def serve_documents(serve: Any, folder: Path, script: Sequence[Sequence[Event]]) -> Any:
    server = serve(script, embedder="off")
    added = server.post("/api/library/ships/documents", {"paths": [str(folder)], "stream": False})
    assert (added.status_code, added.json()["files"]) == (200, len(list(folder.iterdir())))
    return server


def ask(server: Any, **more: Any) -> dict[str, Any]:
    body = {"model": "fake", "messages": MESSAGES, "documents": ["ships"], "document_tools": True, "stream": False}
    answer = server.post("/api/chat", body | more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_model_reads_a_file_and_its_citation_is_checked(serve: Any, folder: Path) -> None:
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


def results_of(server: Any) -> list[str]:
    """What the tools answered before the model spoke last."""
    return [message.content for message in server.model.requests[-1].messages if message.role == "tool"]


def test_definitions_and_references_are_told_apart(serve: Any, folder: Path) -> None:
    (folder / "sail.py").write_text("def main():\n    print(run_target('harbour'))\n")
    calls = (call("definition", name="Ships.run_target"), call("references", "call_2", name="run_target"))
    server = serve_documents(serve, folder, [calls, (Text("Done."),)])

    ask(server)

    defined, used = results_of(server)
    assert (defined.count("def run_target"), defined.count("def main")) == (1, 0)
    assert (used.count("def run_target"), used.count("def main")) == (0, 1)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param(call("search"), "query must be a text that is not empty.", id="nothing asked"),
        pytest.param(call("search", query="\ud83d"), 'Nothing was found for "?". Try other words.', id="half a sign"),
        pytest.param(call("search", query="a", k=0), "k must be a whole number from 1 to 10.", id="no passages"),
        pytest.param(call("search", query="a", k=True), "k must be a whole number from 1 to 10.", id="not a number"),
        pytest.param(call("search", text="a"), 'search knows no "text"; it takes query, k.', id="another field"),
        pytest.param(ToolCall("1", "read", "{"), "The arguments are no JSON. Send one object.", id="cut off"),
        pytest.param(ToolCall("1", "read", "[" * 9_999), "The arguments are no JSON. Send one object.", id="deep"),
        pytest.param(ToolCall("1", "read", "[]"), "The arguments must be one JSON object.", id="a list"),
        pytest.param(call("definition", name="()"), "name must be an identifier, such as run_target.", id="no name"),
        pytest.param(
            call("definition", name="nobody"),
            '"nobody" is defined nowhere here. Try references or search.',
            id="not defined",
        ),
        pytest.param(
            call("references", name="_"), 'Nothing uses "_" beside what defines it. Try definition.', id="not used"
        ),
        pytest.param(
            call("read", path="/etc/passwd"),
            '"/etc/passwd" is no file of these documents. Take a path that search gives.',
            id="a file of others",
        ),
        pytest.param(
            call("read", path="notes.md", first_line=3, last_line=2),
            "last_line must be at least first_line, which is 3.",
            id="backwards",
        ),
    ],
)
def test_a_call_that_cannot_be_answered_says_what_to_do(serve: Any, folder: Path, asked: ToolCall, said: str) -> None:
    server = serve_documents(serve, folder, [(asked,), (Text("Well."),)])

    assert ask(server)["message"]["content"] == "Well."
    assert results_of(server) == [said]


def test_a_file_that_is_gone_is_said_to_be(serve: Any, folder: Path) -> None:
    server = serve_documents(serve, folder, [(call("read", path="notes.md"),), (Text("Well."),)])
    (folder / "notes.md").unlink()

    ask(server)

    assert results_of(server) == [f"{folder}/notes.md cannot be read: no such file or directory. Try search."]


def test_a_long_file_is_read_in_pieces(serve: Any, folder: Path) -> None:
    (folder / "notes.md").write_text("\n".join(f"Line {number} of the harbour." for number in range(1, 1_001)))
    script = [(call("read", path="notes.md", first_line=11, last_line=900),), (Text("Well."),)]
    server = serve_documents(serve, folder, script)

    ask(server)

    (result,) = results_of(server)
    lines = result.splitlines()
    assert lines[0] == f"[2] {folder}/notes.md:11-{10 + len(lines) - 3}"
    assert lines[-3] == f"Line {10 + len(lines) - 3} of the harbour."
    assert f"The rest begins at line {11 + len(lines) - 3}." in lines[-1]
    assert len(result) < 6_000


def test_after_eight_rounds_it_has_to_answer(serve: Any, folder: Path) -> None:
    server = serve_documents(serve, folder, [(call("search", query="harbour"),)])

    answer = ask(server)

    assert answer["message"]["content"] == ""
    assert len(server.model.requests) == MOST_ROUNDS + 1 == 9
    assert [request.tool_choice for request in server.model.requests] == ["auto"] * 8 + ["none"]
    assert [len(request.tools) for request in server.model.requests] == [4] * 8 + [0]


def test_a_passage_that_is_found_again_keeps_its_number(serve: Any, folder: Path) -> None:
    search = call("search", query="when does the harbour open")
    server = serve_documents(serve, folder, [(search,), (search,), (Text("At seven."),)])

    sources = ask(server)["sources"]

    assert [each["number"] for each in sources] == list(range(1, len(sources) + 1))
    first, second = results_of(server)
    assert first == second


def test_a_call_of_the_callers_tool_goes_out_and_ends_the_turn(serve: Any, folder: Path) -> None:
    script = [
        (call("read", path="notes.md"), Done("stop", Usage(1, 0, 1))),
        (call("weather", "call_2"), Done("stop", Usage(2, 0, 2), written=(1, 2))),
    ]
    server = serve_documents(serve, folder, script)

    answer = ask(server, tools=[WEATHER])

    assert answer["message"]["tool_calls"] == [
        {"id": "call_2", "function": {"index": 0, "name": "weather", "arguments": {}}}
    ]
    assert [tool.name for tool in server.model.requests[0].tools][:2] == ["weather", "search"]
    assert (answer["prompt_eval_count"], answer["eval_count"]) == (3, 3)


def test_what_was_found_before_the_callers_tool_stands_in_the_next_request(serve: Any, folder: Path) -> None:
    script = [(call("read", path="notes.md"),), (call("weather", "call_2"),), (Text("At seven [2]."),)]
    server = serve_documents(serve, folder, script)
    calls = ask(server, tools=[WEATHER])["message"]["tool_calls"]
    result = {"role": "tool", "content": "Sunny.", "tool_call_id": "call_2"}

    answer = ask(server, tools=[WEATHER], messages=[*MESSAGES, {"role": "assistant", "tool_calls": calls}, result])

    assert answer["message"]["content"] == f"At seven [[2]](file://{folder}/notes.md#L1)."
    assert "[2] " + str(folder / "notes.md") in server.model.requests[2].messages[0].content


def test_a_tool_of_the_caller_with_the_name_of_ours_stands_in_its_place(serve: Any, folder: Path) -> None:
    mine = {"type": "function", "function": WEATHER["function"] | {"name": "search"}}
    server = serve_documents(serve, folder, [(call("search", query="harbour"),)])

    answer = ask(server, tools=[mine])

    assert answer["message"]["tool_calls"][0]["function"]["name"] == "search"
    assert [tool.name for tool in server.model.requests[0].tools] == ["search", "definition", "references", "read"]


def test_silence_is_not_announced_where_the_model_found_something_itself(serve: Any, folder: Path) -> None:
    messages = [{"role": "user", "content": "Zzyzx qwertz?"}]
    server = serve_documents(serve, folder, [(call("read", path="notes.md"),), (Text("At seven [1]."),)])

    answer = ask(server, messages=messages)

    assert answer["message"]["content"] == f"At seven [[1]](file://{folder}/notes.md#L1)."


class Narrow(FakeModel):
    """Has no room for the result of a tool."""

    async def chat(self, request: ChatRequest) -> Events:
        if any(message.role == "tool" and message.content != NO_ROOM for message in request.messages):
            raise ContextTooLong(200, 100)
        async with aclosing(super().chat(request)) as events:
            async for event in events:
                yield event


def test_where_a_result_does_not_fit_the_model_answers_without_it(serve: Any, folder: Path) -> None:
    script = [(call("read", path="notes.md"),), (Text("Who knows [2]."),)]
    server = serve(model=lambda: Narrow(script), embedder="off")
    server.post("/api/library/ships/documents", {"paths": [str(folder)], "stream": False})

    answer = ask(server)

    assert answer["message"]["content"] == "Who knows."
    assert results_of(server) == [NO_ROOM]


def test_hanging_up_in_a_later_round_stops_the_model(serve: Any, folder: Path, eventually: Any) -> None:
    script = [(call("read", path="notes.md"),), (Text("At seven o'clock " * 500),)]
    server = serve(script, pause=0.01, embedder="off")
    server.post("/api/library/ships/documents", {"paths": [str(folder)], "stream": False})
    body = {"model": "fake", "messages": MESSAGES, "documents": ["ships"], "document_tools": True}

    with server.client.stream("POST", f"{server.url}/api/chat", json=body) as answer:
        next(answer.iter_lines())

    eventually(lambda: (server.hang_ups, server.users) == (1, 0), 5.0)


def test_openai_clients_have_it_too_and_the_thinking_streams(serve: Any, folder: Path) -> None:
    script = [(Thinking("I look."), call("read", path="notes.md")), (Thinking("So."), Text("At seven [2]."))]
    server = serve_documents(serve, folder, script)
    body = {"model": "fake+ships", "messages": MESSAGES, "document_tools": True, "stream": True}

    lines = server.post("/v1/chat/completions", body).text.split("\n\n")

    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert (
        "".join(delta.get("reasoning_content") or delta.get("reasoning") or "" for delta in deltas) == "I look.\n\nSo."
    )
    assert "".join(delta.get("content") or "" for delta in deltas) == f"At seven [[2]](file://{folder}/notes.md#L1)."
    assert not any("tool_calls" in delta for delta in deltas)


@pytest.mark.parametrize(
    ("door", "asked", "find"),
    [
        ("/v1/responses", {"input": MESSAGES[-1]["content"]}, lambda told: told["output"][-1]["content"][0]["text"]),
        ("/v1/messages", {"messages": MESSAGES, "max_tokens": 99}, lambda told: told["content"][-1]["text"]),
    ],
)
def test_other_doors_have_it_too(serve: Any, folder: Path, door: str, asked: dict[str, Any], find: Any) -> None:
    script = [(call("read", path="notes.md"),), (Text("At seven [2]."),)]
    server = serve_documents(serve, folder, script)

    told = server.post(door, {"model": "fake+ships", "document_tools": True, **asked}).json()

    assert find(told).startswith(f"At seven [[2]](file://{folder}/notes.md#L1).")
    assert "read" not in json.dumps(told.get("output", told.get("content")))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param({"documents": []}, "document_tools needs documents", id="no documents"),
        pytest.param({"tool_choice": "none"}, 'no other tool_choice than "auto"', id="no tools"),
        pytest.param({"model": "plain"}, "does not support tools", id="a model without tools"),
        pytest.param({"document_tools": "yes"}, "document_tools must be true or false", id="not true or false"),
    ],
)
def test_what_cannot_be_is_refused(serve: Any, folder: Path, more: dict[str, Any], said: str) -> None:
    server = serve_documents(serve, folder, [(Text("Well."),)])
    body = {"model": "fake", "messages": MESSAGES, "documents": ["ships"], "document_tools": True} | more

    answer = server.post("/api/chat", body)

    assert (answer.status_code, said in answer.json()["error"]) == (400, True)


def test_a_real_model_answers_with_the_tools_on_its_table(serve: Any, tmp_path: Path) -> None:
    """What it says is not compared: which look-ups it makes, and how it ends, hangs on the names of files."""
    server = serve(stored=True, real=True, embedder="off")
    (tmp_path / "lamp.md").write_text("The red lamp belongs to Maria Keller. The meeting in Oslo is at 14:30.\n")
    server.post("/api/library/ships/documents", {"paths": [str(tmp_path)], "stream": False}, timeout=60)
    question = [{"role": "user", "content": "When is the meeting in Oslo?"}]

    answer = ask(server, model="demo", messages=question, options={"temperature": 0, "num_predict": 150})

    assert answer["done_reason"] in {"stop", "length"}
    assert [each["number"] for each in answer["sources"]] == [1]
    assert answer["message"].get("tool_calls") is None
