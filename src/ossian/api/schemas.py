"""The schemas of the OpenAPI document: shapes that validate, each field with its sentence, and shapes of answers."""

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter

from ossian.api.answers import JSON, Said, all_shapes
from ossian.api.dialects import Dialect
from ossian.api.glossary import explain
from ossian.api.said_anthropic import AnthropicError
from ossian.api.said_library import ProtocolError
from ossian.api.said_ollama import OllamaError
from ossian.api.said_openai import LlamaError, OpenAIError
from ossian.api.shapes import Shape
from ossian.errors import BadRequest

Words = dict[str, Any]
SCHEMAS = "#/components/schemas/"
NULL = {"type": "null"}


def write_schemas(bodies: Iterable[type[Shape]]) -> Words:
    """The shapes of all bodies and answers, by name."""
    asked, said = write_definitions(bodies), write_definitions(all_shapes())
    fields = {name: explain_fields(name, schema) for name, schema in asked.items()}
    return {**said, **fields}


def write_definitions(shapes: Iterable[Any]) -> Words:
    """Schemas of shapes and of all they consist of."""
    adapters = [(shape.__name__, "validation", TypeAdapter[Any](shape)) for shape in dict.fromkeys(shapes)]
    _, whole = TypeAdapter.json_schemas(adapters, ref_template=SCHEMAS + "{model}")  # type: ignore[arg-type]
    return {name: drop_titles(schema) for name, schema in whole["$defs"].items()}


def drop_titles(schema: Any) -> Any:
    """The same without the titles that only repeat names.

    >>> drop_titles({"title": "Block", "properties": {"title": {"title": "Title", "type": "string"}}})
    {'properties': {'title': {'type': 'string'}}}
    """
    match schema:
        case dict():
            return {
                key: drop_titles(value)
                for key, value in schema.items()
                if not (key == "title" and isinstance(value, str))
            }
        case list():
            return [drop_titles(item) for item in schema]
    return schema


def explain_fields(name: str, schema: Words) -> Words:
    """The schema of a body for readers: what each field means, and that null is as good as absent."""
    wanted = schema.get("required", [])
    fields = {
        field: {**(without(told, "default") if field in wanted else or_null(told)), **explained(name, field)}
        for field, told in schema.get("properties", {}).items()
    }
    return {**without(schema, "description", "examples"), "properties": fields}


def explained(name: str, field: str) -> Words:
    sentence = explain(name, field)
    return {"description": sentence} if sentence else {}


def or_null(schema: Words) -> Words:
    """A schema that null satisfies too.

    >>> or_null({"type": "string", "default": ""}), or_null({})
    ({'anyOf': [{'type': 'string'}, {'type': 'null'}], 'default': ''}, {})
    """
    kind = without(schema, "default")
    if not kind or kind == NULL:
        return schema
    choices = kind.get("anyOf", [kind])
    default = {"default": schema["default"]} if "default" in schema else {}
    return {"anyOf": [*choices, *([] if NULL in choices else [NULL])], **default}


def without(schema: Words, *names: str) -> Words:
    return {key: value for key, value in schema.items() if key not in names}


def refer(shape: Any) -> Words:
    return {"$ref": SCHEMAS + shape.__name__}


def answer_schema(said: Said) -> Words:
    if said.anthropics is not None:
        return {"anyOf": [refer(said.shape), refer(said.anthropics)]}
    if said.shape is not None:
        return refer(said.shape)
    return {"type": "object" if said.media_type == JSON else "string"}


def error_schema(dialect: Dialect) -> Words:
    """The envelope that a dialect puts its errors in, known by how it writes one."""
    match dialect.write_error(BadRequest("")):
        case {"jsonrpc": _}:
            return refer(ProtocolError)
        case {"type": "error"}:
            return refer(AnthropicError)
        case {"error": str()}:
            return refer(OllamaError)
        case {"error": {"code": int()}}:
            return refer(LlamaError)
    return refer(OpenAIError)
