"""Write a JSON schema the way gpt-oss was taught to read it: as a TypeScript-like type. Knows nothing of messages.

A port of `json_schema_to_typescript` of openai-harmony 0.0.8, its quirks included: the model has seen those.
What that does not know (anyOf, allOf, const, a lone null) is `any`. One thing is ours: `$ref` is looked up first.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

MOST_NESTED_REFERENCES = 8
DEFINITIONS = ("$defs", "definitions")


def write_type(schema: Mapping[str, Any]) -> str:
    """Write the type of a tool's parameters.

    >>> print(write_type({"type": "object", "properties": {"city": {"type": "string"}}}))
    {
    city?: string,
    }
    """
    body = {key: value for key, value in schema.items() if key not in DEFINITIONS}
    return write_any(resolve(body, schema, ()), "")


def resolve(schema: Any, root: Mapping[str, Any], open_references: tuple[str, ...]) -> Any:
    """Replace each `$ref` by what it points to; one that leads back into itself, or nowhere, is left out."""
    if isinstance(schema, list):
        return [resolve(item, root, open_references) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return {key: resolve(value, root, open_references) for key, value in schema.items()}
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    target = find_definition(root, reference)
    if reference in open_references or len(open_references) >= MOST_NESTED_REFERENCES:
        target = {}
    return resolve({**target, **beside}, root, (*open_references, reference))


def find_definition(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    """Follow `#/$defs/name` from the root; empty when there is nothing."""
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = look(found, step.replace("~1", "/").replace("~0", "~"))
    return found if isinstance(found, Mapping) else {}


def look(schema: Any, key: str) -> Any:
    """A value of a schema, None where the schema is none (`true` is a schema too)."""
    return schema.get(key) if isinstance(schema, Mapping) else None


def look_list(schema: Any, key: str) -> list[Any]:
    value = look(schema, key)
    return value if isinstance(value, list) else []


def look_text(schema: Any, key: str) -> str | None:
    value = look(schema, key)
    return value if isinstance(value, str) else None


def write_any(schema: Any, indent: str) -> str:
    if isinstance(look(schema, "oneOf"), list):
        return "".join(f"\n{indent} | {write_variant(variant, indent)}" for variant in look_list(schema, "oneOf"))
    if several := [kind for kind in look_list(schema, "type") if isinstance(kind, str)]:
        return " | ".join("number" if kind == "integer" else kind for kind in several)
    match look_text(schema, "type"):
        case "object":
            return write_object(schema, indent)
        case "string":
            return " | ".join(f'"{value}"' for value in look_list(schema, "enum") if isinstance(value, str)) or "string"
        case "number" | "integer":
            return "number"
        case "boolean":
            return "boolean"
        case "array" if "items" in schema:
            return f"{write_any(schema['items'], indent)}[]"
        case "array":
            return "Array<any>"
        case _:
            return "any"


def write_object(schema: Mapping[str, Any], indent: str) -> str:
    description = look_text(schema, "description")
    properties = look(schema, "properties")
    required = [name for name in look_list(schema, "required") if isinstance(name, str)]
    lines = ["{\n" if description is None else f"{indent}// {description}\n{{\n"]
    for name, value in properties.items() if isinstance(properties, Mapping) else ():
        lines += write_property(name if name in required else f"{name}?", value, indent)
    return "".join(lines) + f"{indent}}}"


def write_property(name: str, schema: Any, indent: str) -> Iterator[str]:
    is_union = isinstance(look(schema, "oneOf"), list)
    if (title := look_text(schema, "title")) is not None:
        yield f"{indent}// {title}\n{indent}//\n"
    if not is_union and (description := look_text(schema, "description")) is not None:
        yield f"{indent}// {description}\n"
    if examples := look_list(schema, "examples"):
        yield f"{indent}// Examples:\n"
        yield from (f'{indent}// - "{example}"\n' for example in examples if isinstance(example, str))
    if is_union:
        yield from write_union_property(name, schema, indent)
        return
    yield f"{indent}{name}: {write_nullable(schema, indent + '    ')},{write_remarks(write_default(schema))}\n"


def write_union_property(name: str, schema: Any, indent: str) -> Iterator[str]:
    variants = look_list(schema, "oneOf")
    description = look_text(schema, "description")
    above = description is not None and description != look_text(next(iter(variants), None), "description")
    if above:
        yield f"{indent}// {description}\n"
    if default := write_default(schema):
        yield f"{indent}// {default}\n"
    yield f"{indent}{name}:\n"
    for position, variant in enumerate(variants):
        said = look_text(variant, "description")
        if (position == 0 and above) or said == description:
            said = None
        remarks = write_remarks(said, write_default(variant))
        yield f"{indent} | {write_nullable(variant, indent + '   ')}{remarks}\n"
    yield f"{indent},\n"


def write_variant(variant: Any, indent: str) -> str:
    default = look(variant, "default")
    # Quoted here even for an enum, unlike in a property.
    remark = (
        json.dumps(default, ensure_ascii=False) if isinstance(default, str) and look_list(variant, "enum") else None
    )
    said = (look_text(variant, "description"), f"default: {remark}" if remark else write_default(variant))
    return write_nullable(variant, indent + "   ") + write_remarks(*said)


def write_remarks(*remarks: str | None) -> str:
    given = [remark for remark in remarks if remark is not None]
    return f" // {' '.join(given)}" if given else ""


def write_nullable(schema: Any, indent: str) -> str:
    written = write_any(schema, indent)
    return f"{written} | null" if look(schema, "nullable") is True and "null" not in written else written


def write_default(schema: Any) -> str | None:
    """The remark on a default; a string stands in quotes but for an enum's, where the official leaves them out."""
    if not isinstance(schema, Mapping) or "default" not in schema:
        return None
    default = schema["default"]
    if isinstance(default, str):
        return f"default: {default}" if look_list(schema, "enum") else f'default: "{default}"'
    return f"default: {json.dumps(default, ensure_ascii=False, separators=(',', ':'))}"
