"""What the fields that are read by hand may be, told for the OpenAPI document."""

from typing import Annotated, Any

from pydantic import WithJsonSchema
from typing_extensions import TypeAliasType

from ossian.api.options import KIND_OF_OPTION, REASONING_OF_LEVEL

STRING = {"type": "string"}
STRINGS = {"type": "array", "items": STRING}
TOKENS = {"type": "array", "items": {"type": "integer", "minimum": 0}}
OBJECTS = {"type": "array", "items": {"type": "object"}}
STOP = {"anyOf": [STRING, STRINGS]}
OPTIONS = {name: {"type": "number"} for name in KIND_OF_OPTION} | {"stop": STOP}

Number = Annotated[Any, WithJsonSchema({"type": "number"})]
Duration = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "number"}, STRING]})]
Think = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": [*REASONING_OF_LEVEL]}]})]
Format = Annotated[Any, WithJsonSchema({"anyOf": [{"enum": ["json", ""]}, {"type": "object"}]})]
Stop = Annotated[Any, WithJsonSchema(STOP)]
Text = Annotated[Any, WithJsonSchema(STRING)]
Texts = Annotated[Any, WithJsonSchema({"anyOf": [STRING, STRINGS]})]
Tokens = Annotated[Any, WithJsonSchema(TOKENS)]
Prompts = Annotated[Any, WithJsonSchema({"anyOf": [STRING, STRINGS, TOKENS, {"type": "array", "items": TOKENS}]})]
Parts = Annotated[Any, WithJsonSchema({"anyOf": [STRING, OBJECTS]})]
Choice = Annotated[Any, WithJsonSchema({"anyOf": [STRING, {"type": "object"}]})]
Documents = Annotated[list[Any], WithJsonSchema({"type": "array", "items": {"anyOf": [STRING, {"type": "object"}]}})]
Unserved = Annotated[Any, WithJsonSchema({"type": "null"})]
UnservedList = Annotated[list[Any], WithJsonSchema({"type": "array", "maxItems": 0})]

Options = TypeAliasType(
    "Options", Annotated[dict[str, Any], WithJsonSchema({"type": "object", "properties": OPTIONS, "title": "Options"})]
)
