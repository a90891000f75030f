"""The ways from VS Code 1.139.1 to a model, each with what it sends and what it reads of the answer."""

import json
from dataclasses import replace

import pytest

from ossian.chat import Text, Thinking, ToolCall
from ossian.engines.fake import FAKE_FILE

COPILOT = {
    "user-agent": "GitHubCopilotChat/0.67.0",
    "authorization": "Bearer",
    "x-onbehalf-extension-id": "github.copilot-chat/0.67.0",
    "openai-intent": "conversation-other",
    "x-initiator": "user",
    "sec-fetch-mode": "cors",
}
MODEL = "gpt-oss:20b"
FILE = replace(FAKE_FILE, name="gpt-oss", metadata={**FAKE_FILE.metadata, "general.basename": "gpt-oss"})
LOOK = {"filePath": "/shop/notes.md", "startLine": 1}
SCHEMA = {"type": "object", "properties": {"filePath": {"type": "string"}, "startLine": {"type": "number"}}}
READ_FILE = {"name": "read_file", "description": "Read a file", "parameters": SCHEMA}
THOUGHT = "I must look."
SCRIPT = [
    [Thinking(THOUGHT), ToolCall("call_1", "read_file", json.dumps(LOOK))],
    [Thinking("Nine."), Text("The shop opens at nine.")],
]
RESULT = "The shop opens at nine."
SYSTEM = "You are an expert AI programming assistant."
TURN = "<context>\n</context>\n<userRequest>\nWhen does it open?\n</userRequest>"


@pytest.fixture
def server(serve):
    return serve(SCRIPT, files=(FILE,))


def events_of(response):
    assert response.status_code == 200, response.text
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]


def second_turn(server):
    """What the model was given after the tool's result."""
    return server.model.requests[-1].messages


def hear_chat(response):
    """What VS Code reads of chat-completions: thinking with its id, calls by their ids, the end, the usage."""
    heard = {"thinking": "", "cot_id": "", "text": "", "calls": [], "finish": "", "usage": None}
    for chunk in events_of(response):
        heard["usage"] = chunk.get("usage") or heard["usage"]
        for choice in chunk["choices"]:
            assert "message" not in choice
            delta = choice["delta"]
            assert not (delta.get("content") and delta.get("tool_calls")), "the content would be lost"
            heard["thinking"] += delta.get("reasoning_content") or ""
            heard["cot_id"] = delta.get("cot_id") or heard["cot_id"]
            heard["text"] += delta.get("content") or ""
            heard["calls"] += delta.get("tool_calls") or []
            heard["finish"] = choice["finish_reason"] or heard["finish"]
    assert all(type(heard["usage"][name]) is int for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    return heard


def ask_chat(server, messages, **more):
    body = {
        "messages": messages,
        "model": MODEL,
        "temperature": 0.1,
        "top_p": 1,
        "stream": True,
        "tools": [{"type": "function", "function": READ_FILE}],
        "n": 1,
        "stream_options": {"include_usage": True},
        **more,
    }
    body = {key: value for key, value in body.items() if value is not None}
    return hear_chat(server.post("/v1/chat/completions", body, headers=COPILOT))


def test_the_ollama_provider_lists_and_shows_what_is_served(serve, tmp_path):
    server = serve(real=True, stored=True, models=tmp_path, context_length=4096)
    version = server.get("/api/version", headers=COPILOT).json()["version"]
    assert tuple(map(int, version.split("."))) >= (0, 6, 4)
    (listed,) = server.get("/api/tags", headers=COPILOT).json()["models"]
    shown = server.post("/api/show", {"model": listed["model"]}, headers=COPILOT).json()
    info = shown["model_info"]
    assert {"tools", "thinking"} <= set(shown["capabilities"])
    assert info["general.basename"] == listed["model"]
    body = {"model": listed["model"], "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "stream": True}
    events_of(server.post("/v1/chat/completions", body, headers=COPILOT))
    (loaded,) = server.get("/api/ps").json()["models"]
    assert info[f"{info['general.architecture']}.context_length"] == loaded["context_length"] == 4096


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(("cot_id", "cot_summary"), id="a model not said to think"),
        pytest.param(("cot_id", "cot_summary", "reasoning_content", "reasoning"), id="one that is"),
        pytest.param((), id="nothing comes back: our own memory"),
    ],
)
def test_the_ollama_provider_goes_on_after_a_tool(server, kept):
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "<environment_info>\nLinux\n</environment_info>"},
        {"role": "user", "content": TURN, "copilot_cache_control": {"type": "ephemeral"}},
    ]
    first = ask_chat(server, messages)
    (call,) = first["calls"]
    assert (first["thinking"], first["finish"], bool(first["cot_id"])) == (THOUGHT, "tool_calls", True)
    assert json.loads(call["function"]["arguments"]) == LOOK
    thought = {"cot_id": first["cot_id"], **dict.fromkeys(kept[1:], first["thinking"])} if kept else {}
    function = {"name": "read_file", "arguments": json.dumps(LOOK, separators=(",", ":"))}
    back = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": call["id"], "type": "function", "function": function}],
    }
    result = {"role": "tool", "tool_call_id": call["id"], "content": RESULT}
    second = ask_chat(server, [*messages, {**back, **thought}, result])
    assert (second["text"], second["finish"]) == ("The shop opens at nine.", "stop")
    *_, called, answered = second_turn(server)
    assert (called.thinking, called.calls[0].arguments) == (THOUGHT, json.dumps(LOOK))
    assert (answered.name, answered.content) == ("read_file", RESULT)


@pytest.mark.parametrize("name", ["cot_summary", "reasoning_content", "reasoning", "reasoning_text", "thinking"])
def test_the_chain_of_thought_is_read_under_each_of_its_names(serve, name):
    server = serve([[Text("Good.")]], files=(FILE,))
    call = {"id": "call_unknown", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    back = {"role": "assistant", "content": "", "tool_calls": [call], "cot_id": "cot-9", name: "Out of another day."}
    result = {"role": "tool", "tool_call_id": "call_unknown", "content": RESULT}
    ask_chat(server, [{"role": "user", "content": "Hi"}, back, result])
    assert second_turn(server)[1].thinking == "Out of another day."


def test_an_answer_that_is_not_streamed_has_an_id_for_its_thinking_too(server):
    # "streaming": false in the group of a Custom Endpoint
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": False}
    message = server.post("/v1/chat/completions", body, headers=COPILOT).json()["choices"][0]["message"]
    assert (message["reasoning"], message["reasoning_content"]) == (THOUGHT, THOUGHT)
    assert message["cot_id"].startswith("cot-")


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
def test_the_custom_endpoint_names_its_effort_in_chat_completions(server, effort):
    more = {"temperature": None, "reasoning_effort": effort, "max_completion_tokens": 8192}
    ask_chat(server, [{"role": "user", "content": TURN}], **more)
    (asked,) = server.model.requests
    assert (asked.reasoning, asked.think, asked.max_tokens, asked.sampling.temperature) == (effort, True, 8192, None)


def test_the_custom_endpoint_speaks_responses(server):
    tool = {"type": "function", "strict": False, **READ_FILE}
    body = {
        "model": MODEL,
        "input": [
            {"role": "system", "content": [{"type": "input_text", "text": SYSTEM}], "type": "message"},
            {"role": "user", "content": [{"type": "input_text", "text": TURN}], "type": "message"},
        ],
        "stream": True,
        "tools": [tool],
        "max_output_tokens": 8192,
        "tool_choice": "auto",
        "top_logprobs": 0,
        "store": True,
        "truncation": "disabled",
        "reasoning": {"effort": "high", "summary": "detailed"},
        "include": ["reasoning.encrypted_content"],
        "text": {"verbosity": "medium"},
        "top_p": 1,
    }
    events = events_of(server.post("/v1/responses", body, headers=COPILOT))
    thought = "".join(event["delta"] for event in events if event["type"] == "response.reasoning_summary_text.delta")
    reasoning, call = events[-1]["response"]["output"]
    assert (events[-1]["type"], thought, call["type"]) == ("response.completed", THOUGHT, "function_call")
    assert (call["name"], json.loads(call["arguments"])) == ("read_file", LOOK)
    assert reasoning["encrypted_content"]
    assert server.model.requests[-1].reasoning == "high"

    result = {"type": "function_call_output", "call_id": call["call_id"], "output": RESULT}
    after = {**body, "input": [result], "previous_response_id": events[-1]["response"]["id"]}
    events = events_of(server.post("/v1/responses", after, headers=COPILOT))
    assert events[-1]["response"]["output"][-1]["content"][0]["text"] == "The shop opens at nine."
    *_, called, answered = second_turn(server)
    assert (called.thinking, answered.content) == (THOUGHT, RESULT)
    assert events[-1]["response"]["usage"]["total_tokens"] > 0


def test_without_a_kept_answer_responses_bring_the_thinking_back_sealed(server):
    asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": TURN}]}
    body = {
        "model": MODEL,
        "input": [asked],
        "stream": True,
        "tools": [{"type": "function", **READ_FILE}],
        "store": False,
    }
    body["include"] = ["reasoning.encrypted_content"]
    reasoning, call = events_of(server.post("/v1/responses", body, headers=COPILOT))[-1]["response"]["output"]
    back = [
        {
            "type": "reasoning",
            "id": reasoning["id"],
            "summary": [],
            "encrypted_content": reasoning["encrypted_content"],
        },
        {key: call[key] for key in ("type", "name", "arguments", "call_id")},
        {"type": "function_call_output", "call_id": call["call_id"], "output": RESULT},
    ]
    events_of(server.post("/v1/responses", {**body, "input": [asked, *back]}, headers=COPILOT))
    assert second_turn(server)[1].thinking == THOUGHT


@pytest.mark.parametrize("is_kept", [False, True], ids=["VS Code drops the thinking", "a client keeps it"])
def test_the_custom_endpoint_speaks_messages(server, is_kept):
    headers = {**COPILOT, "x-api-key": "", "anthropic-version": "2023-06-01"}
    cache = {"cache_control": {"type": "ephemeral"}}
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": [{"type": "text", "text": TURN, **cache}]}],
        "system": [{"type": "text", "text": SYSTEM, **cache}],
        "stream": True,
        "tools": [{"name": "read_file", "description": "Read a file", "input_schema": SCHEMA}],
        "top_p": 1,
        "max_tokens": 8192,
        "output_config": {"effort": "high"},
    }
    events = events_of(server.post("/v1/messages", body, headers=headers))
    started = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [block["type"] for block in started] == ["thinking", "tool_use"], "it asks for none, and shows it"
    assert server.model.requests[-1].reasoning == "high"
    assert "".join(delta.get("thinking", "") for delta in deltas) == THOUGHT
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == LOOK
    signature = "".join(delta.get("signature", "") for delta in deltas)
    assert events[-2]["delta"]["stop_reason"] == "tool_use"

    called = {"type": "tool_use", "id": started[1]["id"], "name": "read_file", "input": LOOK}
    thought = {"type": "thinking", "thinking": THOUGHT, "signature": signature}
    result = {"type": "tool_result", "tool_use_id": started[1]["id"], "content": [{"type": "text", "text": RESULT}]}
    back = [{"role": "assistant", "content": [thought, called][not is_kept :]}, {"role": "user", "content": [result]}]
    events = events_of(server.post("/v1/messages", {**body, "messages": [*body["messages"], *back]}, headers=headers))
    texts = [event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta"]
    assert "".join(texts) == "The shop opens at nine."
    assert second_turn(server)[-2].thinking == THOUGHT


def test_a_second_chat_beside_the_first_is_answered_apart(serve):
    server = serve(files=(FILE,))
    texts = [ask_chat(server, [{"role": "user", "content": f"chat {number}"}])["text"] for number in (1, 2)]
    assert texts == ["You said: chat 1", "You said: chat 2"]


def test_cancel_frees_the_model(serve, eventually):
    server = serve(files=(FILE,), pause=0.05)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "many words " * 50}], "stream": True}
    with server.client.stream("POST", f"{server.url}/v1/chat/completions", json=body, headers=COPILOT) as response:
        next(response.iter_lines())
    eventually(lambda: server.hang_ups == 1 and server.users == 0, 5)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 12}),
        ("/v1/responses", {"input": "Hi", "max_output_tokens": 12}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 12}),
    ],
)
def test_a_real_model_ends_every_stream_properly(serve, tmp_path, path, body):
    server = serve(real=True, stored=True, models=tmp_path, context_length=4096)
    said = server.post(path, {"model": "demo", "stream": True, **body}, headers=COPILOT)
    last = events_of(said)[-1]
    ends = [choice["finish_reason"] for event in events_of(said) for choice in event.get("choices", ())][-1:]
    assert ends == ["length"] or last["type"] in ("response.incomplete", "message_stop")
