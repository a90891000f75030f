"""Make valid JSON of the arguments a model wrote, where it is plain what was meant. Knows nothing of headers."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ossian.chat import Tool

FENCE = "```"
# A string that nobody closed reaches to the end, so that no text takes more than one pass.
STRING = r'"(?:[^"\\]|\\.?)*"?'
OUTSIDE_STRINGS = re.compile(STRING, re.DOTALL)
TRAILING_COMMAS = re.compile(rf"({STRING})|,(?=\s*[}}\]])", re.DOTALL)


def repair_arguments(written: str, tool: Tool | None = None) -> str | None:
    r"""The arguments as a JSON object, as they were written when they are one; None when that cannot be told.

    >>> repair_arguments('{"city": "Oslo",}'), repair_arguments('{"city": "Oslo"'), repair_arguments("Oslo")
    ('{"city": "Oslo"}', '{"city": "Oslo"}', None)
    """
    text = written.strip()
    if not text:
        return "{}"
    if is_object(text):
        return text
    return next(filter(is_object, repairs(text)), None) or put_in_only_parameter(text, tool)


def is_object(text: str) -> bool:
    return isinstance(read_json(text), dict)


def read_json(text: str, *, strict: bool = True) -> Any:
    """Read JSON; None when it is none. `strict=False` allows line breaks in strings."""
    try:
        return json.loads(text, strict=strict, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return None


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def repairs(text: str) -> Iterator[str]:
    """Texts that may be what was meant, the smallest change first."""
    mended = drop_trailing_commas(take_from_fence(text).strip())
    for step in (keep, close_last_bracket, drop_last_bracket):
        changed: Callable[[str], str] = step
        candidate = changed(mended)
        yield candidate
        value = read_json(candidate, strict=False)
        yield json.dumps(value, ensure_ascii=False)
        if isinstance(value, str):  # An object written as a string: "{\"city\": …}"
            yield value


def take_from_fence(text: str) -> str:
    """What stands between ``` and ```, without the language named there."""
    first, _, rest = text.partition("\n")
    return rest.removesuffix(FENCE).rstrip() if first.startswith(FENCE) and rest.endswith(FENCE) else text


def drop_trailing_commas(text: str) -> str:
    return TRAILING_COMMAS.sub(lambda found: found[1] or "", text)


def keep(text: str) -> str:
    return text


def close_last_bracket(text: str) -> str:
    """Add the one bracket that is missing at the end."""
    outside = OUTSIDE_STRINGS.sub("", text)
    braces = outside.count("{") - outside.count("}")
    squares = outside.count("[") - outside.count("]")
    missing = "}" * max(0, braces) + "]" * max(0, squares)
    return drop_trailing_commas(text + missing) if len(missing) == 1 else text


def drop_last_bracket(text: str) -> str:
    """Take away one bracket too many at the end."""
    return text[:-1].rstrip() if text.endswith(("}", "]")) else text


def put_in_only_parameter(text: str, tool: Tool | None) -> str | None:
    """Code or words written where an object belongs, for a tool that takes a single string."""
    name = only_string_parameter(tool) if tool is not None else None
    if name is None or text.startswith("{"):
        return None
    value = read_json(text)
    return json.dumps({name: value if isinstance(value, str) else take_from_fence(text)}, ensure_ascii=False)


def only_string_parameter(tool: Tool) -> str | None:
    """The one parameter that must be given, or else the only one there is, when it is a string."""
    properties = tool.parameters.get("properties")
    required = tool.parameters.get("required")
    if not isinstance(properties, dict):
        return None
    names = required if isinstance(required, list) and required else list(properties)
    if len(names) != 1:
        return None
    schema = properties.get(names[0])
    return str(names[0]) if isinstance(schema, dict) and schema.get("type") == "string" else None
