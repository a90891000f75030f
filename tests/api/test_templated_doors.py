"""Models with a chat template at all doors, with the official clients; real models of random weights."""

import json

import anthropic
import ollama
import openai
import pytest

from chat_gguf import token

TO_SPEAK = {"Z": 50, "Y": 45, "X": 40, "<|im_end|>": 55}
TO_CALL = {"<tool_call>": 50, "Ċ": 60, "<|im_end|>": 57}
TOOL = {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}}
HELLO = [{"role": "user", "content": "hello"}]
YES = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}},
    "required": ["yes"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def server(serve_steadily, chat_models):
    return serve_steadily(models=chat_models, stored=True, real=True, context_length=4_096)


def bias(likings):
    return {str(token(text)): liking for text, liking in likings.items()}


def test_capabilities_are_what_the_template_says(server):
    listed = {entry["name"]: entry["capabilities"] for entry in server.get("/api/tags").json()["models"]}
    del listed["demo"]
    assert listed == {
        "base": ["completion", "insert"],
        "chatml": ["completion"],
        "llama": ["completion"],
        "r1": ["completion", "thinking"],
        "thinking": ["completion", "tools", "thinking"],
    }
    assert ollama.Client(server.url).show("thinking").capabilities == ["completion", "tools", "thinking"]


def test_ollama_s_client_gets_a_thought_and_an_answer(server):
    answer = ollama.Client(server.url).chat("r1", HELLO, think=True, options={"num_predict": 6, "seed": 1})
    assert answer.done_reason == "length" and answer.eval_count == 6
    assert answer.message.thinking and not answer.message.content


def test_ollama_s_client_gets_json_by_a_schema(server):
    for model in ("chatml", "thinking"):
        answer = ollama.Client(server.url).chat(model, HELLO, format=YES, think=False, options={"seed": 1})
        assert json.loads(answer.message.content)["yes"] in (True, False)


def test_generate_answers_by_the_template_and_raw_without(server):
    def prompt_tokens(**more):
        asked = {"model": "llama", "prompt": "hello", "stream": False, "options": {"num_predict": 3}, **more}
        return server.post("/api/generate", asked).json()["prompt_eval_count"]

    assert prompt_tokens(raw=True) == len("hello")
    assert prompt_tokens() > len("hello") + len("user") + len("assistant")


def test_openai_s_client_streams_words_and_calls(server):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="ignored", max_retries=0)
    words = client.chat.completions.create(
        model="chatml", messages=HELLO, logit_bias=bias(TO_SPEAK), presence_penalty=25, temperature=0, stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in words) == "ZYX"
    tools = [{"type": "function", "function": TOOL}]
    answer = client.chat.completions.create(
        model="thinking",
        messages=HELLO,
        tools=tools,
        tool_choice="required",
        parallel_tool_calls=False,
        logit_bias=bias(TO_CALL),
        presence_penalty=25,
        temperature=0,
        reasoning_effort="none",
        max_tokens=300,
    )
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("now", {})
    assert answer.choices[0].finish_reason == "tool_calls"
    again = [*HELLO, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "Noon."}]
    told = client.chat.completions.create(model="thinking", messages=again, tools=tools, max_tokens=3)
    assert told.usage.prompt_tokens > answer.usage.prompt_tokens and told.usage.completion_tokens == 3


def test_anthropic_s_client_is_answered_and_counts_the_same(server):
    client = anthropic.Anthropic(base_url=server.url, api_key="ignored", max_retries=0)
    tools = [{"name": "now", "description": "The time.", "input_schema": TOOL["parameters"]}]
    asked = {"model": "thinking", "system": "Be brief.", "messages": HELLO, "tools": tools}
    with client.messages.stream(**asked, max_tokens=4) as stream:
        answer = stream.get_final_message()
    assert answer.stop_reason == "max_tokens" and answer.usage.output_tokens == 4
    counted = client.messages.count_tokens(**asked).input_tokens
    assert counted == answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0)


def test_the_responses_door_keeps_a_format(server):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="ignored", max_retries=0)
    answer = client.responses.create(
        model="thinking",
        input="hello",
        text={"format": {"type": "json_schema", "name": "answer", "schema": YES, "strict": True}},
        reasoning={"effort": "none"},
        store=False,
    )
    assert json.loads(answer.output_text)["yes"] in (True, False)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        pytest.param(
            "/api/chat", {"model": "chatml", "think": True}, '"chatml" does not support thinking', id="thinking"
        ),
        pytest.param(
            "/api/chat",
            {"model": "chatml", "tools": [{"type": "function", "function": TOOL}]},
            "registry.ollama.ai/library/chatml:latest does not support tools",
            id="tools",
        ),
        pytest.param(
            "/api/chat",
            {"model": "base"},
            '"base" does not support chat: its file has no chat template. Continue raw text instead '
            "(raw: true on /api/generate, or /v1/completions), or take an instruct model.",
            id="no template",
        ),
        pytest.param(
            "/api/generate",
            {"model": "chatml", "prompt": "a", "suffix": "b"},
            "registry.ollama.ai/library/chatml:latest does not support insert",
            id="suffix",
        ),
        pytest.param(
            "/api/chat",
            {"model": "llama", "messages": [*HELLO, {"role": "tool", "content": "3", "tool_name": "now"}]},
            "the model's chat template, or the engine, refuses this: only system, user and assistant may speak.",
            id="rejected by the template",
        ),
        pytest.param(
            "/api/chat",
            {
                "model": "thinking",
                "format": "json",
                "tools": [{"type": "function", "function": TOOL}],
            },
            'format does not go together with tools for "thinking": llama.cpp would leave out one of them. '
            "Let it call tools in a request without format, put the results into messages, and then ask for it in a "
            'request with tool_choice "none", or without tools.',
            id="format and tools",
        ),
    ],
)
def test_what_a_model_cannot_do_is_refused(server, path, body, words):
    response = server.post(path, {"messages": HELLO, **body} if path == "/api/chat" else body)
    assert (response.status_code, response.json()) == (400, {"error": words})


def test_a_gap_in_code_is_filled(server):
    body = {
        "model": "base",
        "prompt": "def a():\n",
        "suffix": "\na()\n",
        "stream": False,
        "options": {"num_predict": 4, "seed": 1},
    }
    answer = server.post("/api/generate", body).json()
    assert 1 <= answer["eval_count"] <= 4  # random words, among them now and then the last one
    assert answer["prompt_eval_count"] == len("def a():\n" + "\na()\n") + 3


def test_hanging_up_frees_the_model(server, eventually):
    body = {"model": "chatml", "messages": HELLO, "options": {"num_ctx": 4_096}}
    with server.client.stream("POST", server.url + "/api/chat", json=body) as response:
        next(response.iter_lines())
    eventually(lambda: server.users == 0, 5.0)
