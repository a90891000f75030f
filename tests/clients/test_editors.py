"""Other editors' clients: the requests each sends, and what it reads of the answers."""

import json
from dataclasses import replace

import pytest

from ossian.chat import Text, Thinking, ToolCall
from ossian.engines.fake import FAKE_FILE, FakeModel
from ossian.errors import ModelFailed

MODEL = "gpt-oss:20b"
FILE = replace(
    FAKE_FILE, name="gpt-oss", capabilities=("completion", "tools", "insert", "thinking"), template="{{ x }}"
)
EMBEDDER = replace(FAKE_FILE, name="nomic-embed-text", digest="2" * 64, capabilities=("embedding",))
ARGUMENTS = {"path": "notes.md"}
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
READ_FILE = {"type": "function", "function": {"name": "read_file", "description": "Read it", "parameters": SCHEMA}}
THOUGHT = "I must look."
SCRIPT = [
    [Thinking(THOUGHT), ToolCall("call_1", "read_file", json.dumps(ARGUMENTS))],
    [Thinking("Nine."), Text("It opens at nine.")],
]
QUESTION = {"role": "user", "content": "When does it open?"}
SYSTEM = {"role": "system", "content": "You are a coding assistant."}


class Coder(FakeModel):
    """Keeps what was to be completed as well."""

    async def complete(self, request):
        self.requests.append(request)
        async for event in super().complete(request):
            yield event


@pytest.fixture
def server(serve):
    return serve(SCRIPT, files=(FILE, EMBEDDER))


@pytest.fixture
def coder(serve):
    return serve(model=Coder, files=(FILE, EMBEDDER))


def lines_of(response):
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def hear(lines):
    """A native answer as those who stream it put it together."""
    messages = [line["message"] for line in lines]
    assert all(message["role"] == "assistant" for message in messages)
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert {"prompt_eval_count", "eval_count", "done_reason"} <= set(lines[-1])
    calls = [call["function"] for message in messages for call in message.get("tool_calls", ())]
    return (
        "".join(message.get("thinking", "") for message in messages),
        "".join(message["content"] for message in messages),
        [(call["name"], call["arguments"]) for call in calls],
    )


def last_request(server):
    return server.model.requests[-1]


def test_continue_chats_with_tools_for_the_person_only(server):
    options = {
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "num_predict": 4096, "stop": [], "num_ctx": 8192,
        "mirostat": None, "num_thread": None, "use_mmap": None,
    }  # fmt: skip
    body = {"model": MODEL, "options": options, "stream": True, "keep_alive": 1800, "think": False, "raw": None}
    heard = hear(lines_of(server.post("/api/chat", {**body, "messages": [SYSTEM, QUESTION], "tools": [READ_FILE]})))
    assert heard == (THOUGHT, "", [("read_file", ARGUMENTS)])
    asked = last_request(server)
    assert (asked.context, asked.max_tokens, asked.keep_alive, asked.think) == (8192, 4096, 1800.0, False)
    assert [tool.name for tool in asked.tools] == ["read_file"]

    called = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "read_file", "arguments": ARGUMENTS}}],
    }
    result = {"role": "tool", "content": "Nine o'clock"}
    heard = hear(lines_of(server.post("/api/chat", {**body, "messages": [SYSTEM, QUESTION, called, result]})))
    assert heard[1:] == ("It opens at nine.", [])


def test_continue_asks_by_name_and_learns_that_code_is_filled_in(coder):
    shown = coder.post("/api/show", {"name": MODEL}).json()
    assert ".Suffix" in shown["template"], "else it sends a prompt of its own, raw"
    body = {"model": MODEL, "prompt": "def f():\n    ", "suffix": "\nf()", "raw": False, "stream": True}
    options = {"temperature": 0.01, "num_predict": 256, "stop": ["\n\n"], "num_ctx": 8192}
    lines = lines_of(coder.post("/api/generate", {**body, "options": options, "keep_alive": 1800}))
    assert "".join(line["response"] for line in lines).startswith("You said: def f()")
    asked = last_request(coder)
    assert (asked.prompt, asked.suffix, asked.stop) == ("def f():\n    ", "\nf()", ("\n\n",))


def test_continue_embeds_in_batches(server):
    texts = [f"piece {number}" for number in range(64)]
    answer = server.post("/api/embed", {"model": "nomic-embed-text", "input": texts}).json()
    assert len(answer["embeddings"]) == 64


def test_cline_names_the_tool_of_a_result(server):
    body = {"model": MODEL, "stream": True, "options": {"num_ctx": 32768}, "tools": [READ_FILE]}
    assert hear(lines_of(server.post("/api/chat", {**body, "messages": [SYSTEM, QUESTION]})))[2]
    called = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "read_file", "arguments": ARGUMENTS}}],
    }
    result = {"role": "tool", "content": "Nine o'clock", "tool_name": "read_file"}
    heard = hear(lines_of(server.post("/api/chat", {**body, "messages": [SYSTEM, QUESTION, called, result]})))
    assert heard[1] == "It opens at nine."
    message = last_request(server).messages[-1]
    assert (message.name, message.content, last_request(server).context) == ("read_file", "Nine o'clock", 32768)


def test_cline_hears_of_an_error_in_a_line_of_its_own(serve):
    class Dying(FakeModel):
        async def chat(self, request):
            yield Text("Half an")
            raise ModelFailed("the model's process died.")

    *_, last = lines_of(serve(model=Dying).post("/api/chat", {"model": "fake", "messages": [QUESTION]}))
    assert last == {"error": "the model's process died."}


def test_roo_finds_the_context_that_is_served_and_the_tools(server):
    shown = server.post("/api/show", {"model": MODEL}).json()
    first = next(key for key in shown["model_info"] if "context_length" in key)
    listed = next(model for model in server.get("/api/tags").json()["models"] if model["name"].startswith("gpt-oss"))
    assert shown["model_info"][first] == shown["context_length"] == listed["details"]["context_length"]
    assert "tools" in shown["capabilities"]


def test_roo_chats_without_a_context_of_its_own_and_embeds(server):
    body = {"model": MODEL, "messages": [SYSTEM, QUESTION], "stream": True, "options": {"temperature": 0}}
    heard = hear(lines_of(server.post("/api/chat", {**body, "tools": [READ_FILE]})))
    assert heard == (THOUGHT, "", [("read_file", ARGUMENTS)])
    assert (last_request(server).context, last_request(server).sampling.temperature) == (None, 0.0)
    answer = server.post("/api/embed", {"model": "nomic-embed-text", "input": ["one", "two"]}).json()
    assert len(answer["embeddings"]) == 2


def test_zed_finds_the_models_by_itself_and_shows_thinking(server):
    assert [model["name"] for model in server.get("/api/tags").json()["models"]] == ["gpt-oss", "nomic-embed-text"]
    shown = server.post("/api/show", {"model": MODEL}).json()
    assert {"tools", "thinking"} <= set(shown["capabilities"])
    options = {"num_ctx": 16384, "num_predict": None, "stop": [], "temperature": 1.0, "top_p": None}
    body = {"model": MODEL, "messages": [SYSTEM, QUESTION], "stream": True, "keep_alive": -1, "options": options}
    heard = hear(lines_of(server.post("/api/chat", {**body, "think": True, "tools": [READ_FILE]})))
    assert heard == (THOUGHT, "", [("read_file", ARGUMENTS)])


def test_zed_predicts_edits_with_a_prompt_of_its_own(coder):
    prompt = "<|fim_prefix|>def f():\n    <|fim_suffix|>\nf()<|fim_middle|>"
    body = {
        "model": MODEL,
        "prompt": prompt,
        "raw": True,
        "stream": False,
        "options": {"num_predict": 64, "stop": ["<|fim_pad|>"]},
    }
    assert coder.post("/api/generate", body).json()["response"] == f"You said: {prompt}"


def test_aider_wants_another_context_each_time_and_loads_nothing_anew(serve):
    server = serve(files=(FILE,))
    for tokens in (9_000, 9_431, 12_044):
        body = {
            "model": MODEL,
            "messages": [SYSTEM, QUESTION],
            "stream": True,
            "options": {"num_ctx": tokens, "temperature": 0},
        }
        assert hear(lines_of(server.post("/api/chat", body)))[1].startswith("You said:")
    assert len(server.models) == 1


def test_opencode_goes_on_after_a_tool(server):
    body = {
        "model": MODEL,
        "max_tokens": 32_000,
        "messages": [SYSTEM, QUESTION],
        "tools": [READ_FILE],
        "tool_choice": "auto",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    chunks = [
        json.loads(line[6:]) for line in server.post("/v1/chat/completions", body).text.splitlines() if "{" in line
    ]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == THOUGHT
    (call,) = (call for delta in deltas for call in delta.get("tool_calls", ()))
    assert (call["index"], call["type"], json.loads(call["function"]["arguments"])) == (0, "function", ARGUMENTS)
    assert chunks[-1]["usage"]["total_tokens"] > 0
    function = {"name": "read_file", "arguments": json.dumps(ARGUMENTS, separators=(",", ":"))}
    called = {
        "role": "assistant",
        "content": "",
        "reasoning_content": THOUGHT,
        "tool_calls": [{**call, "function": function}],
    }
    result = {"role": "tool", "tool_call_id": call["id"], "content": "Nine o'clock"}
    answer = server.post(
        "/v1/chat/completions", {**body, "messages": [SYSTEM, QUESTION, called, result], "stream": False}
    )
    assert answer.json()["choices"][0]["message"]["content"] == "It opens at nine."
    assert last_request(server).messages[2].thinking == THOUGHT


def test_llama_vscode_warms_up_fills_in_chats_and_embeds(coder):
    assert coder.get("/health").json()["status"] == "ok"
    listed = coder.get("/v1/models").json()["data"]
    assert listed[0]["id"] == "gpt-oss" and listed[0]["context_length"] > 0
    # It takes the context of /v1/models then.
    assert coder.get("/props?model=gpt-oss&autoload=false").status_code == 404
    body = {
        "id_slot": 0, "input_prefix": "def f():\n", "input_suffix": "\nf()", "prompt": "    ",
        "n_cmpl": 1, "n_indent": 4,
        "input_extra": [{"filename": "a.py", "text": "A = 1"}], "top_k": 40, "top_p": 0.99, "stream": False,
        "samplers": ["top_k", "top_p", "infill"], "cache_prompt": True,
        "t_max_prompt_ms": 500, "t_max_predict_ms": 2500,
    }  # fmt: skip
    assert coder.post("/infill", {**body, "n_predict": 0}).status_code == 200
    assert coder.post("/infill", {**body, "n_predict": 128}).json()["content"].startswith("You said: # a.py")
    body = {"model": MODEL, "messages": [SYSTEM, QUESTION], "stream": False}
    said = coder.post("/v1/chat/completions", body).json()["choices"][0]["message"]["content"]
    assert said == "You said: When does it open?"
    embedded = coder.post("/v1/embeddings", {"model": "nomic-embed-text", "input": "text", "encoding_format": "float"})
    assert len(embedded.json()["data"]) == 1


def test_twinny_chats_fills_in_and_embeds(coder):
    body = {"model": MODEL, "messages": [SYSTEM, QUESTION], "stream": True, "max_tokens": 512, "temperature": 0.2}
    assert coder.post("/v1/chat/completions", body).text.endswith("data: [DONE]\n\n")
    options = {"temperature": 0.2, "num_predict": 512}
    prompt = "<PRE> def f():\n <SUF> f() <MID>"
    body = {"model": MODEL, "prompt": prompt, "stream": True, "keep_alive": "5m", "options": options}
    lines = lines_of(coder.post("/api/generate", body))
    assert (lines[-1]["done"], lines[-1]["response"]) == (True, "")
    assert coder.post("/api/embed", {"model": "nomic-embed-text", "input": "text"}).json()["embeddings"]


def test_kilo_falls_back_on_the_chat_to_fill_in(server):
    task = (
        "Language: python\n\nFill in the missing code at <<<FILL_HERE>>>.\n\n<CODE>\ndef f():\n<<<FILL_HERE>>>\n</CODE>"
    )
    body = {
        "model": MODEL,
        "messages": [SYSTEM, {"role": "user", "content": task}],
        "stream": True,
        "tools": [READ_FILE],
    }
    answer = server.post("/v1/chat/completions", {**body, "stream_options": {"include_usage": True}, "temperature": 0})
    assert answer.text.endswith("data: [DONE]\n\n")
    assert last_request(server).messages[-1].content == task
    embedded = server.post(
        "/v1/embeddings", {"model": "nomic-embed-text", "input": ["a", "b"], "encoding_format": "base64"}
    )
    assert [type(row["embedding"]) for row in embedded.json()["data"]] == [str, str]
