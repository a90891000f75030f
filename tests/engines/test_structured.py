"""Structured answers: a model of random weights babbles, and what it writes satisfies the schema all the same."""

import json
import re
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter

from ossian.chat import ChatRequest, Done, Event, Message, OnlyTool, Sampling, Text, Tool, ToolCall
from ossian.engines.local import LocalModel
from ossian.errors import BadRequest, SchemaNotSupported

NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
    "required": ["name", "next"],
}
CIRCLE = {
    "type": "object",
    "properties": {"kind": {"const": "circle"}, "r": {"type": "integer"}},
    "required": ["kind", "r"],
}
SQUARE = {
    "type": "object",
    "properties": {"kind": {"enum": ["square"]}, "a": {"type": "integer"}},
    "required": ["kind", "a"],
}


CHECKER = jsonschema.Draft202012Validator.FORMAT_CHECKER
QUOTE = 34  # the token of the tiny vocabulary


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def model(shared_model: LocalModel) -> LocalModel:
    return shared_model


def record(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


SCHEMAS = {
    "integers": record(a={"type": "integer", "minimum": 0}, b={"type": "integer", "minimum": -17, "maximum": 1205}),
    "exclusive integers": record(a={"type": "integer", "exclusiveMinimum": 9, "exclusiveMaximum": 12}),
    "negative integers": record(a={"type": "integer", "maximum": -3}),
    "numbers": record(a={"type": "number", "minimum": 0, "maximum": 1}, b={"type": "number", "exclusiveMinimum": 0}),
    "negative numbers": record(
        a={"type": "number", "minimum": -2.5, "exclusiveMaximum": 3}, b={"type": "number", "maximum": -1}
    ),
    "chances": record(p={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
    "booleans and nulls": record(a={"type": "boolean"}, b={"type": "null"}, c={"type": ["integer", "null"]}),
    "bounded string": record(a={"type": "string", "minLength": 3, "maxLength": 6}),
    "enum of all kinds": record(a={"enum": ["x", 1, None, True, {"k": [1]}, 'say "hi"', "é\n"]}),
    "names and values that look like tags": record(**{'"<|end|>\\': {"enum": ["(!<|end|>)*", "[<|call|>]"]}}),
    "const": record(a={"const": "only this"}),
    "list": record(a={"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4}),
    "list of lists": record(
        a={"type": "array", "items": {"type": "array", "items": {"enum": [1, 2]}, "maxItems": 2}, "maxItems": 3}
    ),
    "tuple": record(
        a={"type": "array", "prefixItems": [{"enum": ["x"]}, {"type": "integer"}], "items": False, "minItems": 2}
    ),
    "optional properties": {
        "type": "object",
        "properties": {name: {"type": "integer", "maximum": 9, "minimum": 0} for name in "abcde"},
        "required": ["c"],
        "additionalProperties": False,
    },
    "all optional": {
        "type": "object",
        "properties": {"a": {"type": "null"}, "b": {"type": "null"}},
        "additionalProperties": False,
    },
    "map": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 3}},
    "no properties": {"type": "object", "additionalProperties": False},
    "nested": record(a=record(b=record(c={"type": "integer"}))),
    "reference": {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
    "tree": {**NODE, "$defs": {"node": NODE}},
    "any of": record(a={"anyOf": [{"type": "integer"}, record(b={"type": "null"})]}),
    "one of by a fixed property": record(shape={"oneOf": [CIRCLE, SQUARE]}),
    "one of by a discriminator": {
        "$defs": {"circle": CIRCLE, "square": SQUARE},
        **record(
            shape={
                "oneOf": [{"$ref": "#/$defs/circle"}, {"$ref": "#/$defs/square"}],
                "discriminator": {"propertyName": "kind", "mapping": {"circle": "#/$defs/circle"}},
            }
        ),
    },
    "one of by type": record(a={"oneOf": [{"type": "string", "maxLength": 3}, {"type": "integer"}]}),
    "all of": {
        "allOf": [
            record(a={"type": "integer"}) | {"additionalProperties": True},
            {"properties": {"b": {"type": "null"}}, "required": ["b"]},
        ]
    },
    "pattern": record(a={"type": "string", "pattern": r"^[A-Z]{2}-\d{3}(-(x|y\.z))?$"}),
    "pattern with quotes": record(a={"type": "string", "pattern": r'^"[^a"]{1,4}\\$'}),
    "pattern anywhere": record(a={"type": "string", "pattern": "ab?c"}),
    "formats": record(
        **{
            kind: {"type": "string", "format": kind}
            for kind in ("date", "time", "date-time", "uuid", "ipv4", "ipv6", "email")
        }
    ),
    "required without a schema": {"type": "object", "required": ["x"]},
    "a list at the top": {"type": "array", "items": {"type": "boolean"}, "maxItems": 5},
    "a number at the top": {"type": "integer", "minimum": 100, "maximum": 31_415},
}
REFUSED = {
    "uniqueItems": record(a={"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
    "multipleOf": record(a={"type": "integer", "multipleOf": 7}),
    "not": {"not": {"type": "string"}},
    "patternProperties": {"type": "object", "patternProperties": {"^a": {"type": "null"}}},
    "minProperties": {"type": "object", "minProperties": 2},
    "oneOf": record(a={"oneOf": [{"type": "integer"}, {"type": "number"}]}),
    "if": {"type": "object", "if": {}, "then": {}},
    "pattern": record(a={"type": "string", "pattern": r"(a)\1"}),
    "minimum": record(a={"type": "integer", "minimum": 5, "maximum": 4}),
    "required": {"type": "object", "required": ["x"], "additionalProperties": False},
    "allows nothing": False,
    "nothing but a reference to itself": {"$ref": "#"},
    "is none of": {"type": "text"},
    "$ref": {"$ref": "https://example.org/schema"},
    "malformed": {"type": "object", "properties": 5},
    "never ends": {"$ref": "#/$defs/n", "$defs": {"n": record(n={"$ref": "#/$defs/n"})}},
    "no number of 16 digits": {"type": "integer", "minimum": 10**30, "maximum": 10**30 + 5},
    "minItems": {"type": "array", "items": {"type": "integer"}, "minItems": 100_000},
    "nested deeper": json.loads('{"items":' * 150 + "true" + "}" * 150),
}


def ask(**fields: Any) -> ChatRequest:
    return ChatRequest("tiny", (Message("user", "Go."),), think=False, max_tokens=6_000, **fields)


def sampling(seed: int) -> Sampling:
    """At random, but with a liking for the quotation mark, so that strings end, and without broken UTF-8.

    llama.cpp counts letters; bytes that are none count differently for everybody.
    """
    return Sampling(seed=seed, logit_bias={QUOTE: 4.0} | dict.fromkeys(range(128, 256), -100.0))


async def listen(model: LocalModel, request: ChatRequest) -> list[Event]:
    async with aclosing(model.chat(request)) as events:
        return [event async for event in events]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


@pytest.mark.parametrize("schema", [pytest.param(schema, id=name) for name, schema in SCHEMAS.items()])
async def test_whatever_is_written_satisfies_the_schema(model: LocalModel, schema: dict[str, Any]) -> None:
    for seed in range(4):
        events = await listen(model, ask(format=schema, sampling=sampling(seed)))
        assert isinstance(events[-1], Done) and events[-1].reason == "stop"
        jsonschema.validate(json.loads(text_of(events)), schema, format_checker=CHECKER)


async def test_durations_and_names_of_hosts_can_be_read(model: LocalModel) -> None:
    schema = record(**{kind: {"type": "string", "format": kind} for kind in ("duration", "hostname")})
    for seed in range(8):
        told = json.loads(text_of(await listen(model, ask(format=schema, sampling=sampling(seed)))))
        assert TypeAdapter(timedelta).validate_python(told["duration"]) >= timedelta(0)
        assert all(0 < len(label) < 64 and label[-1] != "-" for label in told["hostname"].split("."))


@pytest.mark.parametrize(("keyword", "schema"), REFUSED.items(), ids=list(REFUSED))
async def test_a_schema_that_cannot_be_kept_is_refused_by_its_keyword(
    model: LocalModel, keyword: str, schema: Any
) -> None:
    with pytest.raises(SchemaNotSupported, match=re.escape(keyword)):
        await listen(model, ask(format=schema))


TOOLS = (
    Tool(
        "get-weather",
        parameters=record(
            city={"type": "string", "maxLength": 9}, days={"type": "integer", "minimum": 1, "maximum": 5}
        ),
    ),
    Tool("mcp.read file", parameters=record(path={"type": "string", "pattern": "^/[a-z]{1,8}$"})),
    Tool("now"),
)


@pytest.mark.parametrize("choice", ["required", OnlyTool("mcp.read file"), OnlyTool("now")], ids=str)
async def test_a_required_call_comes_and_its_arguments_satisfy_the_tool(model: LocalModel, choice: Any) -> None:
    schemas = {tool.name: dict(tool.parameters) or {"type": "object"} for tool in TOOLS}
    for seed in range(6):
        events = await listen(model, ask(tools=TOOLS, tool_choice=choice, sampling=sampling(seed)))
        calls = [event for event in events if isinstance(event, ToolCall)]
        assert len(calls) == 1 and calls[0].name in (schemas if choice == "required" else [choice.name])
        jsonschema.validate(json.loads(calls[0].arguments), schemas[calls[0].name])


async def test_a_call_that_its_bound_cuts_short_is_not_shown(model: LocalModel) -> None:
    long = Tool("write", parameters=record(text={"type": "string", "minLength": 400}))
    events = await listen(model, replace(ask(tools=(long,), tool_choice="required"), max_tokens=100))
    assert [type(event) for event in events] == [Done]
    assert isinstance(events[-1], Done) and events[-1].reason == "length"


async def test_without_a_choice_only_offered_tools_are_called(model: LocalModel) -> None:
    for seed in range(6):
        events = await listen(model, replace(ask(tools=TOOLS, sampling=sampling(seed)), max_tokens=300))
        assert {event.name for event in events if isinstance(event, ToolCall)} <= {tool.name for tool in TOOLS}


async def test_with_no_choice_allowed_nothing_is_called(model: LocalModel) -> None:
    events = await listen(model, replace(ask(tools=TOOLS, tool_choice="none"), max_tokens=50))
    assert not [event for event in events if isinstance(event, ToolCall)]


async def test_a_tool_that_was_not_offered_cannot_be_chosen(model: LocalModel) -> None:
    with pytest.raises(BadRequest, match='tool_choice names "other"'):
        await listen(model, ask(tools=TOOLS, tool_choice=OnlyTool("other")))


@pytest.mark.parametrize(
    "schema", [{"type": "array"}, {"type": ["object", "null"]}, {"description": "Any."}, {"enum": [1]}]
)
async def test_arguments_are_an_object_whatever_the_schema_says(model: LocalModel, schema: Any) -> None:
    for seed in range(3):
        asked = ask(tools=(Tool("odd", parameters=schema),), tool_choice="required", sampling=sampling(seed))
        *calls, _ = await listen(model, asked)
        assert [type(json.loads(call.arguments)) for call in calls if isinstance(call, ToolCall)] == [dict]


async def test_a_strict_tool_whose_arguments_are_no_object_is_refused(model: LocalModel) -> None:
    with pytest.raises(SchemaNotSupported, match='the parameters of the tool "odd" must be those of an object'):
        await listen(model, ask(tools=(Tool("odd", parameters={"type": "array"}, strict=True),)))


async def test_no_call_can_be_required_in_the_middle_of_an_answer(model: LocalModel) -> None:
    begun = (Message("user", "Go."), Message("assistant", "I will"))
    with pytest.raises(BadRequest, match="tool_choice asks for a call"):
        await listen(model, replace(ask(tools=TOOLS, tool_choice="required"), messages=begun))


async def test_an_odd_schema_of_a_tool_is_advice_unless_the_tool_is_strict(model: LocalModel) -> None:
    odd = Tool("pick", parameters=record(a={"type": "array", "items": {"type": "integer"}, "uniqueItems": True}))
    events = await listen(model, ask(tools=(odd,), tool_choice="required"))
    assert [event.name for event in events if isinstance(event, ToolCall)] == ["pick"]
    with pytest.raises(SchemaNotSupported, match="uniqueItems"):
        await listen(model, ask(tools=(replace(odd, strict=True),)))
