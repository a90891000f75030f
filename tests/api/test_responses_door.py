"""OpenAI's own client and bare HTTP on /v1/responses."""
# ruff: noqa: E501 - in a table of cases each has one line

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

import httpx2
import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel, ValidationError

from ossian.api.dialects import dump
from ossian.api.responses import read_conversation
from ossian.api.responses_items import read_items, read_turns
from ossian.api.responses_request import read_request, write_request
from ossian.api.shapes import read_json
from ossian.api.shapes_responses import ResponsesCreate
from ossian.chat import Done, Logprob, Message, OnlyTool, Text, Thinking, ToolCall, Usage
from ossian.engines.fake import FAKE_FILE, FakeModel
from ossian.errors import BadRequest, ContextTooLong
from ossian.store.responses import ResponseStore

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}
FILES = {
    "type": "namespace",
    "name": "mcp__files",
    "description": "Files of this machine",
    "tools": [{"type": "function", "name": "read"}, {"type": "function", "name": "list", "description": "Lists"}],
}
USER = Message("user", "Hello there")


@pytest.fixture
def serve_here(serve, tmp_path):
    """Servers that keep their responses in one folder of this test."""

    def start(script=(), **more):
        return serve(script, **{"home": tmp_path / "home", **more})

    return start


def client_of(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="ignored", max_retries=0)


def events(text):
    """The events of a stream; comments stay text."""
    for block in text.strip().split("\n\n"):
        name, newline, data = block.partition("\n")
        if not newline:
            yield block
            continue
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        yield event


def without_ids(item):
    return {key: value for key, value in item.items() if key != "id"}


def test_a_whole_response(serve_here):
    server = serve_here([[Thinking("Hm. Well."), Text("All well."), Done("stop", Usage(7, 2, 3, thinking_tokens=2))]])
    sent = {"model": "fake", "input": "Hello there", "metadata": {"a": "b"}, "user": "me", "text": {"verbosity": "low"}}
    answer = server.post("/v1/responses", sent).json()
    thought, message = answer.pop("output")
    assert [item["id"].partition("_")[0] for item in (answer, thought, message)] == ["resp", "rs", "msg"]
    assert without_ids(thought) == {
        "type": "reasoning",
        "status": "completed",
        "summary": [{"type": "summary_text", "text": "Hm. Well."}],
        "encrypted_content": None,
    }
    assert without_ids(message) == {
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "All well.", "annotations": [], "logprobs": []}],
    }
    assert answer.pop("created_at") <= answer.pop("completed_at")
    assert without_ids(answer) == {
        "object": "response",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "usage": {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 5},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 10,
        },
        "background": False,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {"a": "b"},
        "model": "fake",
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": "medium", "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": None,
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "user": "me",
    }


def test_the_official_client_finds_every_field_it_wants(serve_here):
    client = client_of(serve_here())
    answer = client.responses.create(model="fake", input="Hello there", tools=[WEATHER, FILES], tool_choice="auto")
    assert answer.output_text == "You said: Hello there"
    Response.model_validate(answer.to_dict(), strict=False)
    assert [tool.type for tool in answer.tools] == ["function", "namespace"]
    assert answer.tools[0].to_dict() == WEATHER


STREAMED = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "response.completed",
]


def test_the_events_of_a_stream_and_what_they_join_to(serve_here):
    call = ToolCall("c1", "weather", '{"city":"Oslo"}')
    server = serve_here([[Thinking("Hm. Well."), Text("Let me"), Text(" see"), call, Done("stop", Usage(7, 2, 3))]])
    client = client_of(server)
    with client.responses.stream(model="fake", input="Hi", tools=[WEATHER]) as stream:
        heard = list(stream)
        final = stream.get_final_response()
    assert [event.type for event in heard] == STREAMED
    assert [event.sequence_number for event in heard] == list(range(len(heard)))
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]

    def joined(kind):
        return "".join(event.delta for event in heard if event.type == kind)

    thought, message, called = final.output
    assert joined("response.reasoning_summary_text.delta") == thought.summary[0].text == "Hm. Well."
    assert joined("response.output_text.delta") == message.content[0].text == final.output_text == "Let me see"
    assert joined("response.function_call_arguments.delta") == called.arguments == '{"city":"Oslo"}'
    done = [event.item.to_dict() for event in heard if event.type == "response.output_item.done"]
    assert done == client.responses.retrieve(final.id).to_dict()["output"]
    assert [item["id"] for item in done] == [item.id for item in final.output]
    added = [event.item.to_dict() for event in heard if event.type == "response.output_item.added"]
    assert [(item["status"], item.get("content"), item.get("summary"), item.get("arguments")) for item in added] == [
        ("in_progress", None, [], None),
        ("in_progress", [], None, None),
        ("in_progress", None, None, ""),
    ]
    assert (called.call_id, called.name, final.usage.total_tokens) == ("c1", "weather", 10)


def test_the_last_event_holds_what_is_kept(serve_here):
    server = serve_here()
    body = {"model": "fake", "input": "Hello there", "stream": True}
    response = server.post("/v1/responses", body)
    assert response.headers["content-type"] == "text/event-stream"
    first, *_, last = events(response.text)
    assert (first["response"]["status"], first["response"]["output"], first["response"]["usage"]) == (
        "in_progress",
        [],
        None,
    )
    assert last["type"] == "response.completed"
    assert server.get(f"/v1/responses/{last['response']['id']}").json() == last["response"]


def test_a_tool_round_trip_by_previous_response_id(serve_here):
    server = serve_here()
    client = client_of(server)
    first = client.responses.create(
        model="fake",
        instructions="Be brief",
        input=[{"role": "developer", "content": "In Norwegian"}, {"role": "user", "content": 'call weather {"a":1}'}],
        tools=[WEATHER],
    )
    thought, call = first.output
    final = client.responses.create(
        model="fake",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}],
        tools=[WEATHER],
    )
    assert (final.output_text, final.previous_response_id) == ("The tool answered: rain", first.id)
    one, two = server.model.requests
    assert one.messages == (
        Message("system", "Be brief"),
        Message("developer", "In Norwegian"),
        Message("user", 'call weather {"a":1}'),
    )
    assert two.messages == (
        *one.messages[1:],
        Message("assistant", thinking=thought.summary[0].text, calls=(ToolCall(call.call_id, "weather", '{"a":1}'),)),
        Message("tool", "rain", call_id=call.call_id, name="weather"),
    )
    third = client.responses.create(model="fake", previous_response_id=final.id, input="Thanks", instructions="Shout")
    assert third.instructions == "Shout"
    assert [message.role for message in server.model.requests[2].messages] == [
        "system", "developer", "user", "assistant", "tool", "assistant", "user",
    ]  # fmt: skip


def test_a_conversation_that_the_client_keeps(serve_here):
    server = serve_here([[Thinking("Hm."), Text("Wait."), ToolCall("c1", "weather", "{}")], [Text("Done.")]])
    client = client_of(server)
    items = [{"role": "user", "content": "Hello there"}]
    sealed = {"store": False, "include": ["reasoning.encrypted_content"], "tools": [WEATHER], "model": "fake"}
    first = client.responses.create(input=items, **sealed)
    bare = {"summary": []}  # as VS Code sends thoughts back
    items += [item.to_dict() | (bare if item.type == "reasoning" else {}) for item in first.output]
    rain = [{"type": "input_text", "text": "rain"}, {"type": "input_text", "text": "and wind"}]
    items.append({"type": "function_call_output", "call_id": "c1", "output": rain})
    client.responses.create(input=items, **sealed)
    assert server.model.requests[1].messages == (
        USER,
        Message("assistant", "Wait.", "Hm.", (ToolCall("c1", "weather", "{}"),)),
        Message("tool", "rain\n\nand wind", call_id="c1", name="weather"),
    )
    assert server.get(f"/v1/responses/{first.id}").status_code == 404


READ_BACK = [
    pytest.param([{"role": "user", "content": "Hello there"}], [USER], id="shorthand"),
    pytest.param(
        [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello there"}]}], [USER], id="parts"
    ),
    pytest.param(
        [{"role": "assistant", "content": [{"type": "output_text", "text": "No"}, {"type": "refusal", "refusal": "Never"}]}],
        [Message("assistant", "No\n\nNever")],
        id="refusal",
    ),
    pytest.param(
        [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "a"}, {"type": "reasoning_text", "text": "b"}]}],
        [Message("assistant", thinking="a\n\nb")],
        id="raw thoughts",
    ),
    pytest.param(
        [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAAB"}, {"role": "user", "content": "Hello there"}],
        [USER],
        id="a thought sealed elsewhere",
    ),
    pytest.param(
        [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]},
            {"type": "function_call", "call_id": "1", "name": "x", "arguments": "{}"},
            {"type": "function_call", "call_id": "2", "name": "y", "namespace": "n"},
            {"type": "function_call_output", "call_id": "2", "output": "two"},
            {"type": "function_call_output", "call_id": "1", "output": "one"},
            {"role": "assistant", "content": "Both."},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "b"}]},
        ],
        [
            Message("assistant", thinking="a", calls=(ToolCall("1", "x", "{}"), ToolCall("2", "n.y", "{}"))),
            Message("tool", "two", call_id="2", name="n.y"),
            Message("tool", "one", call_id="1", name="x"),
            Message("assistant", "Both."),
            Message("assistant", thinking="b"),
        ],
        id="two calls at once",
    ),
    pytest.param(
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,SGVsbG8="},
                    {"type": "input_file", "file_data": "data:application/json,%7B%7D"},
                    {"type": "input_file", "file_data": "SGVsbG8="},
                ],
            }
        ],
        [Message("user", "File: a.txt\n\nHello\n\n{}\n\nHello")],
        id="files of text",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("items", "messages"), READ_BACK)
def test_items_become_messages(serve_here, items, messages):
    server = serve_here()
    response = server.post("/v1/responses", {"model": "fake", "input": items, "store": False})
    assert response.status_code == 200, response.text
    assert list(server.model.requests[0].messages) == messages


def test_references_mean_what_was_kept(serve_here):
    server = serve_here()
    client = client_of(server)
    first = client.responses.create(model="fake", input="Hello there")
    references = [{"type": "item_reference", "id": first.output[0].id}, {"id": first.output[1].id}]
    client.responses.create(model="fake", input=[*references, {"role": "user", "content": "Go on"}])
    assert server.model.requests[1].messages == (
        Message("assistant", "You said: Hello there", "user said 2 words."),
        Message("user", "Go on"),
    )


def test_grouped_functions_are_offered_and_called_by_both_names(serve_here):
    server = serve_here([[ToolCall("c1", "mcp__files.read", "{}"), ToolCall("c2", "weather", "{}")]])
    first, second = client_of(server).responses.create(model="fake", input="Hi", tools=[FILES, WEATHER]).output
    assert (first.namespace, first.name, second.namespace, second.name) == ("mcp__files", "read", None, "weather")
    offered = [(tool.name, tool.description, tool.strict) for tool in server.model.requests[0].tools]
    assert offered == [
        ("mcp__files.read", "Files of this machine", False),
        ("mcp__files.list", "Lists", False),
        ("weather", "Tells the weather", True),
    ]


CHOICES = [
    pytest.param("auto", "auto", ["weather", "time"], id="auto"),
    pytest.param("none", "none", ["weather", "time"], id="none"),
    pytest.param("required", "required", ["weather", "time"], id="required"),
    pytest.param({"type": "function", "name": "time"}, OnlyTool("time"), ["weather", "time"], id="one"),
    pytest.param(
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "time"}]},
        "required",
        ["time"],
        id="allowed",
    ),
]


@pytest.mark.parametrize(("choice", "asked", "offered"), CHOICES)
def test_the_choice_of_a_tool(serve_here, choice, asked, offered):
    server = serve_here([[Text("Hi")]])
    tools = [WEATHER, {"type": "function", "name": "time"}]
    answer = client_of(server).responses.create(model="fake", input="Hi", tools=tools, tool_choice=choice)
    request = server.model.requests[0]
    assert (request.tool_choice, [tool.name for tool in request.tools]) == (asked, offered)
    assert answer.to_dict()["tool_choice"] == choice


@pytest.mark.parametrize("search", ["web_search", "web_search_preview"])
def test_a_search_of_the_web_is_not_offered_and_the_answer_shows_that(serve_here, search):
    """As Codex sends it in every request (0.169)."""
    server = serve_here([[Text("Hi")]])
    tools = [WEATHER, {"type": search, "external_web_access": False}]
    answer = client_of(server).responses.create(model="fake", input="Hi", tools=tools, tool_choice="auto")
    assert [tool.name for tool in server.model.requests[0].tools] == ["weather"]
    assert [(tool.type, tool.name) for tool in answer.tools] == [("function", "weather")]


def test_one_call_at_a_time_where_asked_and_ids_always_differ(serve_here):
    server = serve_here([[ToolCall("c", "weather", "{}"), ToolCall("c", "weather", '{"a":1}')]])
    ask = client_of(server).responses.create
    both = ask(model="fake", input="Hi", tools=[WEATHER]).output
    assert ([call.arguments for call in both], len({call.call_id for call in both})) == (["{}", '{"a":1}'], 2)
    one = ask(model="fake", input="Hi", tools=[WEATHER], parallel_tool_calls=False).output
    assert [call.arguments for call in one] == ["{}"]


def test_every_field_reaches_the_model(serve_here):
    server = serve_here([[Text("{}")]])
    client_of(server).responses.create(
        model="fake",
        input="Hello there",
        max_output_tokens=9,
        temperature=0.1,
        top_p=0.5,
        top_logprobs=2,
        include=["message.output_text.logprobs"],
        reasoning={"effort": "minimal", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": True}},
        extra_body={"options": {"num_ctx": 4000, "top_k": 3, "stop": ["END"]}, "num_ctx": 5000, "keep_alive": "2m"},
    )
    asked = server.model.requests[0]
    assert (asked.max_tokens, asked.stop, asked.context, asked.keep_alive) == (9, ("END",), 5000, 120.0)
    assert (asked.sampling.temperature, asked.sampling.top_p, asked.sampling.top_k) == (0.1, 0.5, 3)
    assert (asked.reasoning, asked.think, asked.format, asked.top_logprobs) == ("low", True, {"type": "object"}, 2)
    server.post(
        "/v1/responses", {"model": "fake", "input": "Hi", "think": False, "text": {"format": {"type": "json_object"}}}
    )
    asked = server.model.requests[1]
    assert (asked.think, asked.format, asked.top_logprobs, asked.tool_choice) == (False, "json", None, "auto")


class Probable(FakeModel):
    """Knows how likely its words are."""

    async def chat(self, request):
        yield Text("Hé", (Logprob("H", -0.5, b"H", (Logprob("H", -0.5, b"H"), Logprob("J", -1.5, b"J"))),))
        yield Text("", (Logprob("\ufffd", -0.25, b"\xc3"),))
        yield Done("stop", Usage(1, 0, 2))


def test_log_probabilities(serve_here):
    server = serve_here(model=Probable)
    words = [
        {
            "token": "H",
            "logprob": -0.5,
            "bytes": [72],
            "top_logprobs": [
                {"token": "H", "logprob": -0.5, "bytes": [72]},
                {"token": "J", "logprob": -1.5, "bytes": [74]},
            ],
        },
        {"token": "\ufffd", "logprob": -0.25, "bytes": [195], "top_logprobs": []},
    ]
    body = {"model": "fake", "input": "Hi", "include": ["message.output_text.logprobs"], "top_logprobs": 2}
    whole = server.post("/v1/responses", body).json()
    assert whole["output"][0]["content"][0]["logprobs"] == words
    streamed = list(events(server.post("/v1/responses", body | {"stream": True}).text))
    told = [event["logprobs"] for event in streamed if event["type"].startswith("response.output_text")]
    assert told == [words[:1], words[1:], words]


def test_an_answer_that_was_cut_by_its_bound_is_incomplete(serve_here):
    server = serve_here([[Text("Half an"), Done("length", Usage(7, 0, 2))]])
    client = client_of(server)
    whole = client.responses.create(model="fake", input="Hi", max_output_tokens=2)
    assert (whole.status, whole.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (whole.output[0].status, whole.to_dict()["completed_at"]) == ("incomplete", None)
    *_, done, last = client.responses.create(model="fake", input="Hi", max_output_tokens=2, stream=True)
    assert (done.item.status, last.type, last.response.status) == ("incomplete", "response.incomplete", "incomplete")
    assert client.responses.retrieve(last.response.id) == last.response
    client.responses.create(model="fake", previous_response_id=whole.id)
    assert server.model.requests[-1].messages == (Message("user", "Hi"), Message("assistant", "Half an"))


def test_an_answer_is_kept_listed_and_erased(serve_here):
    client = client_of(serve_here())
    answer = client.responses.create(model="fake", input=[{"role": "user", "content": str(n)} for n in range(25)])
    assert client.responses.retrieve(answer.id) == answer
    newest = client.responses.input_items.list(answer.id)
    assert (len(newest.data), newest.has_more, newest.data[0].content[0].text) == (20, True, "24")
    assert [item.content[0].text for item in newest] == [str(n) for n in reversed(range(25))]
    oldest = client.responses.input_items.list(answer.id, order="asc", limit=2)
    assert [item.content[0].text for item in oldest.data] == ["0", "1"]
    client.responses.delete(answer.id)
    for gone in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(openai.NotFoundError, match=f"Response with id '{answer.id}' not found"):
            gone(answer.id)
    with pytest.raises(openai.BadRequestError, match="Previous response with id") as raised:
        client.responses.create(model="fake", input="Hi", previous_response_id=answer.id)
    assert (raised.value.code, raised.value.param) == ("previous_response_not_found", "previous_response_id")


def test_what_is_erased_in_the_middle_is_not_left_out_silently(serve_here):
    client = client_of(serve_here())
    first = client.responses.create(model="fake", input="one")
    second = client.responses.create(model="fake", input="two", previous_response_id=first.id)
    client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError, match=first.id):
        client.responses.create(model="fake", input="three", previous_response_id=second.id)


def test_cancelling_says_that_nothing_runs_in_the_background(serve_here):
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client_of(serve_here()).responses.cancel("resp_1")


def test_tokens_are_counted_without_an_answer(serve_here):
    server = serve_here()
    client = client_of(server)
    first = client.responses.create(model="fake", input="one two three")
    counted = client.responses.input_tokens.count(model="fake", input="four five", instructions="six", tools=[WEATHER])
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", 3)
    more = client.responses.input_tokens.count(model="fake", input="four", previous_response_id=first.id)
    assert more.input_tokens == 3 + 5 + 1
    assert len(server.model.requests) == 1


def test_a_parsed_answer(serve_here):
    class City(BaseModel):
        name: str

    server = serve_here([[Text('{"name":"Oslo"}')]])
    answer = client_of(server).responses.parse(model="fake", input="Where?", text_format=City)
    assert answer.output_parsed == City(name="Oslo")
    assert server.model.requests[0].format["properties"]["name"]["type"] == "string"


async def test_the_async_client_streams(serve_here):
    async with openai.AsyncOpenAI(base_url=f"{serve_here().url}/v1", api_key="x") as client:
        stream = await client.responses.create(model="fake", input="Hello there", stream=True)
        words = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        assert "".join(words) == "You said: Hello there"


class Slow(FakeModel):
    """Reads its prompt for a while; asked for "trouble" it then fails, asked for "too much" it says so."""

    async def chat(self, request):
        words = request.messages[-1].content
        await asyncio.sleep(0.3)
        if words == "too much":
            raise ContextTooLong(9, 8)
        if words == "trouble":
            raise RuntimeError("broken")
        yield Text("There.")
        if words == "late trouble":
            raise RuntimeError("broken")
        yield Done("stop", Usage())


def test_comments_flow_while_a_long_prompt_is_read(serve_here):
    server = serve_here(model=Slow, comment_seconds=0.05)
    blocks = list(events(server.post("/v1/responses", {"model": "fake", "input": "Hi", "stream": True}).text))
    assert blocks[:3] == [": keep-alive"] * 3
    assert blocks[-1]["type"] == "response.completed"
    stream = client_of(server).responses.create(model="fake", input="Hi", stream=True)
    assert next(event.response.output_text for event in stream if event.type == "response.completed") == "There."


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word_has_its_status(serve_here, stream):
    server = serve_here(model=Slow)
    response = server.post("/v1/responses", {"model": "fake", "input": "trouble", "stream": stream})
    assert (response.status_code, response.json()["error"]["type"]) == (500, "api_error")
    response = server.post("/v1/responses", {"model": "fake", "input": "too much", "stream": stream})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")


FAILURES = [
    pytest.param("trouble", "server_error", [], id="before the first word"),
    pytest.param("late trouble", "server_error", [("message", "incomplete")], id="after it"),
    pytest.param("too much", "context_length_exceeded", [], id="context"),
]


@pytest.mark.parametrize(("words", "code", "items"), FAILURES)
def test_an_error_after_the_first_comment_ends_the_stream_as_failed(serve_here, words, code, items):
    server = serve_here(model=Slow, comment_seconds=0.05)
    told = list(client_of(server).responses.create(model="fake", input=words, stream=True))
    assert [event.type for event in told[:2]] == ["response.created", "response.in_progress"]
    assert [event.sequence_number for event in told] == list(range(len(told)))
    last = told[-1]
    assert (last.type, last.response.status, last.response.error.code) == ("response.failed", "failed", code)
    assert [(item.type, item.status) for item in last.response.output] == items
    assert server.get(f"/v1/responses/{last.response.id}").status_code == 404


def test_who_leaves_stops_the_model_and_nothing_is_kept(serve_here, eventually, tmp_path):
    server = serve_here([[Text("word " * 2000)]], pause=0.002)
    body = {"model": "fake", "input": "Hi", "stream": True}
    with server.client.stream("POST", f"{server.url}/v1/responses", json=body) as response:
        next(response.iter_bytes())
    eventually(lambda: server.hang_ups == 1 and server.users == 0)
    with pytest.raises(httpx2.ReadTimeout):
        server.client.post(f"{server.url}/v1/responses", json=body | {"stream": False}, timeout=0.2)
    eventually(lambda: server.hang_ups == 2 and server.users == 0)
    assert not (tmp_path / "home" / "responses.sqlite").exists()


def test_another_server_in_the_same_home_goes_on(serve_here):
    first = client_of(serve_here()).responses.create(model="fake", input="Hello there")
    server = serve_here()
    assert client_of(server).responses.retrieve(first.id) == first
    client_of(server).responses.create(model="fake", input="Go on", previous_response_id=first.id)
    assert server.model.requests[0].messages[0] == USER


def test_a_server_that_is_killed_keeps_its_answers(tmp_path, serve_here):
    command = [sys.executable, "-m", "ossian", "serve", "--fake"]
    environment = {**os.environ, "OSSIAN_HOST": "127.0.0.1:0", "OSSIAN_HOME": str(tmp_path / "home")}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        url = next(word for line in server.stdout for word in line.split() if word.startswith("http://"))
        answer = httpx2.post(f"{url}/v1/responses", json={"model": "fake", "input": "Hello there"}, timeout=10).json()
        server.send_signal(signal.SIGKILL)
    assert serve_here().get(f"/v1/responses/{answer['id']}").json() == answer


@pytest.mark.parametrize("stream", [False, True])
def test_where_nothing_can_be_kept_the_answer_arrives_and_says_so(serve_here, tmp_path, stream):
    (tmp_path / "file").write_text("no folder")
    server = serve_here(home=tmp_path / "file")
    response = server.post("/v1/responses", {"model": "fake", "input": "Hello there", "stream": stream})
    answer = list(events(response.text))[-1]["response"] if stream else response.json()
    assert (answer["status"], answer["store"]) == ("completed", False)
    response = server.post("/v1/responses", {"model": "fake", "input": "Hi", "previous_response_id": answer["id"]})
    assert response.status_code in (400, 503)


def test_a_broken_store_is_said(serve_here, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "responses.sqlite").write_bytes(b"no database" * 1000)
    server = serve_here()
    assert server.post("/v1/responses", {"model": "fake", "input": "Hi"}).json()["store"] is False
    response = server.get("/v1/responses/resp_1")
    assert (response.status_code, "move that file away" in response.text) == (503, True)


def asking(**more):
    return {"model": "fake", "input": "Hi", **more}


def with_item(**item):
    return asking(input=[item])


def with_part(**part):
    return asking(input=[{"role": "user", "content": [part]}])


def with_format(**shape):
    return asking(text={"format": shape})


REFUSALS = [
    pytest.param({"input": "Hi"}, "model is required", None, id="no model"),
    pytest.param({"model": "fake"}, "Missing required parameter: 'input'", "input", id="no input"),
    pytest.param(asking(input=[]), "at least one message", "input", id="empty input"),
    pytest.param(asking(input=3), "input must be a string or a list", None, id="input"),
    pytest.param(asking(model="embedder"), "does not support chat", None, id="no chat"),
    pytest.param(asking(input=["Hi"]), "input[0] must be an object", None, id="item"),
    pytest.param(with_item(text="Hi"), "input[0].type is missing", None, id="no type"),
    pytest.param(with_item(type="web_search_call"), "input[0].type 'web_search_call' is not supported", None, id="type"),
    pytest.param(with_item(type=["message"]), "input[0].type", None, id="type of type"),
    pytest.param(with_item(type="message", id=3), "input[0].id must be a string", None, id="item id"),
    pytest.param(with_item(role="user"), "input[0] must have a role, and as content", None, id="no content"),
    pytest.param(with_item(role="king", content=""), "input[0].role", None, id="role"),
    pytest.param(with_item(role="tool", content=""), "send a function_call_output", None, id="tool role"),
    pytest.param(with_item(type="function_call"), "input[0] must have call_id and name", None, id="call"),
    pytest.param(with_item(type="function_call", call_id="c", name="x", arguments={}), "input[0].arguments", None, id="arguments"),
    pytest.param(with_item(type="function_call_output", call_id="c"), "input[0] must have call_id, and as output", None, id="output"),
    pytest.param(with_item(type="function_call_output", call_id="c", output=""), "No tool call found", "input", id="orphan"),
    pytest.param(with_part(type="input_image", image_url="x"), '"fake" does not support images', None, id="image"),
    pytest.param(with_part(type="input_audio"), "input[0].content[0] must be", None, id="audio"),
    pytest.param(with_part(type="input_file", file_id="f"), "input[0].content[0].file_id is not supported", None, id="file id"),
    pytest.param(with_part(type="input_file"), "input[0].content[0].file_data is missing", None, id="no file"),
    pytest.param(with_part(type="input_file", file_data="data:application/pdf;base64,SGk="), "files that are not text", None, id="pdf"),
    pytest.param(with_part(type="input_file", file_data="AP8A"), "files that are not text", None, id="bytes"),
    pytest.param(with_part(type="input_file", file_data="?"), "files that are not text", None, id="no base64"),
    pytest.param(asking(conversation="conv_1"), "conversation is not supported", "conversation", id="conversation"),
    pytest.param(asking(background=True), "background is not supported", "background", id="background"),
    pytest.param(asking(prompt={"id": "p"}), "prompt is not supported", "prompt", id="prompt"),
    pytest.param(asking(context_management=[{"type": "compaction"}]), "context_management", "context_management", id="compaction"),
    pytest.param(asking(moderation={"model": "m"}), "moderation", "moderation", id="moderation"),
    pytest.param(asking(truncation="auto"), "Nothing is cut silently", "truncation", id="truncation"),
    pytest.param(asking(text={"verbosity": "loud"}), 'text.verbosity "loud"', "text.verbosity", id="verbosity"),
    pytest.param(asking(reasoning={"effort": "hard"}), 'reasoning.effort "hard"', "reasoning", id="effort"),
    pytest.param(asking(reasoning={"summary": "long"}), 'reasoning.summary "long"', "reasoning.summary", id="summary"),
    pytest.param(asking(reasoning={"context": "all_turns"}), "write auto, current_turn", "reasoning.context", id="turns"),
    pytest.param(asking(model="plain", reasoning={"effort": "low"}), "does not support thinking", None, id="thinking"),
    pytest.param(asking(stream_options={"include_obfuscation": True}), "include_obfuscation", "stream_options.include_obfuscation", id="padding"),
    pytest.param(asking(max_output_tokens=0), "max_output_tokens must be at least 1", "max_output_tokens", id="max"),
    pytest.param(asking(top_logprobs=21), "between 0 and 20", "top_logprobs", id="top_logprobs"),
    pytest.param(asking(include=["x"]), 'include "x" is not known', "include", id="include"),
    pytest.param(asking(metadata={"a": 1}), "metadata.a must be a string", None, id="metadata"),
    pytest.param(asking(metadata={"a": "b" * 513}), "metadata may hold", "metadata", id="long metadata"),
    pytest.param(asking(store="yes"), "store must be true or false", None, id="store"),
    pytest.param(with_format(type="xml"), "text.format.type must be", "text.format.type", id="format"),
    pytest.param(with_format(type="json_schema", name="x"), "text.format.schema is missing", "text.format.schema", id="schema"),
    pytest.param(asking(tools=[{"type": "file_search"}]), 'tools[0].type "file_search" is not supported', "tools", id="tool kind"),
    pytest.param(asking(tools=[{"type": "web_search"}], tool_choice="required"), "tool_choice required needs tools", "tool_choice", id="search required"),
    pytest.param(asking(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"}), "tool_choice must be", "tool_choice", id="search chosen"),
    pytest.param(asking(tools=[{"type": "namespace", "name": "n", "tools": [{"type": "custom", "name": "x"}]}]), 'tools[0].tools[0].type "custom"', "tools", id="grouped kind"),
    pytest.param(asking(tools=[{"type": "namespace", "tools": []}]), "tools[0].name is missing", "tools", id="group name"),
    pytest.param(asking(tools=[{"type": "function"}]), "a function has no name", "tools", id="tool name"),
    pytest.param(asking(tools=[{**WEATHER, "async": True}]), 'async of "weather"', "tools", id="async tool"),
    pytest.param(asking(tools=[{**WEATHER, "allowed_callers": ["programmatic"]}]), "allowed_callers", "tools", id="callers"),
    pytest.param(asking(model="plain", tools=[WEATHER]), "does not support tools", None, id="no tools"),
    pytest.param(asking(tool_choice="required"), "tool_choice required needs tools", "tool_choice", id="required"),
    pytest.param(asking(tool_choice="always"), "tool_choice must be", "tool_choice", id="choice"),
    pytest.param(asking(tool_choice={"type": "function", "name": "x"}), '"x" is none of the tools', "tool_choice", id="choice of none"),
    pytest.param(asking(tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [3]}), "tool_choice.tools", "tool_choice", id="allowed"),
    pytest.param(asking(previous_response_id="resp_1"), "Previous response with id 'resp_1' not found.", "previous_response_id", id="previous"),
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def refusing_server(serve_steadily, home):
    return serve_steadily(home=home)


@pytest.mark.parametrize(("body", "words", "param"), REFUSALS)
def test_what_is_not_served_is_refused_by_name(refusing_server, body, words, param):
    response = refusing_server.post("/v1/responses", body)
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert words in error["message"]


def test_what_is_not_here_is_not_found(refusing_server):
    response = refusing_server.post("/v1/responses", asking(model="nobody"))
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    response = refusing_server.post("/v1/responses", with_item(type="item_reference", id="msg_1"))
    assert (response.status_code, response.json()["error"]["param"]) == (404, "input")
    assert "Item with id 'msg_1' not found" in response.text


@pytest.mark.parametrize("query", ["order=up", "limit=0", "limit=101", "limit=x", "after=msg_x", "include=x"])
def test_a_page_that_cannot_be_is_refused(refusing_server, query):
    id = refusing_server.post("/v1/responses", asking()).json()["id"]
    response = refusing_server.get(f"/v1/responses/{id}/input_items?{query}")
    assert (response.status_code, query.partition("=")[0] in response.json()["error"]["message"]) == (400, True)


def test_a_kept_answer_is_not_streamed_again(refusing_server):
    id = refusing_server.post("/v1/responses", asking()).json()["id"]
    assert refusing_server.get(f"/v1/responses/{id}?stream=true").status_code == 400
    assert refusing_server.get(f"/v1/responses/{id}?include[]=reasoning.encrypted_content").status_code == 200


ODD = (
    [],
    {},
    "",
    "x",
    0,
    -1,
    1.5,
    True,
    None,
    [[]],
    [{}],
    [3],
    {"a": [{}]},
    {"type": []},
    [{"type": {}}],
    "\0",
    "\ud83d",
)
FIELDS = [field.alias or name for name, field in ResponsesCreate.model_fields.items()]
INNER = [
    "type", "id", "role", "content", "summary", "encrypted_content", "call_id", "name", "namespace", "arguments",
    "output", "status", "phase", "text", "refusal", "file_data", "filename", "file_id",
]  # fmt: skip
KINDS = ["message", "reasoning", "function_call", "function_call_output", "item_reference"]
PARTS = ["input_text", "output_text", "refusal", "input_file", "input_image"]


def odd_items():
    for name in INNER:
        for value in ODD:
            yield from ({"type": kind, "role": "user", "call_id": "c", "name": "n", name: value} for kind in KINDS)
            yield from ({"role": "user", "content": [{"type": kind, name: value}]} for kind in PARTS)


def test_no_value_of_a_field_breaks_the_reading(tmp_path):
    store = ResponseStore(tmp_path / "none")
    for name, value in itertools.product(FIELDS, ODD):
        sent = read_json(json.dumps(asking(**{name: value})).encode())
        with suppress(BadRequest, ValidationError):
            body = ResponsesCreate.model_validate(sent)
            past, own = read_conversation(body, store)
            dump(write_request(body, read_request(body, [*past, *own], FAKE_FILE)))


def test_no_item_breaks_the_reading_of_items():
    for item in odd_items():
        with suppress(BadRequest):
            read_turns(read_items([item], lambda id: None), "fake")
