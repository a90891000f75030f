"""What OpenAI's clients ask for beside words: a choice of tools, several answers, log-probabilities, biases."""

import openai
import pytest

from ossian.chat import Done, Logprob, OnlyTool, Text, Thinking, ToolCall, Usage

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
HELLO = [{"role": "user", "content": "Hello there"}]
LIKELY = Logprob("All", -0.5, b"All", (Logprob("All", -0.5, b"All"), Logprob("Not", -1.5, b"Not")))
WRITTEN = {"token": "All", "logprob": -0.5, "bytes": [65, 108, 108]}


def create(server, **more):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="ignored", max_retries=0)
    return client.chat.completions.create(model="fake", messages=HELLO, **more)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("none", "none", id="none"),
        pytest.param("auto", "auto", id="auto"),
        pytest.param("required", "required", id="required"),
        pytest.param({"type": "function", "function": {"name": "f"}}, OnlyTool("f"), id="named"),
    ],
)
def test_the_choice_of_tools_reaches_the_model(serve, written, read):
    server = serve([[ToolCall("call_1", "f", "{}"), Done("stop", Usage(1, 0, 1))]])
    create(server, tools=[TOOL], tool_choice=written, parallel_tool_calls=False)
    (request,) = server.model.requests
    assert (request.tool_choice, request.tools[0].strict) == (read, True)


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_only_the_tools_that_are_allowed_are_offered(serve, mode):
    server = serve([[ToolCall("call_1", "f", "{}"), Done("stop", Usage(1, 0, 1))]])
    other = {"type": "function", "function": {"name": "g"}}
    allowed = {"mode": mode, "tools": [{"type": "function", "function": {"name": "f"}}]}
    create(server, tools=[other, TOOL], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    (request,) = server.model.requests
    assert (request.tool_choice, [tool.name for tool in request.tools]) == (mode, ["f"])


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_bound_of_minus_one_is_none(serve, name):
    server = serve([[Text("Hi")]])
    create(server, **{name: -1})
    assert server.model.requests[0].max_tokens is None


def test_several_answers_are_numbered_and_paid_for_together(serve):
    replies = [[Text("One."), Done("stop", Usage(7, 0, 3))], [Text("Two."), Done("length", Usage(7, 6, 4))]]
    server = serve(replies)
    answer = create(server, n=2, seed=5)
    assert [(c.index, c.message.content, c.finish_reason) for c in answer.choices] == [
        (0, "One.", "stop"),
        (1, "Two.", "length"),
    ]
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 7, 14)
    assert [request.sampling.seed for request in server.model.requests] == [5, 6]


def test_several_answers_in_one_stream(serve):
    replies = [[Text("One."), Done("stop", Usage(7, 0, 3))], [ToolCall("c", "f", "{}"), Done("stop", Usage(7, 6, 4))]]
    chunks = list(create(serve(replies), n=2, tools=[TOOL], stream=True, stream_options={"include_usage": True}))
    *spoken, usage = chunks
    shown = [
        (c.choices[0].index, c.choices[0].delta.role, c.choices[0].delta.content, c.choices[0].finish_reason)
        for c in spoken
    ]
    assert shown == [
        (0, "assistant", "One.", None),
        (0, None, None, "stop"),
        (1, "assistant", None, None),
        (1, None, None, "tool_calls"),
    ]
    assert (usage.choices, usage.usage.completion_tokens) == ([], 7)


def test_the_tokens_of_thinking_are_counted_apart(serve):
    server = serve([[Thinking("hm hm"), Text("One."), Done("stop", Usage(7, 0, 3, thinking_tokens=2))]])
    usage = create(server, n=2).usage
    assert (usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens) == (6, 4)


def test_log_probabilities(serve):
    server = serve([[Text("All", (LIKELY,)), Text(" well."), Done("stop", Usage(1, 0, 2))]])
    choice = create(server, logprobs=True, top_logprobs=2).choices[0]
    top = [{**WRITTEN}, {"token": "Not", "logprob": -1.5, "bytes": [78, 111, 116]}]
    assert choice.logprobs.model_dump() == {"content": [{**WRITTEN, "top_logprobs": top}], "refusal": None}
    assert server.model.requests[0].top_logprobs == 2


def test_log_probabilities_in_a_stream(serve):
    server = serve([[Text("All", (LIKELY,)), Done("stop", Usage(1, 0, 1))]])
    first, end = create(server, logprobs=True, stream=True)
    assert [token.token for token in first.choices[0].logprobs.content] == ["All"]
    assert (end.choices[0].logprobs, server.model.requests[0].top_logprobs) == (None, 0)


def test_ollama_gets_log_probabilities_too(serve):
    server = serve([[Text("All", (LIKELY,)), Done("stop", Usage(1, 0, 1))]])
    body = {"model": "fake", "messages": HELLO, "logprobs": True, "top_logprobs": 1, "stream": False}
    assert [token["token"] for token in server.post("/api/chat", body).json()["logprobs"]] == ["All"]
    body = {"model": "fake", "prompt": "x", "logprobs": True, "stream": False}
    assert server.post("/api/generate", body).json()["logprobs"][0]["bytes"] == [65, 108, 108]


def test_biases_of_tokens_reach_the_model(serve):
    server = serve()
    create(server, logit_bias={"17": -100})
    assert server.model.requests[0].sampling.logit_bias == {17: -100.0}
