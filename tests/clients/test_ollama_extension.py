"""Ollama's own extension for VS Code (0.0.8): native requests, with all that VS Code puts into `options`."""

import json
from dataclasses import replace

import pytest

from ossian.chat import Text, Thinking, ToolCall
from ossian.engines.fake import FAKE_FILE

MODEL = "gpt-oss:20b"
FILE = replace(FAKE_FILE, name="gpt-oss")
LOOK = {"filePath": "/shop/notes.md", "startLine": 1}
SCHEMA = {"type": "object", "properties": {"filePath": {"type": "string"}, "startLine": {"type": "number"}}}
READ_FILE = {"name": "read_file", "description": "Read a file", "parameters": SCHEMA}
THOUGHT = "I must look."
SCRIPT = [
    [Thinking(THOUGHT), ToolCall("call_1", "read_file", json.dumps(LOOK))],
    [Thinking("Nine."), Text("The shop opens at nine.")],
]
RESULT = "The shop opens at nine."
TURN = "When does it open?"


@pytest.fixture
def server(serve):
    return serve(SCRIPT, files=(FILE,))


def test_ollamas_extension_sends_foreign_options_and_only_the_id_of_a_call(server):
    options = {
        "_capturingTokenCorrelationId": "b5e0",
        "_otelTraceContext": {"traceId": "1f", "spanId": "2e"},
        "_telemetryTurn": 1,
        "_enableThinking": True,
        "_conversationId": "c-1",
        "temperature": None,
        "stop": None,
    }
    tools = [{"type": "function", "function": READ_FILE}]
    body = {"model": MODEL, "messages": [{"role": "user", "content": TURN}], "tools": tools, "options": options}
    lines = [json.loads(line) for line in server.post("/api/chat", {**body, "stream": True}).text.splitlines()]
    (call,) = (call for line in lines for call in line["message"].get("tool_calls", ()))
    assert (call["function"]["name"], call["function"]["arguments"], bool(call["id"])) == ("read_file", LOOK, True)
    assert (lines[-1]["done"], lines[-1]["done_reason"]) == (True, "stop")

    back = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": call["id"], "function": {"name": "read_file", "arguments": LOOK}}],
    }
    result = {"role": "tool", "content": RESULT, "tool_call_id": call["id"]}
    again = {**body, "messages": [*body["messages"], back, result], "stream": True}
    lines = [json.loads(line) for line in server.post("/api/chat", again).text.splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == "The shop opens at nine."
    *_, called, answered = server.model.requests[-1].messages
    assert (called.thinking, answered.name, answered.content) == (THOUGHT, "read_file", RESULT)


def test_ollamas_extension_finds_the_context_that_is_served(server):
    server.post("/api/chat", {"model": MODEL, "stream": False})
    (loaded,) = server.get("/api/ps").json()["models"]
    shown = server.post("/api/show", {"model": MODEL, "verbose": False}).json()
    parameters = dict(line.split(None, 1) for line in shown["parameters"].splitlines())
    assert loaded["context_length"] == int(parameters["num_ctx"]) == shown["context_length"]
    assert 0 < shown["max_output_tokens"] < shown["context_length"]
    assert server.get("/api/experimental/model-recommendations").status_code == 404
