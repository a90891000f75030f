"""Every error: its status, its envelope and a sentence that helps."""
# ruff: noqa: E501 - in a table of cases each has one line

import pytest

from ossian.chat import Text
from ossian.engines.fake import FakeModel
from ossian.errors import ContextTooLong

HI = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "f"}}


def chat(**more):
    return {"model": "fake", "messages": HI, **more}


def allowed(name):
    tools = [{"type": "function", "function": {"name": name}}]
    return {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools}}


def generate(**more):
    return {"model": "fake", "prompt": "Hi", **more}


OLLAMA_REFUSALS = [
    pytest.param("/api/chat", b"", 400, "missing request body", id="empty body"),
    pytest.param("/api/chat", b"{oops", 400, "the body is not JSON", id="broken JSON"),
    pytest.param("/api/chat", b"[1]", 400, "the body must be an object", id="not an object"),
    pytest.param("/api/chat", b"\xff\xfe\xfd", 400, "UTF-8", id="not UTF-8"),
    pytest.param("/api/chat", b"[" * 100_000, 400, "nested too deeply", id="too deep"),
    pytest.param("/api/chat", b'{"top_logprobs": NaN}', 400, "no JSON number", id="NaN"),
    pytest.param("/api/chat", {"messages": HI}, 400, "model is required", id="chat without a model"),
    pytest.param("/api/generate", {"prompt": "Hi"}, 404, "model '' not found", id="generate without a model"),
    pytest.param("/api/show", {}, 400, "model is required", id="show without a model"),
    pytest.param("/api/chat", chat(model="no\0name"), 400, "invalid model name", id="impossible name"),
    pytest.param("/api/chat", chat(model="nobody"), 404, "model 'nobody' not found", id="unknown model"),
    pytest.param("/api/generate", generate(model="nobody"), 404, "ossian pull nobody", id="what to do"),
    pytest.param("/api/show", {"model": "nobody"}, 404, "model 'nobody' not found", id="show unknown"),
    pytest.param("/api/chat", chat(model=3), 400, "model must be a string", id="wrong type"),
    pytest.param("/api/chat", chat(messages=[{"role": "user", "content": 3}]), 400, "messages[0].content", id="deep field"),
    pytest.param("/api/chat", chat(messages=[{"role": "king"}]), 400, "system, developer, user", id="unknown role"),
    pytest.param("/api/chat", chat(messages=[{**HI[0], "images": ["aa"]}]), 400, "does not support images", id="image"),
    pytest.param("/api/chat", chat(stream="yes"), 400, "stream must be true or false", id="stream"),
    pytest.param("/api/chat", chat(top_logprobs=21), 400, "top_logprobs must be between 0 and 20", id="top_logprobs"),
    pytest.param("/api/chat", chat(format=1), 400, "invalid format", id="format"),
    pytest.param("/api/chat", chat(format="yaml"), 400, 'expected "json" or a valid JSON Schema', id="format word"),
    pytest.param("/api/chat", chat(think="hard"), 400, 'invalid think value: "hard" (must be', id="think word"),
    pytest.param("/api/chat", chat(think=1), 400, "think must be a boolean or string", id="think type"),
    pytest.param("/api/chat", chat(keep_alive="soon"), 400, "is not a duration", id="keep_alive word"),
    pytest.param("/api/chat", chat(keep_alive=True), 400, "keep_alive must be", id="keep_alive type"),
    pytest.param("/api/chat", chat(options={"num_ctx": "8k"}), 400, 'option "num_ctx" must be of type integer', id="int"),
    pytest.param("/api/chat", chat(options={"top_p": True}), 400, 'option "top_p" must be of type float32', id="float"),
    pytest.param("/api/chat", chat(options={"stop": [1]}), 400, "must be of an array of strings", id="stop"),
    pytest.param("/api/chat", chat(options={"top_p": 10**400}), 400, 'option "top_p" must be of type float32', id="huge"),
    pytest.param("/api/chat", {"model": "fake", "format": []}, 400, "invalid format", id="format of a load"),
    pytest.param("/api/chat", {"model": "fake", "think": 1}, 400, "think must be a boolean", id="think of a load"),
    pytest.param("/api/generate", {"model": "fake", "images": ["aa"]}, 400, "not support images", id="images of a load"),
    pytest.param("/api/chat", chat(options=[1]), 400, "options must be an object", id="options"),
    pytest.param("/api/chat", chat(tools=[{"type": "function"}]), 400, "tools[0].function is missing", id="tool"),
    pytest.param("/api/chat", chat(tools=[{**TOOL, "type": "web"}]), 400, 'tools[0].type "web"', id="tool type"),
    pytest.param("/api/chat", chat(model="plain", tools=[TOOL]), 400, "library/plain:latest does not support tools", id="tools"),
    pytest.param("/api/chat", chat(model="plain", think="low"), 400, '"plain" does not support thinking', id="thinking"),
    pytest.param("/api/chat", chat(model="embedder"), 400, '"embedder" does not support chat', id="no chat"),
    pytest.param("/api/generate", generate(model="embedder"), 400, "does not support generate", id="no generate"),
    pytest.param("/api/generate", generate(suffix="x"), 400, "registry.ollama.ai/library/fake:latest does not support insert", id="insert"),
    pytest.param("/api/generate", generate(template="{{ .Tools }}"), 400, "template: {{ .Tools }} is not supported", id="template"),
    pytest.param("/api/generate", generate(context=[-1]), 400, "context[0] must be a token id", id="context"),
    pytest.param("/api/generate", generate(images=["aa"]), 400, "does not support images", id="images"),
    pytest.param("/api/generate", generate(raw=True, system="x"), 400, "raw mode does not support", id="raw and system"),
    pytest.param("/api/generate", generate(raw=True, think=True), 400, "think", id="raw and think"),
    pytest.param("/api/generate", generate(raw=True, format="xml"), 400, "format", id="raw and a format that is none"),
]  # fmt: skip
OPENAI_REFUSALS = [
    pytest.param(b"", 400, "missing request body", id="empty body"),
    pytest.param(b"{", 400, "the body is not JSON", id="broken JSON"),
    pytest.param({"messages": HI}, 400, "model is required", id="no model"),
    pytest.param(chat(model="nobody"), 404, "model 'nobody' not found", id="unknown model"),
    pytest.param(chat(messages=[]), 400, "[] is too short - 'messages'", id="no messages"),
    pytest.param(chat(messages=[{"role": "user"}]), 400, "messages[0].content is missing", id="no content"),
    pytest.param(chat(messages=[{"role": "king", "content": ""}]), 400, 'messages[0].role "king"', id="role"),
    pytest.param(chat(messages=[{"role": "function", "content": ""}]), 400, "messages[0].name is missing", id="nameless"),
    pytest.param(chat(messages=[{"role": "function", "name": "f", "content": 3}]), 400, "messages[0].content must be", id="result"),
    pytest.param(chat(messages=[{"role": "assistant", "function_call": {}}]), 400, "messages[0].function_call.name", id="past call"),
    pytest.param(chat(messages=[{"role": "assistant", "function_call": {"name": "f"}, "tool_calls": [{"function": {"name": "f"}}]}]), 400, "messages[0].function_call", id="both calls"),
    pytest.param(chat(messages=[{"role": "user", "content": 3}]), 400, "messages[0].content must be", id="content"),
    pytest.param(chat(messages=[{"role": "user", "content": [{"type": "image_url"}]}]), 400, "images", id="image"),
    pytest.param(chat(messages=[{"role": "user", "content": [3]}]), 400, "messages[0].content[0]", id="part"),
    pytest.param(chat(n=0), 400, "n must be between 1 and 128", id="no answer"),
    pytest.param(chat(n=129), 400, "n must be between 1 and 128", id="too many answers"),
    pytest.param(chat(logprobs=True, top_logprobs=21), 400, "top_logprobs must be between 0 and 20", id="top_logprobs"),
    pytest.param(chat(top_logprobs=2), 400, "top_logprobs needs logprobs", id="top_logprobs alone"),
    pytest.param(chat(logit_bias={"a": 2}), 400, 'logit_bias: "a" is no token id', id="logit_bias"),
    pytest.param(chat(tool_choice="required"), 400, 'tool_choice is "required", but there are no tools', id="required"),
    pytest.param(chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "other"}}), 400, 'tool_choice names "other"', id="named"),
    pytest.param(chat(tools=[{"type": "function", "function": {"name": ""}}]), 400, "tools[0].function.name is empty", id="tool without a name"),
    pytest.param(chat(tools=[TOOL], tool_choice=7), 400, "tool_choice must be", id="odd choice"),
    pytest.param(chat(tools=[TOOL], tool_choice=allowed("other")), 400, 'tool_choice names "other"', id="allowed"),
    pytest.param(chat(tools=[TOOL], tool_choice=allowed(7)), 400, "tool_choice.allowed_tools.tools must be a list", id="odd allowed"),
    pytest.param(chat(tools=[TOOL], tool_choice={"type": "allowed_tools"}), 400, "tool_choice must be", id="nothing allowed"),
    pytest.param(chat(max_tokens=-2), 400, "max_tokens must be at least 1", id="max_tokens -2"),
    pytest.param(chat(functions=[{}]), 400, "functions[0].name is missing", id="functions"),
    pytest.param(chat(functions=[{"name": "f"}], tools=[TOOL]), 400, "functions and function_call do not go together", id="functions and tools"),
    pytest.param(chat(functions=[{"name": "f"}], function_call={"name": "g"}), 400, 'function_call names "g"', id="named function"),
    pytest.param(chat(function_call={"name": "g"}), 400, 'function_call names "g"', id="no functions"),
    pytest.param(chat(functions=[{"name": "f"}], function_call="required"), 400, "function_call must be", id="odd function_call"),
    pytest.param(chat(model="plain", functions=[{"name": "f"}]), 400, "does not support tools", id="no functions here"),
    pytest.param(chat(modalities=["audio"]), 400, "modalities", id="modalities"),
    pytest.param(chat(reasoning_effort="wild"), 400, 'reasoning_effort "wild"', id="effort"),
    pytest.param(chat(response_format={"type": "xml"}), 400, "response_format.type", id="format"),
    pytest.param(chat(response_format={"type": "json_schema"}), 400, "json_schema.schema is missing", id="schema"),
    pytest.param(chat(response_format={"type": "json_object", "schema": 3}), 400, "response_format.schema must be an object", id="bare schema"),
    pytest.param(chat(max_tokens=0), 400, "max_tokens must be at least 1", id="max_tokens"),
    pytest.param(chat(temperature="hot"), 400, "temperature must be a number", id="temperature"),
    pytest.param(chat(model="plain", tools=[TOOL]), 400, "does not support tools", id="tools"),
    pytest.param(chat(model="plain", reasoning_effort="low"), 400, "does not support thinking", id="thinking"),
]  # fmt: skip
HARMLESS = {
    "n": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}, "tool_choice": "auto", "parallel_tool_calls": True,
    "user": "me", "metadata": {"a": "b"}, "stop": None, "tools": None, "stream_options": None, "reasoning_effort": None,
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "words"), OLLAMA_REFUSALS)
def test_ollama_refusals(steady_server, path, body, status, words):
    response = post(steady_server, path, body)
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert words in response.json()["error"]


@pytest.mark.parametrize(("body", "status", "words"), OPENAI_REFUSALS)
def test_openai_refusals(steady_server, body, status, words):
    response = post(steady_server, "/v1/chat/completions", body)
    error = response.json()["error"]
    assert response.status_code == status
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == {400: "invalid_request_error", 404: "not_found_error"}[status]
    assert words in error["message"]


def post(server, path, body):
    if isinstance(body, bytes):
        return server.post(path, content=body)
    return server.post(path, body)


def test_harmless_values_and_unknown_fields_are_no_error(steady_server):
    server = steady_server
    assert post(server, "/v1/chat/completions", chat(**HARMLESS)).status_code == 200
    assert post(server, "/api/chat", chat(options=None, tools=None, think=None, surprise=1)).status_code == 200
    assert post(server, "/api/chat", chat(model="plain", think=False)).status_code == 200


def test_half_an_emoji_is_no_error(steady_server):
    body = b'{"model": "fake", "prompt": "cut \\ud83d", "stream": false}'
    assert post(steady_server, "/api/generate", body).json()["response"] == "You said: cut \ufffd"


class Full(FakeModel):
    async def chat(self, request):
        raise ContextTooLong(200_000, 4096)
        yield Text("")


def test_a_prompt_that_is_too_long_is_told_both_counts(serve):
    server = serve(model=Full)
    for stream in (True, False):
        response = post(server, "/api/chat", chat(stream=stream))
        assert response.status_code == 400
        assert "200000 tokens" in response.json()["error"] and "exceed the context length of 4096" in response.text
        response = post(server, "/v1/chat/completions", chat(stream=stream))
        assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert server.users == 0


def test_unknown_paths_and_wrong_methods(steady_server):
    server = steady_server
    for response, status, text in (
        (server.get("/nowhere"), 404, "404 page not found"),
        (server.post("/v1/nowhere"), 404, "404 page not found"),
        (server.get("/api/chat"), 405, "405 method not allowed"),
        (server.post("/api/tags"), 405, "405 method not allowed"),
    ):
        assert (response.status_code, response.text) == (status, text)
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert server.get("/v1/models/nobody").json()["error"]["code"] == "model_not_found"
