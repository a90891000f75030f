"""Functions, as OpenAI called its tools until late 2023: read as tools, of which one at a time is called. Pure."""

from collections.abc import Sequence
from typing import Any

from ossian.api.shapes import FunctionShape, ToolShape
from ossian.api.shapes_openai import OpenAIChat, OpenAIMessage
from ossian.chat import Message, OnlyTool, ToolCall, ToolChoice
from ossian.errors import BadRequest


def offers_functions(body: OpenAIChat) -> bool:
    """Whether the words of 2023 are spoken. Raises BadRequest when those of today are, too."""
    if not body.functions and body.function_call in (None, ""):
        return False
    if body.tools or body.tool_choice:
        raise BadRequest("functions and function_call do not go together with tools and tool_choice")
    return True


def as_tools(functions: Sequence[FunctionShape]) -> list[ToolShape]:
    return [ToolShape(function=function) for function in functions]


def read_function_choice(choice: Any, functions: Sequence[FunctionShape]) -> ToolChoice:
    match choice:
        case None | "" | "auto":
            return "auto"
        case "none":
            return "none"
        case {"name": str(name)} if name in {function.name for function in functions}:
            return OnlyTool(name)
        case {"name": str(name)}:
            raise BadRequest(f'function_call names "{name}", which is not among the functions')
    raise BadRequest('function_call must be "none", "auto" or {"name": …}')


def read_result(shape: OpenAIMessage, content: str, field: str) -> Message:
    """What a function gave back, which is known by its name only."""
    if not shape.name:
        raise BadRequest(f"{field}.name is missing")
    return Message("tool", content, name=shape.name)


def read_past_call(shape: OpenAIMessage, field: str) -> tuple[ToolCall, ...]:
    """The call of an earlier turn, if it was one."""
    if shape.function_call is None:
        return ()
    if shape.tool_calls:
        raise BadRequest(f"{field}.function_call does not go together with tool_calls")
    return (ToolCall("", shape.function_call.name, shape.function_call.arguments or "{}"),)
