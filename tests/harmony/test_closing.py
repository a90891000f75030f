"""A text that a schema binds, cut anywhere, is brought to an end that satisfies the schema."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossian.harmony.closing import Closer
from ossian.harmony.grammar import text_grammar

CHECKER = jsonschema.Draft202012Validator.FORMAT_CHECKER


def record(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


TEXT = {"type": "string"}
LISTS = {"type": "array", "items": {"type": "array", "items": TEXT, "minItems": 1_999}, "minItems": 1_999}
TREE = {"$defs": {"node": record(name=TEXT, inside={"type": "array", "items": {"$ref": "#/$defs/node"}})}}
CASES = {
    "person": (
        record(name=TEXT, born={"type": "integer"}, known_for={"type": "array", "items": TEXT}),
        {"name": 'Ada "the first" Lovelace\n', "born": 1815, "known_for": ["the first program", "ünïcödé 🦄"]},
    ),
    "choices": (
        record(mood={"enum": ["good", "goodish", "bad"]}, sure={"type": "boolean"}, why={"type": ["string", "null"]}),
        {"mood": "goodish", "sure": True, "why": None},
    ),
    "numbers": (
        record(stars={"type": "integer", "minimum": 10, "maximum": 35}, part={"type": "number", "exclusiveMinimum": 0}),
        {"stars": 27, "part": 12.5},
    ),
    "patterns": (
        record(date={"type": "string", "format": "date"}, id={"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}),
        {"date": "1999-12-07", "id": "XY-123"},
    ),
    "lengths": (
        record(a={"type": "string", "minLength": 4}, b={"type": "array", "items": {"type": "integer"}, "minItems": 3}),
        {"a": "words", "b": [1, 2, 3, 4]},
    ),
    "tree": (
        {**TREE, "$ref": "#/$defs/node"},
        {"name": "a", "inside": [{"name": "b", "inside": []}, {"name": "c", "inside": [{"name": "d", "inside": []}]}]},
    ),
    "optional": (
        {"type": "object", "properties": {name: {"type": "boolean"} for name in "abcd"}, "required": ["c"]},
        {"a": True, "c": False, "d": True},
    ),
    "anything": ({"type": "object"}, {"x": [1, -2.5e3, None, {"y": "z"}, True], "w": {}}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_wherever_it_is_cut_its_end_satisfies_the_schema(name: str) -> None:
    schema, value = CASES[name]
    whole = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    written = Closer(text_grammar(schema)).begin()
    for at, letter in enumerate(whole):
        assert written.rest is not None, whole[:at]
        assert written.cost == pytest.approx(len(written.rest), abs=6)
        jsonschema.validate(json.loads(whole[:at] + written.rest), schema, format_checker=CHECKER)
        written = written.after(letter)
    assert (written.rest, written.cost, written.places) == ("", 0, (None,))


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=5)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-99, 99) | TEXTS, st.lists, max_leaves=9), st.data())
def test_any_json_can_be_cut_anywhere(value: Any, data: st.DataObject) -> None:
    whole = json.dumps({"a": value}, ensure_ascii=False)
    begun = whole[: data.draw(st.integers(0, len(whole)))]
    rest = Closer(text_grammar("json")).begin().after(begun).rest
    assert rest is not None
    assert isinstance(json.loads(begun + rest), dict)


def test_what_is_unknown_is_said_as_plainly_as_can_be() -> None:
    schema = record(
        text=TEXT, whole={"type": "integer"}, real={"type": "number"}, yes={"type": "boolean"},
        none={"type": ["string", "null"]}, list={"type": "array", "items": TEXT}, one={"enum": ["longer", "short"]},
    )  # fmt: skip
    rest = Closer(text_grammar(schema)).begin().rest
    assert rest == '{"text":"","whole":0,"real":0,"yes":false,"none":"","list":[],"one":"short"}'
    assert Closer(text_grammar(record(yes={"type": "boolean"}))).begin().after('{"yes":').rest == "false}"


@pytest.mark.parametrize(
    ("schema", "begun"),
    [
        pytest.param(record(a=TEXT), '{"b', id="no beginning of one"),
        pytest.param(record(a=TEXT), '{"a": "b"}}', id="more than one"),
        pytest.param(LISTS, "[", id="too long"),
    ],
)
def test_some_texts_have_no_end(schema: Any, begun: str) -> None:
    assert Closer(text_grammar(schema)).begin().after(begun).rest is None


def test_a_long_string_costs_no_more_than_a_short_one() -> None:
    closer = Closer(text_grammar(record(a=TEXT)))
    short = closer.begin().after('{"a": "x')
    assert short.after("x" * 10_000).places == short.places
