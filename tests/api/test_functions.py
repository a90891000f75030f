"""Functions in the words of 2023, with OpenAI's own client."""

import openai
import pytest

from ossian.chat import Message, OnlyTool, Text, Tool, ToolCall

WEATHER = {"name": "weather", "description": "Tells it.", "parameters": {"type": "object", "properties": {}}}
HELLO = [{"role": "user", "content": "Weather?"}]
CALLS = [ToolCall("call_1", "weather", '{"city":"Oslo"}'), ToolCall("call_2", "weather", "{}")]


def create(server, **more):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="ignored", max_retries=0)
    return client.chat.completions.create(**{"model": "fake", "messages": HELLO, "functions": [WEATHER], **more})


def test_a_function_is_called_and_its_result_goes_back(serve):
    server = serve([CALLS, [Text("Rain.")]])
    choice = create(server).choices[0]
    assert choice.finish_reason == "function_call"
    assert choice.message.function_call.model_dump() == {"name": "weather", "arguments": '{"city":"Oslo"}'}
    assert choice.message.tool_calls is None
    result = {"role": "function", "name": "weather", "content": "rain"}
    turn = choice.message.model_dump(exclude_none=True)
    answer = create(server, messages=[*HELLO, turn, result]).choices[0]
    assert (answer.message.content, answer.message.function_call, answer.finish_reason) == ("Rain.", None, "stop")
    asked = server.model.requests[1]
    assert asked.tools == (Tool("weather", "Tells it.", {"type": "object", "properties": {}}),)
    assert asked.messages[1:] == (
        Message("assistant", calls=(ToolCall("", "weather", '{"city":"Oslo"}'),)),
        Message("tool", "rain", name="weather"),
    )


def test_it_streams(serve):
    chunks = list(create(serve([CALLS]), stream=True))
    deltas = [chunk.choices[0].delta.model_dump(exclude_unset=True) for chunk in chunks]
    assert deltas == [
        {"role": "assistant", "function_call": {"name": "weather", "arguments": '{"city":"Oslo"}'}},
        {},
    ]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, "function_call"]


@pytest.mark.parametrize(
    ("written", "read"), [("none", "none"), ("auto", "auto"), ({"name": "weather"}, OnlyTool("weather"))]
)
def test_the_choice_reaches_the_model(serve, written, read):
    server = serve([[Text("Hi")]])
    create(server, function_call=written)
    assert server.model.requests[0].tool_choice == read


def test_a_result_may_be_nothing(serve):
    server = serve([[Text("Hi")]])
    create(server, messages=[*HELLO, {"role": "function", "name": "weather", "content": None}])
    assert server.model.requests[0].messages[1] == Message("tool", "", name="weather")


def test_no_function_may_be_called_where_there_are_none(serve):
    server = serve([[Text("Hi")]])
    assert create(server, functions=[], function_call="none").choices[0].finish_reason == "stop"
