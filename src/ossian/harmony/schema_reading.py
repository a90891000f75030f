"""What a JSON schema says about types, read without writing anything. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

Schema = Mapping[str, Any]


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
REMARKS = words(
    "$schema $id $anchor $comment $vocabulary $defs definitions title description default examples example deprecated "
    "readOnly writeOnly contentMediaType contentEncoding strict name nullable id discriminator"
)
KEPT = {
    "object": words("properties required additionalProperties"),
    "array": words("items prefixItems minItems maxItems"),
    "string": words("minLength maxLength pattern format"),
    "integer": words("minimum maximum exclusiveMinimum exclusiveMaximum"),
    "number": words("minimum maximum exclusiveMinimum exclusiveMaximum"),
    "boolean": words(""),
    "null": words(""),
}


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def list_types(kind: Any) -> list[str]:
    return [kind] if isinstance(kind, str) else [each for each in kind or () if isinstance(each, str)]


def guess_types(schema: Schema) -> list[str]:
    """The type that the keywords of a schema without one speak of."""
    return [kind for kind in ("object", "array", "string", "number") if schema.keys() & KEPT[kind]][:1]


def is_of_type(value: Any, kind: str) -> bool:
    match kind:
        case "integer":
            return is_number(value) and value == int(value)
        case "number":
            return is_number(value)
        case _:
            kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
            return isinstance(value, kinds.get(kind, object))


def differ(choices: Sequence[Any]) -> bool:
    """Whether no value can satisfy two of the choices: by type, or by a property that has one fixed value in each."""
    if not all(isinstance(choice, Mapping) for choice in choices):
        return False
    types = [kind for choice in choices for kind in list_types(choice.get("type"))]
    if len(types) >= len(choices) and len(set(types)) == len(types) and not {"integer", "number"} <= set(types):
        return True
    return any(len(fixed) == len(choices) == len(set(fixed)) for fixed in fixed_properties(choices))


def fixed_properties(choices: Sequence[Schema]) -> Iterator[list[str]]:
    """For each property of the first choice: its fixed values in all choices that require it."""
    for name in choices[0].get("properties") or {}:
        found = []
        for choice in choices:
            schema = (choice.get("properties") or {}).get(name) or {}
            values = [schema["const"]] if "const" in schema else schema.get("enum") or []
            if len(values) == 1 and name in (choice.get("required") or ()):
                found.append(json.dumps(values[0]))
        yield found


def find_bound(kind: str, schema: Schema) -> str:
    """The keyword to blame where a type cannot be kept: a bound, if there is one."""
    kept = [key for key in schema if key in KEPT[kind]]
    return next((key for key in kept if key.startswith(("min", "max", "exclusive"))), next(iter(kept), kind))
