"""Schemas in words a person reads: the type of a field, and the outline of an answer. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Words = Mapping[str, Any]
INDENT = "  "


def name_of(schema: Words) -> str:
    """The name of the shape that a schema refers to, or nothing."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def names_in(value: Any) -> Iterator[str]:
    """The names of all shapes that are referred to anywhere in a schema."""
    match value:
        case {"$ref": str()}:
            yield name_of(value)
        case dict():
            for item in value.values():
                yield from names_in(item)
        case list():
            for item in value:
                yield from names_in(item)


def write_type(schema: Words) -> str:
    """What a value may be; a shape by its name.

    >>> write_type({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"enum": ["json"]}, {"type": "null"}]})
    'list of string or "json"'
    """
    if schema.get("type") == "null" or schema.get("maxItems") == 0:
        return "not served"
    if "anyOf" in schema:
        kinds = dict.fromkeys(write_type(kind) for kind in schema["anyOf"] if kind.get("type") != "null")
        return " or ".join(kinds) or "not served"
    if "enum" in schema or "const" in schema:
        return " or ".join(dump(value) for value in schema.get("enum", [schema.get("const")]) if value != "")
    if schema.get("type") == "array":
        return f"list of {write_type(schema.get('items', {}))}"
    return name_of(schema) or str(schema.get("type", "anything"))


def write_default(schema: Words) -> str:
    """What stands for a field that is left out, where that says something."""
    value = schema.get("default")
    return "" if value in (None, "", [], {}) or isinstance(value, dict) else dump(value)


def sketch(schema: Words, shapes: Mapping[str, Words], indent: str = "") -> str:
    """The outline of a JSON value; a key with a question mark is not always there, and stands behind the others.

    >>> print(sketch({"properties": {"b": {"type": "number"}, "a": {"type": "string"}}, "required": ["a"]}, {}))
    {
      "a": string,
      "b"?: number
    }
    """
    if name := name_of(schema):
        return sketch(shapes[name], shapes, indent)
    if "properties" in schema:
        inner = indent + INDENT
        always = schema.get("required", ())
        lines = [
            f'{inner}"{key}"{"" if key in always else "?"}: {sketch(value, shapes, inner)}'
            for key, value in sorted(schema["properties"].items(), key=lambda pair: pair[0] not in always)
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if schema.get("type") == "array":
        return f"[{sketch(schema.get('items', {}), shapes, indent)}, …]"
    if "anyOf" in schema:
        return " or ".join(sketch(kind, shapes, indent) for kind in schema["anyOf"])
    return "null" if schema.get("type") == "null" else write_type(schema)


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
