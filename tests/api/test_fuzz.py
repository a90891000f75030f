"""Whatever is sent to whatever route, the answer is none of 5xx, comes at once, and the next caller is answered."""

import copy
import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ossian.api.app import ROUTES
from ossian.api.glossary import GLOSSARY
from ossian.api.openapi import find_examples
from ossian.api.options import KIND_OF_OPTION
from ossian.api.route import Route

Path = tuple[Any, ...]
SEVERAL_TIMES = settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
MARK = "\u2603"
DEEP = 20_000
LITERALS = (
    "null", "true", "0", "-1", "1.5", '""', '"demo"', "[]", "{}", "[null]", "[[]]", "[{}]", '[""]', "[0]",
    "", "01", "+1", "0.1e1", "'a'", "undefined", '{"a": 1, "a": []}', '"' + "a" * 200_000 + '"',
    "1e999", "-1e999", "1e308", "1e-320", "NaN", "Infinity", "-Infinity", "9" * 400, "-" + "9" * 300, "9" * 5_000,
    str(2**31), str(2**63), str(-(2**63) - 1),
    r'"\ud800"', r'"\udc00x\ud83d"', r'"\u0000"', r'{"\ud800": "\udfff"}', r'"\x"', '"\n"', "[" * 300 + "]" * 300,
    "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, '{"anyOf": [' * 90 + "{}" + "]}" * 90,
    "[" + ",".join(["1"] * 20_000) + "]", '{"' + '": 1, "'.join(map(str, range(2_000))) + '": 1}',
)  # fmt: skip
SHARP = ('{"a": [""]}', '[[{"type": "text"}]]', r'"\ud800\u0000"', "9" * 400, "-1e999", "true")
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1")
PACKINGS = {
    "": lambda data: data,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "x-gzip": lambda data: gzip.compress(data)[:-9],
    "deflate": lambda data: data,
    "GZIP": lambda data: b"\x1f\x8b\x08\x00" + data,
    "ZSTD": lambda data: zstandard.compress(data)[:-3],
}
NAMES = sorted(
    {name.rpartition(".")[2] for name in GLOSSARY} | set(KIND_OF_OPTION) | {"properties", "output", "call_id"}
)
WORDS = (
    "able", "user", "assistant", "tool", "system", "text", "input_text", "image", "image_url", "document", "tool_use",
    "tool_result", "thinking", "function", "namespace", "custom", "json_schema", "json_object", "object", "array",
    "message", "reasoning", "function_call", "function_call_output", "item_reference", "input_file", "auto", "required",
    "string",
)  # fmt: skip
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=5),
    max_leaves=12,
)
TAKING = [pytest.param(route, id=route.name) for route in ROUTES if route.method in ("POST", "DELETE")]


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every place in a body, and what stands there."""
    yield path, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def put(body: Any, path: Path, value: Any) -> Any:
    """The same body with something else in one place, which may be a new one."""
    if not path:
        return value
    changed = copy.copy(body)
    changed[path[0]] = put(changed[path[0]] if len(path) > 1 else None, path[1:], value)
    return changed


def fields_of(route: Route) -> list[str]:
    return [field.alias or name for name, field in route.body.model_fields.items()] if route.body else NAMES


def example_of(route: Route, number: int = 0) -> dict[str, Any]:
    examples = find_examples(route.body) if route.body else [{}]
    return {**examples[number % len(examples)], "model": "able", "options": {"seed": 1}}


def write(body: Any, instead: str) -> str:
    """JSON, or nearly, with other words where the mark is."""
    return json.dumps(body).replace(json.dumps(MARK), instead)


@st.composite
def spoilt(draw: st.DrawFn, body: Any, route: Route) -> Any:
    """The body with the mark in one place: instead of what stood there, or as a field more."""
    path, value = draw(st.sampled_from(list(places(body))))
    if isinstance(value, dict) and draw(st.booleans()):
        path = (*path, draw(st.sampled_from(NAMES if path else fields_of(route))))
    return put(body, path, MARK)


@st.composite
def bodies(draw: st.DrawFn, route: Route) -> bytes:
    """An example with something in it that does not belong there, written in some encoding."""
    body = example_of(route, draw(st.integers(0, 2)))
    for _ in range(draw(st.integers(1, 2))):
        body = draw(spoilt(body, route))
    instead = draw(st.sampled_from(LITERALS) | JSON_VALUES.map(json.dumps))
    return write(body, instead).encode(draw(st.sampled_from(ENCODINGS)), "replace")


def check(response: httpx2.Response) -> None:
    """No 5xx, as a status or within a stream."""
    assert response.status_code < 500, response.text
    assert "internal error" not in response.text


def send(server: Any, route: Route, data: bytes, packing: str = "") -> httpx2.Response:
    path = route.shown_path.replace("{id}", "resp_0").replace("{digest}", "sha256:" + "0" * 64)
    headers = {"content-encoding": packing} if packing else {}
    return server.client.request(route.method, server.url + path, content=data, headers=headers)


@pytest.mark.parametrize("route", [row for row in TAKING if row.values[0].body])
def test_every_field_may_hold_what_does_not_belong_there(route, able_server):
    body = example_of(route)
    paths = {*((name,) for name in fields_of(route)), *(("options", name) for name in KIND_OF_OPTION)}
    for path in sorted(paths | {path for path, _ in places(body)} - {("model",)}):
        for instead in SHARP:
            check(send(able_server, route, write(put(body, path, MARK), instead).encode()))
    assert able_server.get("/health").status_code == 200


@pytest.mark.parametrize("route", TAKING)
def test_no_json_brings_a_route_down(route, able_server):
    @SEVERAL_TIMES
    @given(bodies(route))
    def ask(data):
        check(send(able_server, route, data))

    ask()
    assert able_server.get("/health").status_code == 200


@pytest.mark.parametrize("route", TAKING)
def test_neither_do_bytes_that_are_none_nor_packings(route, able_server):
    @settings(SEVERAL_TIMES, max_examples=10)
    @given(st.binary(max_size=200) | bodies(route), st.sampled_from(sorted(PACKINGS)))
    def ask(data, packing):
        check(send(able_server, route, PACKINGS[packing](data), packing))

    ask()
    assert able_server.get("/health").status_code == 200
