"""Anthropic's own client and bare HTTP on /v1/messages."""
# ruff: noqa: E501 - in a table of cases each has one line

import asyncio
import json
import socket
from dataclasses import replace

import anthropic
import pytest

from ossian.chat import Done, Message, OnlyTool, Text, Thinking, Tool, ToolCall, Usage
from ossian.engines.fake import FAKE_FILE, FakeModel
from ossian.errors import ContextTooLong

PATH = "/v1/messages"
WEATHER = {"name": "weather", "description": "Tells it.", "input_schema": {"type": "object", "properties": {}}}
HELLO = [{"role": "user", "content": "Hello there"}]
THINK = {"type": "enabled", "budget_tokens": 2000}
NOTHING = {
    "input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0,
    "output_tokens_details": {"thinking_tokens": 0},
}  # fmt: skip
COST = {**NOTHING, "input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 3}


def client_of(server, **more):
    return anthropic.Anthropic(base_url=server.url, **{"api_key": "ignored", "max_retries": 0, **more})


def ask(**more):
    return {"model": "fake", "max_tokens": 100, "messages": HELLO, **more}


def events(text):
    """Names and data of an SSE stream."""
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def asked(server, **more):
    """The request that the model got."""
    response = server.post(PATH, ask(**more))
    assert response.status_code == 200, response.text
    return server.model.requests[-1]


def test_a_whole_message(serve):
    server = serve([[Thinking("hm"), Text("All well."), Done("stop", Usage(7, 2, 3, thinking_tokens=1))]])
    response = server.post(PATH, ask(thinking=THINK))
    answer = response.json()
    assert answer.pop("id").startswith("msg_") and response.headers["request-id"].startswith("req_")
    assert answer == {
        "type": "message",
        "role": "assistant",
        "model": "fake",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "b3NzaWFu"},
            {"type": "text", "text": "All well."},
        ],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {**COST, "output_tokens_details": {"thinking_tokens": 1}},
    }


def test_the_events_of_a_stream(serve):
    call = ToolCall("call_1", "weather", '{"city":"Oslo"}')
    server = serve([[Thinking("so so"), Text("Hi you"), call, Text("Bye"), Done("stop", Usage(7, 2, 3))]])
    response = server.post(PATH, ask(stream=True, thinking=THINK, tools=[WEATHER]))
    assert response.headers["content-type"] == "text/event-stream"
    told = list(events(response.text))
    assert all(name == data["type"] for name, data in told)
    start, ping, *blocks, delta, stop = (data for _, data in told)
    assert start["message"].pop("id").startswith("msg_")
    assert start == {
        "type": "message_start",
        "message": {
            "type": "message", "role": "assistant", "model": "fake", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": NOTHING,
        },
    }  # fmt: skip
    assert ping == {"type": "ping"}
    begin, piece, end = "content_block_start", "content_block_delta", "content_block_stop"
    tool = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}
    assert blocks == [
        {"type": begin, "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        {"type": piece, "index": 0, "delta": {"type": "thinking_delta", "thinking": "so"}},
        {"type": piece, "index": 0, "delta": {"type": "thinking_delta", "thinking": " so"}},
        {"type": piece, "index": 0, "delta": {"type": "signature_delta", "signature": "b3NzaWFu"}},
        {"type": end, "index": 0},
        {"type": begin, "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": piece, "index": 1, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": piece, "index": 1, "delta": {"type": "text_delta", "text": " you"}},
        {"type": end, "index": 1},
        {"type": begin, "index": 2, "content_block": tool},
        {"type": piece, "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"city": "Oslo"}'}},
        {"type": end, "index": 2},
        {"type": begin, "index": 3, "content_block": {"type": "text", "text": ""}},
        {"type": piece, "index": 3, "delta": {"type": "text_delta", "text": "Bye"}},
        {"type": end, "index": 3},
    ]
    assert delta == {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": COST,
    }
    assert stop == {"type": "message_stop"}


def test_the_client_puts_a_stream_together(serve):
    server = serve([[Thinking("so so"), Text("Hi you"), Done("stop", Usage(7, 2, 3))]])
    with client_of(server).messages.stream(**ask(thinking=THINK)) as stream:
        assert "".join(stream.text_stream) == "Hi you"
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert (final.content[0].thinking, final.content[0].signature) == ("so so", "b3NzaWFu")
    assert (final.stop_reason, final.usage.input_tokens, final.usage.cache_read_input_tokens) == ("end_turn", 5, 2)
    assert final.usage.output_tokens == 3


def test_a_tool_round_trip_with_the_client(serve):
    server = serve()
    messages = client_of(server).messages
    turns = [{"role": "user", "content": 'call weather {"city":"Oslo"}'}]
    answer = messages.create(**ask(messages=turns, tools=[WEATHER], thinking=THINK))
    thought, call = answer.content
    assert (answer.stop_reason, call.name, call.input) == ("tool_use", "weather", {"city": "Oslo"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "rain"}]}
    turns += [answer.to_param(), {"role": "user", "content": [result]}]
    with messages.stream(**ask(messages=turns, tools=[WEATHER])) as stream:
        assert stream.get_final_text() == "The tool answered: rain"
    first, second = server.model.requests
    assert first.tools == (Tool("weather", "Tells it.", WEATHER["input_schema"]),)
    assert second.messages == (
        Message("user", 'call weather {"city":"Oslo"}'),
        Message("assistant", thinking=thought.thinking, calls=(ToolCall(call.id, "weather", '{"city":"Oslo"}'),)),
        Message("tool", "rain", call_id=call.id, name="weather"),
    )


def test_the_clients_own_loop_calls_a_tool_and_goes_on(serve):
    """It asks for a thread, kept by the server, and does without one where that is refused in Anthropic's words."""

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"rain in {city}"

    server = serve([[ToolCall("c", "weather", '{"city": "Oslo"}')], [Text("It rains.")]])
    runner = client_of(server).beta.messages.tool_runner(**ask(tools=[weather]))
    assert [answer.stop_reason for answer in runner] == ["tool_use", "end_turn"]
    assert server.model.requests[1].messages[-1].content == "rain in Oslo"


def test_a_streamed_call_reaches_the_client_whole(serve):
    server = serve([[ToolCall("c", "weather", '{"a": [1, "é"]}'), ToolCall("c", "weather", "oops")]])
    with client_of(server).messages.stream(**ask(tools=[WEATHER])) as stream:
        final = stream.get_final_message()
    assert [call.input for call in final.content] == [{"a": [1, "é"]}, {"arguments": "oops"}]
    assert len({call.id for call in final.content}) == 2


def test_without_parallel_tool_use_there_is_one_call(serve):
    server = serve([[ToolCall("c", "weather", "{}"), ToolCall("d", "weather", "{}")]])
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    answer = client_of(server).messages.create(**ask(tools=[WEATHER], tool_choice=choice))
    assert [block.id for block in answer.content] == ["c"]
    with client_of(server).messages.stream(**ask(tools=[WEATHER], tool_choice=choice)) as stream:
        assert [block.id for block in stream.get_final_message().content] == ["c"]


@pytest.mark.parametrize(
    ("reply", "reason", "stop"),
    [
        pytest.param([Text("a"), Done("stop", Usage())], "end_turn", None, id="end"),
        pytest.param([Text("a"), Done("length", Usage())], "max_tokens", None, id="length"),
        pytest.param([Text("a"), Done("stop", Usage(), "END")], "stop_sequence", "END", id="stop string"),
        pytest.param([ToolCall("c", "weather", "{}"), Done("stop", Usage())], "tool_use", None, id="call"),
        pytest.param(
            [ToolCall("c", "weather", "{}"), Done("length", Usage())], "max_tokens", None, id="call and length"
        ),
        pytest.param([Done("stop", Usage())], "end_turn", None, id="nothing at all"),
    ],
)
def test_why_an_answer_ended(serve, reply, reason, stop):
    messages = client_of(serve([reply])).messages
    whole = messages.create(**ask(stop_sequences=["END"]))
    with messages.stream(**ask(stop_sequences=["END"])) as stream:
        streamed = stream.get_final_message()
    for answer in (whole, streamed):
        assert (answer.stop_reason, answer.stop_sequence) == (reason, stop)
        assert len(answer.content) == len(reply) - 1


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        pytest.param({}, [], id="not asked for"),
        pytest.param({"thinking": THINK}, ["hm"], id="enabled"),
        pytest.param({"thinking": {"type": "adaptive"}}, ["hm"], id="adaptive"),
        pytest.param({"thinking": {"type": "adaptive", "display": "omitted"}}, [""], id="omitted"),
        pytest.param({"think": True}, ["hm"], id="asked as Ollama does"),
    ],
)
def test_thinking_is_shown_to_who_asked(serve, more, shown):
    server = serve([[Thinking("hm"), Text("All well.")]])
    body = ask(extra_body=more)
    whole = client_of(server).messages.create(**body)
    with client_of(server).messages.stream(**body) as stream:
        streamed = stream.get_final_message()
    for answer in (whole, streamed):
        *thoughts, text = answer.content
        assert [(block.thinking, block.signature) for block in thoughts] == [(said, "b3NzaWFu") for said in shown]
        assert text.text == "All well."
    assert all(request.think for request in server.model.requests)


@pytest.mark.parametrize(
    ("more", "think", "reasoning"),
    [
        pytest.param({}, True, "medium", id="nothing"),
        pytest.param({"thinking": {"type": "disabled"}}, False, "medium", id="disabled"),
        pytest.param({"thinking": {"type": "enabled"}}, True, "medium", id="no budget"),
        pytest.param({"thinking": THINK}, True, "low", id="small budget"),
        pytest.param({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, True, "medium", id="middling budget"),
        pytest.param({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, True, "high", id="large budget"),
        pytest.param({"thinking": THINK, "output_config": {"effort": "xhigh"}}, True, "high", id="effort over budget"),
        pytest.param({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, True, "low", id="adaptive"),
        pytest.param({"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, False, "high", id="effort without thought"),
        pytest.param({"output_config": {"effort": "low"}}, True, "low", id="effort alone"),
        pytest.param({"think": "high"}, True, "high", id="think"),
        pytest.param({"think": False}, False, "medium", id="think false"),
        pytest.param({"think": False, "thinking": THINK}, True, "low", id="thinking over think"),
    ],
)  # fmt: skip
def test_how_hard_to_think(serve, more, think, reasoning):
    request = asked(serve(), **more)
    assert (request.think, request.reasoning) == (think, reasoning)


def test_a_model_that_cannot_think_adapts(serve):
    assert not asked(serve(), model="plain", thinking={"type": "adaptive"}).think


def test_every_field_reaches_the_model(serve):
    server = serve()
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    drawn = {"temperature": 0.1, "top_p": 0.5, "top_k": 7}  # the client of 2026 has no arguments for these any more
    client_of(server).messages.create(
        **ask(
            max_tokens=9,
            stop_sequences=["END", "STOP"],
            tools=[{**WEATHER, "strict": True, "type": "custom", "input_examples": [{"city": "Oslo"}]}],
            tool_choice={"type": "tool", "name": "weather"},
            output_config={"format": {"type": "json_schema", "schema": schema}},
            metadata={"user_id": "me"},
            service_tier="auto",
            cache_control={"type": "ephemeral"},
            extra_body={**drawn, "options": {"min_p": 0.25, "top_k": 3}, "num_ctx": 5000, "keep_alive": "2m"},
            extra_headers={"anthropic-beta": "some-beta-2026-01-01"},
        )
    )
    request = server.model.requests[0]
    assert (request.max_tokens, request.stop, request.context, request.keep_alive) == (9, ("END", "STOP"), 5000, 120.0)
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (0.1, 0.5, 7, 0.25)
    described = 'Tells it.\nExample: {"city": "Oslo"}'
    assert request.tools == (Tool("weather", described, WEATHER["input_schema"], strict=True),)
    assert (request.tool_choice, request.format) == (OnlyTool("weather"), schema)


@pytest.mark.parametrize(
    ("choice", "read", "offered"),
    [({"type": "auto"}, "auto", 1), ({"type": "any"}, "required", 1), ({"type": "none"}, "none", 1), (None, "auto", 1)],
)
def test_tool_choice(serve, choice, read, offered):
    request = asked(serve(), tools=[WEATHER], tool_choice=choice)
    assert (request.tool_choice, len(request.tools)) == (read, offered)


def test_the_older_name_of_the_format_is_read(serve):
    assert asked(serve(), output_format={"type": "json_schema", "schema": {"type": "object"}}).format == {
        "type": "object"
    }


def test_blocks_become_messages(serve):
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "x"},
            {"type": "redacted_thinking", "data": "sealed"},
            {"type": "text", "text": "Wait.", "citations": None},
            {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Oslo"}},
            {"type": "tool_use", "id": "b", "name": "clock"},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "b", "content": "broken", "is_error": True},
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "rain"}, {"type": "text", "text": "snow"}]},
            {"type": "text", "text": "And now?"},
        ]},
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": []},
        {"role": "user", "content": [
            {"type": "document", "title": "Notes", "context": "Old ones.", "source": {"type": "text", "media_type": "text/plain", "data": "abc"}},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "def"}]}, "citations": {"enabled": False}},
            {"type": "document", "source": {"type": "content", "content": "ghi"}},
            {"type": "search_result", "title": "Rain", "source": "https://a.b", "content": [{"type": "text", "text": "It pours."}]},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
        {"role": "assistant", "content": "It is"},
    ]  # fmt: skip
    system = [
        {"type": "text", "text": "Be kind."},
        {"type": "text", "text": "Be true.", "cache_control": {"type": "ephemeral"}},
    ]
    assert asked(serve(), messages=turns, system=system).messages == (
        Message("system", "Be kind.\n\nBe true."),
        Message("user", "one\n\ntwo"),
        Message(
            "assistant",
            "Wait.",
            thinking="hm",
            calls=(ToolCall("a", "weather", '{"city":"Oslo"}'), ToolCall("b", "clock", "{}")),
        ),
        Message("tool", "Error: broken", call_id="b", name="clock"),
        Message("tool", "rain\n\nsnow", call_id="a", name="weather"),
        Message("user", "And now?"),
        Message("system", "Be brief."),
        Message("assistant"),
        Message("user", "Notes\n\nOld ones.\n\nabc\n\ndef\n\nghi\n\nRain\n\nhttps://a.b\n\nIt pours."),
        Message("tool", "", call_id="a", name="weather"),
        Message("assistant", "It is"),
    )


def test_the_model_keeps_its_own_system_text(serve):
    server = serve(files=(replace(FAKE_FILE, metadata={**FAKE_FILE.metadata}, system="Own."),))
    assert asked(server).messages[0] == Message("system", "Own.")
    assert asked(server, system="Mine.").messages == (Message("system", "Mine."), Message("user", "Hello there"))


def test_a_request_as_claude_code_sends_it(serve):
    """Its first block of system text is another with each request, and it asks to keep all thinking."""
    billing = {
        "type": "text",
        "text": "x-anthropic-billing-header: cc_version=2.1.100.7b4; cc_entrypoint=cli; cch=eb6c6;",
    }
    own = {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}}
    edits = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    server = serve()
    for body in ({"system": [billing, own]}, {"system": f"{billing['text']}\n{own['text']}"}):
        assert asked(server, **body, context_management=edits).messages[0] == Message("system", "You are Claude Code.")


def test_tokens_are_counted(serve):
    server = serve()
    counted = client_of(server).messages.count_tokens(model="fake", system="Be brief", messages=HELLO, tools=[WEATHER])
    assert counted.input_tokens == 4
    response = server.post(f"{PATH}/count_tokens?beta=true", {"model": "fake", "messages": HELLO})
    assert (response.json(), response.headers["request-id"][:4]) == ({"input_tokens": 2}, "req_")
    assert server.users == 0 and server.model.requests == []


ERRORS = [
    pytest.param(b"", 400, "missing request body", id="empty body"),
    pytest.param(b"{", 400, "the body is not JSON", id="broken JSON"),
    pytest.param({"max_tokens": 1, "messages": HELLO}, 400, "model is required", id="no model"),
    pytest.param({"model": "fake", "messages": HELLO}, 400, "max_tokens is required and must be positive", id="no max_tokens"),
    pytest.param(ask(max_tokens=0), 400, "max_tokens is required and must be positive", id="max_tokens 0"),
    pytest.param(ask(max_tokens=-1), 400, "max_tokens is required and must be positive", id="max_tokens -1"),
    pytest.param(ask(max_tokens="9"), 400, "max_tokens must be an integer", id="max_tokens text"),
    pytest.param({"model": "fake", "max_tokens": 1}, 400, "messages is required", id="no messages"),
    pytest.param(ask(messages=[]), 400, "messages is required", id="empty messages"),
    pytest.param(ask(messages="Hi"), 400, "messages must be a list", id="messages text"),
    pytest.param(ask(model="nobody"), 404, "model 'nobody' not found", id="unknown model"),
    pytest.param(ask(model="embedder"), 400, '"embedder" does not support chat', id="no chat"),
    pytest.param(ask(messages=[{"content": "Hi"}]), 400, "messages[0].role is missing", id="no role"),
    pytest.param(ask(messages=[{"role": "tool", "content": "Hi"}]), 400, 'messages[0].role "tool" is not known', id="role"),
    pytest.param(ask(messages=[{"role": "user"}]), 400, "messages[0].content is missing", id="no content"),
    pytest.param(ask(messages=[{"role": "user", "content": 3}]), 400, "messages[0].content must be a list", id="content number"),
    pytest.param(ask(messages=[{"role": "user", "content": [3]}]), 400, "messages[0].content[0] must be an object", id="block number"),
    pytest.param(ask(messages=[{"role": "user", "content": [{}]}]), 400, "messages[0].content[0].type is missing", id="block without type"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "text"}]}]), 400, "messages[0].content[0].text is missing", id="text without text"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]}]), 400, '"fake" does not support images', id="image"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "image", "source": 3}]}]), 400, "messages[0].content[0].source must be an object", id="source"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "b"}]}]), 400, 'type "tool_use" is not supported here', id="call of a user"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "tool_result"}]}]), 400, "messages[0].content[0].tool_use_id is missing", id="result without id"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image"}]}]}]), 400, "images", id="image in a result"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_reference"}]}]}]), 400, 'messages[0].content[0].content[0].type "tool_reference"', id="reference in a result"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "document"}]}]), 400, "messages[0].content[0].source is missing", id="document without source"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "document", "source": {"type": "base64", "data": "aa"}}]}]), 400, 'source.type "base64" is not supported', id="PDF"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "document", "source": {"type": "text"}}]}]), 400, "source.data is missing", id="document without text"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "document", "citations": {"enabled": True}}]}]), 400, "messages[0].content[0].citations", id="citations"),
    pytest.param(ask(messages=[{"role": "user", "content": [{"type": "search_result", "title": "Rain", "content": []}]}]), 400, "messages[0].content[0].source is missing", id="search result from nowhere"),
    pytest.param(ask(messages=[{"role": "assistant", "content": [{"type": "thinking"}]}]), 400, "messages[0].content[0].thinking is missing", id="thinking without text"),
    pytest.param(ask(messages=[{"role": "assistant", "content": [{"type": "tool_use", "name": "a"}]}]), 400, "messages[0].content[0].id is missing", id="call without id"),
    pytest.param(ask(messages=[{"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]}]), 400, "messages[0].content[0].name is missing", id="call without name"),
    pytest.param(ask(messages=[{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": "c"}]}]), 400, "messages[0].content[0].input must be an object", id="call with text"),
    pytest.param(ask(messages=[{"role": "assistant", "content": [{"type": "server_tool_use", "id": "a", "name": "b"}]}]), 400, 'type "server_tool_use"', id="server call"),
    pytest.param(ask(system=3), 400, "system must be a list", id="system number"),
    pytest.param(ask(system=[{"type": "image"}]), 400, "images", id="system image"),
    pytest.param(ask(tools=[{"type": "web_search_20250305", "name": "web_search"}]), 400, 'tools[0].type "web_search_20250305" is not supported', id="server tool"),
    pytest.param(ask(tools=[{"description": "x"}]), 400, "tools[0].name is missing", id="tool without name"),
    pytest.param(ask(tools=[{**WEATHER, "input_schema": "x"}]), 400, "tools[0].input_schema must be an object", id="tool schema"),
    pytest.param(ask(tools=[{**WEATHER, "allowed_callers": ["code_execution_20250825"]}]), 400, "tools[0].allowed_callers", id="tool callers"),
    pytest.param(ask(model="plain", tools=[WEATHER]), 400, "does not support tools", id="no tools"),
    pytest.param(ask(tool_choice="any"), 400, "tool_choice must be an object", id="choice text"),
    pytest.param(ask(tool_choice={}), 400, "tool_choice.type is missing", id="choice without type"),
    pytest.param(ask(tool_choice={"type": "some"}), 400, "tool_choice.type must be auto, any, tool or none", id="choice type"),
    pytest.param(ask(tool_choice={"type": "any"}), 400, "tool_choice any needs tools", id="any of nothing"),
    pytest.param(ask(tools=[WEATHER], tool_choice={"type": "tool", "name": "x"}), 400, 'tool_choice.name "x" is none of the tools', id="choice of another"),
    pytest.param(ask(thinking=True), 400, "thinking must be an object", id="thinking flag"),
    pytest.param(ask(thinking={"type": "much"}), 400, 'thinking.type "much" is not supported', id="thinking type"),
    pytest.param(ask(thinking={"type": "enabled", "budget_tokens": 0}), 400, "thinking.budget_tokens must be at least 1", id="budget"),
    pytest.param(ask(thinking={"type": "enabled", "display": "x"}), 400, "thinking.display must be one of", id="display"),
    pytest.param(ask(model="plain", thinking=THINK), 400, '"plain" does not support thinking', id="no thinking"),
    pytest.param(ask(think="hard"), 400, 'invalid think value: "hard"', id="think"),
    pytest.param(ask(output_config={"effort": "wild"}), 400, 'output_config.effort "wild" is not known', id="effort"),
    pytest.param(ask(output_config={"format": {"type": "json_schema"}}), 400, "output_config.format must be", id="format without schema"),
    pytest.param(ask(output_format={"type": "xml"}), 400, "output_config.format must be", id="format"),
    pytest.param(ask(stop_sequences="END"), 400, "stop_sequences must be a list", id="stop text"),
    pytest.param(ask(stop_sequences=[1]), 400, "stop_sequences[0] must be a string", id="stop number"),
    pytest.param(ask(temperature="hot"), 400, "temperature must be a number", id="temperature"),
    pytest.param(ask(top_k=0.5), 400, "top_k must be an integer", id="top_k"),
    pytest.param(ask(stream="yes"), 400, "stream must be true or false", id="stream"),
    pytest.param(ask(options={"num_ctx": "8k"}), 400, 'option "num_ctx" must be of type integer', id="option"),
    pytest.param(ask(num_ctx="8k"), 400, 'option "num_ctx" must be of type integer', id="num_ctx"),
    pytest.param(ask(keep_alive="soon"), 400, "is not a duration", id="keep_alive"),
    pytest.param(ask(container="x"), 400, "container is not supported", id="container"),
    pytest.param(ask(mcp_servers=[{"url": "x"}]), 400, "mcp_servers is not supported", id="mcp_servers"),
    pytest.param(ask(speed="fast"), 400, 'speed "fast" is not supported', id="speed"),
    pytest.param(ask(context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}), 400, "context_management with clear_tool_uses_20250919 is not supported", id="context_management"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "words"), ERRORS)
def test_refusals(steady_server, body, status, words):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = steady_server.post(PATH, content=content)
    error = response.json()
    assert (response.status_code, set(error), error["type"]) == (status, {"type", "error", "request_id"}, "error")
    assert error["error"]["type"] == {400: "invalid_request_error", 404: "not_found_error"}[status]
    assert words in error["error"]["message"]
    assert response.headers["request-id"] == error["request_id"]


@pytest.mark.parametrize(("body", "status", "words"), [
    pytest.param({"messages": HELLO}, 400, "model is required", id="no model"),
    pytest.param({"model": "fake"}, 400, "messages is required", id="no messages"),
    pytest.param({"model": "nobody", "messages": HELLO}, 404, "not found", id="unknown model"),
    pytest.param({"model": "fake", "messages": [{"role": "user", "content": [{"type": "image"}]}]}, 400, "images", id="image"),
])  # fmt: skip
def test_refusals_to_count(steady_server, body, status, words):
    response = steady_server.post(f"{PATH}/count_tokens", body)
    assert response.status_code == status and words in response.json()["error"]["message"]


@pytest.mark.parametrize("levels", [50, 300, 900])
def test_nested_blocks_are_no_server_error(steady_server, levels):
    opened = '{"type": "tool_result", "tool_use_id": "a", "content": ['
    block = opened * levels + '{"type": "text", "text": "x"}' + "]}" * levels
    body = f'{{"model": "fake", "max_tokens": 9, "messages": [{{"role": "user", "content": [{block}]}}]}}'
    response = steady_server.post(PATH, content=body.encode())
    assert response.status_code == 400 and response.json()["error"]["type"] == "invalid_request_error", response.text


def test_errors_reach_the_client_by_their_class(serve):
    client = client_of(serve())
    with pytest.raises(anthropic.NotFoundError, match="ossian pull nobody"):
        client.messages.create(**ask(model="nobody"))
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**ask(output_config={"effort": "wild"}))
    assert caught.value.request_id == caught.value.body["request_id"]


def test_the_key_is_read_from_either_header(serve):
    server = serve(api_key="secret")
    assert client_of(server, api_key="secret").messages.create(**ask()).content[0].text == "You said: Hello there"
    bearer = anthropic.Anthropic(base_url=server.url, auth_token="secret", max_retries=0)
    assert bearer.messages.create(**ask()).stop_reason == "end_turn"
    with pytest.raises(anthropic.PermissionDeniedError, match="API key") as caught:
        client_of(server, api_key="wrong").messages.create(**ask())
    assert caught.value.body["error"]["type"] == "permission_error"


def test_a_body_that_is_too_large_is_said_so(serve):
    response = serve(max_body=10).post(PATH, ask())
    assert (response.status_code, response.json()["error"]["type"]) == (413, "request_too_large")


class Slow(FakeModel):
    """Reads its prompt for a while, or thinks; asked for trouble it then fails."""

    async def chat(self, request):
        words = request.messages[-1].content
        if words == "ponder":
            yield Thinking("hm")
        await asyncio.sleep(0.3)
        if words == "trouble":
            raise RuntimeError("broken")
        if words == "too much":
            raise ContextTooLong(200_000, 4096)
        yield Text("There.")
        if words == "break":
            raise RuntimeError("broken")
        yield Done("stop", Usage())


def say(words):
    return [{"role": "user", "content": words}]


def test_pings_flow_while_there_is_nothing_to_say(serve):
    server = serve(model=Slow, comment_seconds=0.05)
    told = [name for name, _ in events(server.post(PATH, ask(stream=True)).text)]
    assert told[:3] == ["ping"] * 3 and told[-1] == "message_stop"
    told = [name for name, _ in events(server.post(PATH, ask(stream=True, messages=say("ponder"))).text)]
    assert told[:4] == ["message_start", *["ping"] * 3] and told[-1] == "message_stop"
    with client_of(server).messages.stream(**ask()) as stream:
        assert stream.get_final_text() == "There."


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_before_the_first_word_has_its_status(serve, stream):
    server = serve(model=Slow)
    response = server.post(PATH, ask(messages=say("too much"), stream=stream))
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "exceed the context length of 4096" in response.json()["error"]["message"]
    response = server.post(PATH, ask(messages=say("trouble"), stream=stream))
    assert (response.status_code, response.json()["error"]["type"]) == (500, "api_error")


def test_an_error_in_mid_stream_is_an_event(serve):
    server = serve(model=Slow)
    response = server.post(PATH, ask(messages=say("break"), stream=True))
    *_, (name, last) = events(response.text)
    assert (name, last["error"]["type"]) == ("error", "api_error")
    assert last["request_id"] == response.headers["request-id"]
    with (
        pytest.raises(anthropic.APIStatusError, match="internal error"),
        client_of(server).messages.stream(**ask(messages=say("break"))) as stream,
    ):
        stream.until_done()


def test_one_too_many_is_told_that_we_are_overloaded(serve, eventually):
    server = serve(model=Endless, max_queue=0, num_parallel=1)
    with connect(server) as connection:
        connection.sendall(spell(PATH, ask()))
        eventually(lambda: server.users == 1)
        response = server.post(PATH, ask())
    assert (response.status_code, response.json()["error"]["type"]) == (503, "overloaded_error")


class Endless(FakeModel):
    """Reads its prompt for ever, also to count it."""

    begun = left = 0

    async def chat(self, request):
        await self.count(request)
        yield Text("")

    async def count(self, request):
        self.begun += 1
        try:
            await asyncio.sleep(60)
        finally:
            self.left += 1
        return 0


def connect(server):
    return socket.create_connection(server.url.removeprefix("http://").split(":"))


def spell(path, body):
    """A request as it goes over the wire."""
    sent = json.dumps(body)
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(sent)}\r\n\r\n{sent}".encode()


@pytest.mark.parametrize(("path", "body"), [
    pytest.param(PATH, ask(stream=True), id="stream"),
    pytest.param(PATH, ask(), id="whole"),
    pytest.param(f"{PATH}/count_tokens", ask(), id="count"),
])  # fmt: skip
def test_hanging_up_before_the_first_word_frees_the_model(serve, eventually, path, body):
    server = serve(model=Endless, comment_seconds=0.05)
    with connect(server) as connection:
        connection.sendall(spell(path, body))
        eventually(lambda: server.models and server.model.begun == 1)
    eventually(lambda: server.model.left == 1 and server.users == 0)


def test_hanging_up_in_mid_stream_frees_the_model(serve, eventually):
    server = serve([[Text("word " * 2000)]], pause=0.002)
    with client_of(server).messages.stream(**ask()) as stream:
        next(stream.text_stream)
    eventually(lambda: server.hang_ups == 1 and server.users == 0)


def test_web_pages_may_send_anthropics_headers(serve):
    headers = {"origin": "http://localhost:5173", "access-control-request-method": "POST"}
    server = serve()
    allowed = server.client.options(server.url + PATH, headers=headers).headers["access-control-allow-headers"]
    assert {"x-api-key", "anthropic-version", "anthropic-beta"} <= set(allowed.split(", "))
