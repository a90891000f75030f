"""OpenAI's own client, recordings of VS Code and bare HTTP on /v1."""

import asyncio
import json

import openai
import pytest

from ossian.chat import Done, Message, Text, Thinking, ToolCall, Usage
from ossian.engines.fake import FakeModel

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
HELLO = [{"role": "user", "content": "Hello there"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def client_of(server, **more):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="ignored", max_retries=0, **more)


def events(text):
    """The objects of an SSE stream; comments and [DONE] are left as text."""
    for block in text.strip().split("\n\n"):
        data = block.removeprefix("data: ")
        yield json.loads(data) if data.startswith("{") else block


def test_a_whole_completion(serve):
    server = serve([[Thinking("hm"), Text("All well."), Done("stop", Usage(7, 2, 3))]])
    answer = client_of(server).chat.completions.create(model="fake", messages=HELLO)
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "All well.", "stop")
    assert (choice.message.reasoning, choice.message.reasoning_content) == ("hm", "hm")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 3, 10)
    assert answer.usage.prompt_tokens_details.cached_tokens == 2
    assert answer.system_fingerprint == "fp_ossian"


def test_the_chunks_of_a_stream(serve):
    server = serve([[Thinking("hm"), Text("Hi you"), Done("length", Usage(7, 2, 3))]])
    body = {"model": "fake", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}
    response = server.post("/v1/chat/completions", body)
    assert response.headers["content-type"] == "text/event-stream"
    *chunks, last = events(response.text)
    assert last == "data: [DONE]"
    assert len({(chunk["id"], chunk["created"], chunk["object"]) for chunk in chunks}) == 1
    thought, *said, end, usage = chunks
    cot_id = thought["choices"][0]["delta"]["cot_id"]
    assert thought["choices"][0]["delta"] == {
        "role": "assistant",
        "reasoning": "hm",
        "reasoning_content": "hm",
        "cot_id": cot_id,
    }
    assert [chunk["choices"][0]["delta"] for chunk in said] == [{"content": "Hi"}, {"content": " you"}]
    assert (end["choices"][0]["delta"], end["choices"][0]["finish_reason"]) == ({}, "length")
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 10)


def test_a_tool_round_trip_with_the_client(serve):
    server = serve()
    client = client_of(server)
    messages = [
        {"role": "developer", "content": "Be brief"},
        {"role": "user", "content": 'call weather {"city":"Oslo"}'},
    ]
    answer = client.chat.completions.create(model="fake", messages=messages, tools=[WEATHER], reasoning_effort="high")
    choice = answer.choices[0]
    call = choice.message.tool_calls[0]
    assert (choice.finish_reason, call.function.name, call.function.arguments) == (
        "tool_calls",
        "weather",
        '{"city":"Oslo"}',
    )
    messages += [
        choice.message,
        {"role": "tool", "tool_call_id": call.id, "content": [{"type": "text", "text": "rain"}]},
    ]
    final = client.chat.completions.create(model="fake", messages=messages, tools=[WEATHER])
    assert final.choices[0].message.content == "The tool answered: rain"
    first, second = server.model.requests
    assert (first.reasoning, first.messages[0]) == ("high", Message("developer", "Be brief"))
    assert second.messages[2].thinking == choice.message.reasoning
    assert second.messages[3] == Message("tool", "rain", call_id=call.id, name="weather")


def test_streamed_calls_are_whole_and_their_ids_differ(serve):
    server = serve([[Text("Wait."), ToolCall("c", "weather", "{}"), ToolCall("c", "weather", '{"a":1}')]])
    stream = client_of(server).chat.completions.create(model="fake", messages=HELLO, tools=[WEATHER], stream=True)
    chunks = [chunk.choices[0] for chunk in stream]
    calls = [chunk.delta.tool_calls[0] for chunk in chunks if chunk.delta.tool_calls]
    assert [call.index for call in calls] == [0, 1]
    assert [call.function.arguments for call in calls] == ["{}", '{"a":1}']
    assert len({call.id for call in calls}) == 2
    assert not any(chunk.delta.tool_calls and chunk.delta.content for chunk in chunks)
    assert chunks[-1].finish_reason == "tool_calls"


async def test_the_async_client_streams(serve):
    async with openai.AsyncOpenAI(base_url=f"{serve().url}/v1", api_key="x") as client:
        stream = await client.chat.completions.create(
            model="fake", messages=HELLO, stream=True, reasoning_effort="none", max_completion_tokens=9
        )
        words = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(words) == "You said: Hello there"
        assert (await client.models.retrieve("fake")).id == "fake"
        assert [model.id async for model in client.models.list()] == ["fake", "plain", "embedder"]


def test_every_field_reaches_the_model(serve):
    server = serve()
    client_of(server).chat.completions.create(
        model="fake",
        messages=HELLO,
        max_completion_tokens=9,
        stop="END",
        temperature=0.1,
        top_p=1,
        presence_penalty=0.5,
        seed=3,
        n=1,
        tools=[WEATHER],
        tool_choice="none",
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        extra_body={"options": {"num_ctx": 5000, "top_k": 3}, "keep_alive": "2m", "reasoning": {"effort": "minimal"}},
    )
    asked = server.model.requests[0]
    assert (asked.max_tokens, asked.stop, asked.context, asked.keep_alive) == (9, ("END",), 5000, 120.0)
    assert (asked.sampling.temperature, asked.sampling.top_k, asked.sampling.seed) == (0.1, 3, 3)
    assert (asked.reasoning, asked.think, asked.tool_choice, asked.format) == ("low", True, "none", {"type": "object"})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param({"type": "text"}, None, id="text"),
        pytest.param({"type": "json_object"}, "json", id="any object"),
        pytest.param({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, SCHEMA, id="OpenAI's"),
        pytest.param({"type": "json_object", "schema": SCHEMA}, SCHEMA, id="llama.cpp's, and instructor's"),
        pytest.param({"type": "json_schema", "schema": SCHEMA}, SCHEMA, id="llama.cpp's other one"),
    ],
)
def test_a_format_is_read_wherever_clients_put_its_schema(serve, written, read):
    server = serve()
    server.post("/v1/chat/completions", {"model": "fake", "messages": HELLO, "response_format": written})
    assert server.model.requests[0].format == read


def test_thinking_is_read_back_under_all_its_names(serve):
    server = serve()
    for name in ("reasoning", "reasoning_content", "thinking", "cot_summary", "reasoning_text"):
        past = {"role": "assistant", "content": None, name: "I thought"}
        server.post("/v1/chat/completions", {"model": "fake", "messages": [past, *HELLO]})
    assert [request.messages[0].thinking for request in server.model.requests] == ["I thought"] * 5


def test_parts_of_text_are_joined(serve):
    server = serve()
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    server.post("/v1/chat/completions", {"model": "fake", "messages": [{"role": "user", "content": parts}]})
    assert server.model.requests[0].messages == (Message("user", "one\n\ntwo"),)


class Slow(FakeModel):
    """Reads its prompt for a while; asked for "trouble" it then fails."""

    async def chat(self, request):
        await asyncio.sleep(0.3)
        if request.messages[-1].content == "trouble":
            raise RuntimeError("broken")
        yield Text("There.")
        yield Done("stop", Usage())


def test_comments_flow_while_a_long_prompt_is_read(serve):
    server = serve(model=Slow, comment_seconds=0.05)
    response = server.post("/v1/chat/completions", {"model": "fake", "messages": HELLO, "stream": True})
    blocks = list(events(response.text))
    assert blocks[:3] == [": keep-alive"] * 3
    assert blocks[-1] == "data: [DONE]"
    stream = client_of(server).chat.completions.create(model="fake", messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "There."


def test_an_error_within_the_first_seconds_has_its_status(serve):
    server = serve(model=Slow, comment_seconds=5)
    body = {"model": "fake", "messages": [{"role": "user", "content": "trouble"}], "stream": True}
    response = server.post("/v1/chat/completions", body)
    assert (response.status_code, response.json()["error"]["type"]) == (500, "api_error")


def test_an_error_after_the_first_comment_is_an_event(serve):
    server = serve(model=Slow, comment_seconds=0.05)
    body = {"model": "fake", "messages": [{"role": "user", "content": "trouble"}], "stream": True}
    *_, error, done = events(server.post("/v1/chat/completions", body).text)
    assert (error["error"]["type"], done) == ("api_error", "data: [DONE]")
    with pytest.raises(openai.APIError, match="internal error"):
        list(client_of(server).chat.completions.create(**body))
    copilot = {"user-agent": "GitHubCopilotChat/0.67.0"}
    *_, words, end, done = events(server.post("/v1/chat/completions", body, headers=copilot).text)
    assert "internal error" in words["choices"][0]["delta"]["content"]
    assert end["choices"][0]["finish_reason"] == "stop"


def test_the_other_path_is_the_same_door(serve):
    server = serve()
    answer = server.post("/api/chat/completions", {"model": "fake", "messages": HELLO}).json()
    assert answer["choices"][0]["message"]["content"] == "You said: Hello there"
    assert server.post("/api/chat/completions", {"model": "x"}).json()["error"]["type"] == "not_found_error"
