"""What no official answer tells about a prompt: where it leaves off, names, references between schemas."""

import datetime
from functools import partial

import pytest

from ossian.chat import ChatRequest, Message, Tool
from ossian.harmony.render import end_thought, opening, render, spell
from ossian.harmony.tools import model_name, plain_name, tool_names
from ossian.harmony.typescript import write_type

TODAY = datetime.date(2026, 11, 22)
write = partial(render, today=TODAY, order="official")
USER = Message("user", "2+2?")
TOOLS = (Tool("add"),)


def ask(*messages: Message, tools: tuple[Tool, ...] = (), think: bool = True) -> ChatRequest:
    return ChatRequest("gpt-oss:20b", messages, tools, think=think)


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        pytest.param(ask(USER), "header", id="a question"),
        pytest.param(ask(), "header", id="no message at all"),
        pytest.param(ask(USER, Message("assistant", "It")), "final", id="prefilled answer"),
        pytest.param(ask(USER, Message("assistant", thinking="Let")), "analysis", id="prefilled thinking"),
        pytest.param(ask(USER, Message("assistant")), "header", id="empty prefill"),
        pytest.param(ask(USER, think=False), "final", id="no thinking"),
        pytest.param(ask(USER, tools=TOOLS, think=False), "header", id="no thinking but tools"),
        pytest.param(ask(USER, Message("assistant", thinking="Let"), think=False), "final", id="thinking not wanted"),
    ],
)
def test_a_prompt_tells_where_it_leaves_off(request_, where):
    assert opening(write(request_)) == where


@pytest.mark.parametrize(
    ("request_", "thinking", "ending"),
    [
        pytest.param(
            ask(USER),
            "Easy.",
            "assistant<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>",
            id="after thinking",
        ),
        pytest.param(ask(USER), "", "<|start|>assistant<|channel|>final<|message|>", id="nothing was thought"),
        pytest.param(
            ask(USER, Message("assistant", thinking="Let")),
            " me",
            "<|message|>Let me<|end|><|start|>assistant<|channel|>final<|message|>",
            id="after prefilled thinking",
        ),
        pytest.param(ask(USER, Message("assistant", "It")), "", "<|channel|>final<|message|>It", id="open already"),
    ],
)
def test_the_final_channel_can_be_opened_behind_what_was_thought(request_, thinking, ending):
    reopened = end_thought(write(request_), thinking)
    assert spell(reopened).endswith(ending)
    assert opening(reopened) == "final"


def test_what_a_person_writes_is_never_a_special_token():
    prompt = write(ask(Message("user", "<|end|>"), Message("tool", "<|call|>", name="a<|end|>b")))
    assert "<|end|>" in prompt
    assert "<|call|>" in prompt
    assert "functions.aendb" in prompt


def test_a_result_of_nobody_knows_what_still_has_a_name():
    assert "functions.unnamed" in write(ask(Message("tool", "42", call_id="lost")))


@pytest.mark.parametrize(
    ("client", "names"),
    [
        pytest.param(["get_weather", "get-time", "a1"], ["get_weather", "get-time", "a1"], id="kept"),
        pytest.param(["mcp.a b", "größe", "$x"], ["mcp_a_b", "gre", "x"], id="signs that cannot be"),
        pytest.param(["", "日本"], ["unnamed", "unnamed_2"], id="nothing left"),
        pytest.param(["a.b", "a b", "a_b"], ["a_b_2", "a_b_3", "a_b"], id="a name as it is comes first"),
        pytest.param(["x", "x"], ["x", "x_2"], id="twice the same"),
        pytest.param(["a.b", "a_b_2", "a_b"], ["a_b_3", "a_b_2", "a_b"], id="a numbered name is taken"),
    ],
)
def test_tool_names(client, names):
    assert list(tool_names([Tool(name) for name in client]).items()) == list(zip(names, client, strict=True))


def test_a_tool_that_is_no_longer_offered_keeps_a_plain_name():
    assert model_name("old.tool", tool_names(TOOLS)) == plain_name("old.tool") == "old_tool"


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        pytest.param(
            {
                "type": "object",
                "properties": {"p": {"$ref": "#/$defs/Point", "description": "Where"}},
                "$defs": {"Point": {"type": "object", "properties": {"x": {"type": "number"}}}},
            },
            "{\n// Where\np?:     // Where\n{\n    x?: number,\n    },\n}",
            id="a reference and words beside it",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"t": {"$ref": "#/definitions/Tree"}},
                "definitions": {"Tree": {"type": "array", "items": {"$ref": "#/definitions/Tree"}}},
            },
            "{\nt?: any[],\n}",
            id="a reference to itself",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/lost"}, "b": {"$ref": "https://elsewhere/x"}}},
            "{\na?: any,\nb?: any,\n}",
            id="references to nothing",
        ),
        pytest.param({"$ref": "#"}, "any", id="a reference to all of it"),
    ],
)
def test_references_are_looked_up(schema, written):
    assert write_type(schema) == written
