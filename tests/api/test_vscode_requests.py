"""What VS Code 1.139.1 was seen to send to Ossian, cut to what matters. editor/vscode/test/real drives the real one."""

import json
import logging

VSCODE = {"user-agent": "GitHubCopilotChat/0.67.0", "authorization": "Bearer"}
AGENT = {"temperature": 0.1, "top_p": 1, "n": 1, "stream": True, "stream_options": {"include_usage": True}}
LOOK = '{"filePath": "/shop/notes.md", "startLine": 1, "endLine": 3}'
READ_FILE = {"type": "function", "function": {"name": "read_file", "description": "Read a file", "parameters": {}}}
TURN = [
    {"role": "system", "content": "You are an expert."},
    {"role": "user", "content": "<environment_info>\nLinux\n</environment_info>"},
    {"role": "user", "content": f"<context>\n</context>\n<userRequest>\ncall read_file {LOOK}\n</userRequest>"},
]


def deltas(server, body):
    response = server.post("/v1/chat/completions", {"model": "fake", **body}, headers=VSCODE)
    assert response.status_code == 200
    chunks = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


def test_the_model_is_given_back_what_it_thought_before_a_call(serve):
    server = serve()
    said = deltas(server, {**AGENT, "messages": TURN, "tools": [READ_FILE]})
    thinking = [delta for delta in said if delta.get("reasoning")]
    call = next(delta["tool_calls"][0] for delta in said if delta.get("tool_calls"))
    thought = "".join(delta["reasoning"] for delta in thinking)
    assert (call["function"]["name"], call["function"]["arguments"]) == ("read_file", LOOK)

    # VS Code writes the arguments anew, without blanks, and names the thinking cot_summary when it had a cot_id.
    function = {"name": "read_file", "arguments": json.dumps(json.loads(LOOK), separators=(",", ":"))}
    back = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": call["id"], "function": function, "type": "function"}],
        "cot_id": thinking[0]["cot_id"],
        "cot_summary": thought,
    }
    result = {"role": "tool", "content": "The shop opens at nine.", "tool_call_id": call["id"]}
    said = deltas(server, {**AGENT, "messages": [*TURN, back, result], "tools": [READ_FILE]})
    assert "".join(delta.get("content", "") for delta in said) == "The tool answered: The shop opens at nine."
    message = server.model.requests[-1].messages[3]
    assert (message.thinking, message.calls[0].arguments) == (thought, LOOK)


def test_the_custom_endpoint_names_effort_and_bound(serve):
    server = serve()
    body = {**AGENT, "reasoning_effort": "medium", "max_completion_tokens": 16384, "messages": TURN}
    deltas(server, {key: value for key, value in body.items() if key != "temperature"})
    request = server.model.requests[-1]
    assert (request.reasoning, request.think, request.max_tokens) == ("medium", True, 16384)


def test_every_request_is_in_the_log(serve, caplog):
    caplog.set_level(logging.DEBUG, "ossian")
    serve().get("/api/version", headers=VSCODE)
    assert "GET /api/version for GitHubCopilotChat/0.67.0" in caplog.messages
