"""Edits in JSON with comments: only what is edited changes, whatever the text looks like."""

import json
import re

import pytest

from ossian.cli.jsonc import NotJson, append, parse, put, replace, take

SETTINGS = """// my settings
{
  // size of letters
  "editor.fontSize": 14, // not 13
  "files.exclude": { "**/*.pyc": true, /* old */ },
  "url": "http://x // no comment", /* here
  too */
}
"""


def without(text, index):
    return take(text, parse(text), index)


def test_comments_and_trailing_commas_are_let_by():
    assert parse(SETTINGS).value == {
        "editor.fontSize": 14,
        "files.exclude": {"**/*.pyc": True},
        "url": "http://x // no comment",
    }


@pytest.mark.parametrize(
    ("text", "put_in"),
    [
        pytest.param("{}", '{\n    "a": 1\n}', id="empty"),
        pytest.param("{}\n", '{\n    "a": 1\n}\n', id="empty line"),
        pytest.param("{ // none yet\n}\n", '{ // none yet\n    "a": 1\n}\n', id="only a comment"),
        pytest.param('{"b": 2}', '{"b": 2,\n    "a": 1\n}', id="one line"),
        pytest.param('{\n\t"b": 2\n}\n', '{\n\t"b": 2,\n\t"a": 1\n}\n', id="tabs"),
        pytest.param('{\r\n  "b": 2\r\n}\r\n', '{\r\n  "b": 2,\r\n  "a": 1\r\n}\r\n', id="Windows"),
        pytest.param('{\n  "b": 2, // two\n}\n', '{\n  "b": 2, // two\n  "a": 1,\n}\n', id="trailing comma"),
        pytest.param('{\n  "b": 2 // two\n}\n', '{\n  "b": 2, // two\n  "a": 1\n}\n', id="comment behind"),
        pytest.param('{\n  "b": 2 /* 2\n */\n}', '{\n  "b": 2, /* 2\n */\n  "a": 1\n}', id="long comment behind"),
        pytest.param('{\n  "a": 0, // a\n  "b": 2\n}', '{\n  "a": 1, // a\n  "b": 2\n}', id="another value"),
        pytest.param('{"a": 0, "a": 2}', '{"a": 0, "a": 1}', id="twice: the last one counts"),
        pytest.param('\ufeff{\n  "b": 2\n}', '\ufeff{\n  "b": 2,\n  "a": 1\n}', id="byte order mark"),
    ],
)
def test_a_member_is_put_in_and_the_rest_stays(text, put_in):
    assert put(text, "a", 1) == put_in
    assert put(put_in, "a", 1) == put_in


def test_all_comments_survive_many_edits():
    text = SETTINGS
    for number, value in enumerate([1, "two", [3], {"four": 4}, None]):
        text = put(text, f"key{number}", value)
    assert parse(text).value == {
        **parse(SETTINGS).value, "key0": 1, "key1": "two", "key2": [3], "key3": {"four": 4}, "key4": None,
    }  # fmt: skip
    assert re.findall(r"// \w.*|/\*[^*]*\*/", text) == re.findall(r"// \w.*|/\*[^*]*\*/", SETTINGS)
    for _ in range(5):
        text = without(text, len(parse(text).parts) - 1)
    assert text == SETTINGS


@pytest.mark.parametrize(
    ("text", "index", "left"),
    [
        pytest.param('{"a": 1}', 0, "{}", id="the only one"),
        pytest.param('{\n  "a": 1\n}\n', 0, "{\n}\n", id="the only line"),
        pytest.param('{\n  "a": 1,\n  "b": 2\n}', 0, '{\n  "b": 2\n}', id="the first"),
        pytest.param('{\n  "a": 1,\n  "b": 2\n}', 1, '{\n  "a": 1\n}', id="the last"),
        pytest.param('{\n  "a": 1, // one\n  "b": 2\n}', 1, '{\n  "a": 1 // one\n}', id="behind a comment"),
        pytest.param('[1, 2, 3]', 1, "[1,  3]", id="within a line"),
        pytest.param('{\n  "a": 1, // one\n  "b": 2\n}', 0, '{\n   // one\n  "b": 2\n}', id="its comment stays"),
    ],
)  # fmt: skip
def test_a_part_is_taken_out(text, index, left):
    assert without(text, index) == left
    parse(left)


def test_an_array_grows_and_changes():
    grown = append('[\n  {"vendor": "x"} // mine\n]\n', {"vendor": "y"})
    assert grown == '[\n  {"vendor": "x"}, // mine\n  {\n    "vendor": "y"\n  }\n]\n'
    assert parse(replace(grown, 0, {"z": 1})).value == [{"z": 1}, {"vendor": "y"}]


@pytest.mark.parametrize(
    ("text", "line", "wanted"),
    [
        pytest.param("", 1, "a value", id="nothing"),
        pytest.param('{\n  "a": 1\n  "b": 2\n}', 3, "a comma or }", id="no comma"),
        pytest.param('{\n\n  a: 1}', 3, "a name in quotes", id="no quotes"),
        pytest.param('{"a" 1}', 1, "a colon", id="no colon"),
        pytest.param('{"a": }', 1, "a value", id="no value"),
        pytest.param('{"a": tru}', 1, "a value", id="half a word"),
        pytest.param('{"a": 1', 1, "a comma or }", id="no end"),
        pytest.param('[1,\n2', 2, "a comma or ]", id="no end of the array"),
        pytest.param("{}\n{}", 2, "the end of the file", id="two"),
        pytest.param('{"a": "\n"}', 1, "a value", id="a text over two lines"),
        pytest.param("/* {}", 1, "a value", id="a comment without end"),
        pytest.param("[" * 10_000, 1, "less nesting", id="a hole"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_with_its_line(text, line, wanted):
    with pytest.raises(NotJson) as caught:
        parse(text)
    assert str(caught.value) == f"line {line}: {wanted} was expected."


@pytest.mark.parametrize("value", [0, -1.5e3, 'ü " \\ \n', True, None, [], {}, [[], {"a": [1, {"b": 2}]}]])
def test_whatever_is_json_is_read_like_it(value):
    for indent in (None, 2):
        assert parse(json.dumps(value, indent=indent)).value == value
