"""What all wire shapes share: a body is JSON whatever it says it is, null means unset, errors name the field."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request

from ossian.errors import BadRequest

WANTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}
"""What pydantic misses, by its name for the error, in words."""


class Shape(BaseModel):
    """A JSON object as it comes over the wire: unknown fields are ignored, null is as good as absent."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def drop_nulls(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


def documented(*examples: dict[str, Any], required: Sequence[str] = ()) -> ConfigDict:
    """Bodies that a test sends and the documentation shows, and the fields that a door misses in its own words."""
    return ConfigDict(json_schema_extra={"required": list(required), "examples": list(examples)})


class FunctionShape(Shape):
    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    strict: bool = False


class ToolShape(Shape):
    type: str = "function"
    function: FunctionShape


AnyShape = TypeVar("AnyShape", bound=Shape)


async def read_body(request: Request, shape: type[AnyShape]) -> AnyShape:
    """The body of a request in its shape. Raises BadRequest with a sentence that names what is wrong."""
    body = await request.body()
    if not body.strip():
        raise BadRequest("missing request body")
    try:
        return shape.model_validate(read_json(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise BadRequest(write_complaint(first["type"], first["loc"], first["msg"])) from None


def read_json(body: bytes) -> Any:
    """JSON, or a BadRequest that says where it broke.

    >>> read_json(b'{"cut emoji": "\\\\ud83d"}')
    {'cut emoji': '\ufffd'}
    """
    try:
        value = json.loads(body, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    except UnicodeDecodeError:
        raise BadRequest("the body is not JSON: it is not encoded in UTF-8") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise BadRequest("the body is not JSON: a number in it has too many digits") from None
    # Editors cut text in the middle of an emoji; half of one has no UTF-8.
    return mend(value) if b"\\ud" in body or b"\\uD" in body else value


def mend(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [mend(item) for item in value]
        case dict():
            return {mend(key): mend(item) for key, item in value.items()}
    return value


def refuse_constant(name: str) -> NoReturn:
    raise BadRequest(f"the body is not JSON: {name} is no JSON number")


def write_complaint(kind: str, where: Sequence[int | str], otherwise: str) -> str:
    """What is wrong with a field, in a sentence.

    >>> write_complaint("string_type", ("messages", 0, "content"), "")
    'messages[0].content must be a string'
    """
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".") or "the body"
    if kind == "missing":
        return f"{field} is missing"
    return f"{field} must be {WANTED[kind]}" if kind in WANTED else f"{field}: {otherwise}"
