"""Requests that a real VS Code 1.139.1 sent in agent mode, byte for byte. They lie beside the project, not in it."""

import json
from pathlib import Path

import pytest

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"
NAMES = ("vscode_1_139_agent_first_turn", "vscode_1_139_agent_third_turn")

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"the recordings are not at {RECORDINGS}")


@pytest.mark.parametrize("name", NAMES)
def test_a_turn_of_the_agent_is_answered_with_a_proper_stream(serve, name):
    recorded = json.loads((RECORDINGS / f"{name}.json").read_text())
    body = {**recorded["body"], "model": "fake"}
    headers = {key: value for key, value in recorded["headers"].items() if key.lower() != "content-length"}
    server = serve()
    response = server.post("/v1/chat/completions", body, headers={**headers, "host": "localhost"})
    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream")

    *chunks, end, usage, last = response.text.strip().split("\n\n")
    assert last == "data: [DONE]"
    assert all(chunk.startswith("data: {") for chunk in chunks)
    assert json.loads(end.removeprefix("data: "))["choices"][0]["finish_reason"] == "stop"
    counts = json.loads(usage.removeprefix("data: "))["usage"]
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"] > 7_000

    request = server.model.requests[-1]
    assert [message.content for message in request.messages] == [message["content"] for message in body["messages"]]
    assert [tool.name for tool in request.tools] == [tool["function"]["name"] for tool in body["tools"]]
