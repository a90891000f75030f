"""The tools of /v1/responses: functions, groups of them, and the choice among them. Pure."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ossian.api.dialects import Refusal
from ossian.api.responses_items import full_name
from ossian.api.shapes import FunctionShape, Shape, ToolShape
from ossian.api.shapes_responses import ResponsesTool
from ossian.api.turns import read_tools
from ossian.chat import OnlyTool, Tool, ToolChoice
from ossian.store.catalogue import ModelFile

# Codex 0.169 offers it in every request, whatever the model, unless its own settings say otherwise.
SEARCHES = ("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11")


def flatten(shapes: Sequence[ResponsesTool]) -> Iterator[tuple[str, ResponsesTool]]:
    """Every function under its full name. Raises BadRequest for other kinds of tools, but for a search of the web."""
    for index, shape in enumerate(shapes):
        match shape.type:
            case kind if kind in SEARCHES:
                continue
            case "function":
                yield shape.name, shape
            case "namespace":
                yield from flatten_group(shape, f"tools[{index}]")
            case other:
                refuse_kind(other, f"tools[{index}]")


def flatten_group(group: ResponsesTool, field: str) -> Iterator[tuple[str, ResponsesTool]]:
    """The functions of a group, what the group is for told once, with the first of them."""
    if not group.name:
        raise Refusal(f"{field}.name is missing", "tools")
    told = group.description
    for index, shape in enumerate(group.tools):
        if shape.type != "function":
            refuse_kind(shape.type, f"{field}.tools[{index}]")
        description = "\n".join(filter(None, [told, shape.description]))
        told = ""
        yield full_name({"namespace": group.name}, shape.name), shape.model_copy(update={"description": description})


def refuse_kind(kind: str, field: str) -> None:
    raise Refusal(f'{field}.type "{kind}" is not supported; offer functions, or a namespace of them.', "tools")


def offer_tools(shapes: Sequence[ResponsesTool], file: ModelFile) -> tuple[Tool, ...]:
    named = list(flatten(shapes))
    for name, shape in named:
        if not shape.name:
            raise Refusal("tools: a function has no name", "tools")
        if "direct" not in shape.allowed_callers:
            raise Refusal(f'tools: allowed_callers of "{name}" must have "direct": only the model calls here', "tools")
        if shape.answers_later:
            raise Refusal(f'tools: async of "{name}" is not supported', "tools")
    return read_tools([ToolShape(function=describe(name, shape)) for name, shape in named], file)


def describe(name: str, shape: ResponsesTool) -> FunctionShape:
    """A function as the chat door knows it; the schema of its output is told in the description."""
    output = f"Returns: {json.dumps(shape.output_schema, ensure_ascii=False)}" if shape.output_schema else ""
    description = "\n".join(filter(None, [shape.description, output]))
    return FunctionShape(name=name, description=description, parameters=shape.parameters, strict=shape.strict)


def read_choice(choice: Any, tools: tuple[Tool, ...]) -> tuple[ToolChoice, tuple[Tool, ...]]:
    """Whether a tool must be called, and the tools that may be."""
    match choice:
        case None | "auto":
            return "auto", tools
        case "none":
            return "none", tools
        case "required" if tools:
            return "required", tools
        case "required":
            raise Refusal("tool_choice required needs tools", "tool_choice")
        case {"type": "function", "name": str(name)}:
            return OnlyTool(find_tool(full_name(choice, name), tools).name), tools
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": [_, *_] as allowed}:
            return read_choice(mode, tuple(read_allowed(shape, tools) for shape in allowed))
    raise Refusal(
        'tool_choice must be none, auto, required, {"type": "function", "name": …} or '
        '{"type": "allowed_tools", "mode": "auto" or "required", "tools": […]}',
        "tool_choice",
    )


def read_allowed(shape: Any, tools: tuple[Tool, ...]) -> Tool:
    match shape:
        case {"type": "function", "name": str(name)}:
            return find_tool(full_name(shape, name), tools)
    raise Refusal('tool_choice.tools must be a list of {"type": "function", "name": …}', "tool_choice")


def find_tool(name: str, tools: tuple[Tool, ...]) -> Tool:
    for tool in tools:
        if tool.name == name:
            return tool
    raise Refusal(f'tool_choice: "{name}" is none of the tools', "tool_choice")


def write_tools(shapes: Sequence[ResponsesTool]) -> list[dict[str, Any]]:
    """The tools that the model was offered: who asked for a search of the web sees that there is none."""
    return [write_tool(shape) for shape in shapes if shape.type not in SEARCHES]


def write_tool(shape: ResponsesTool) -> dict[str, Any]:
    """A tool as it was sent, and whether it is strict."""
    if shape.type == "namespace":
        return dump_shape(shape) | {"tools": [write_tool(tool) for tool in shape.tools]}
    return dump_shape(shape, type="function", parameters={}, strict=False)


def dump_shape(shape: Shape, **otherwise: Any) -> dict[str, Any]:
    """What was sent, over what goes without saying."""
    return {**otherwise, **shape.model_dump(by_alias=True, exclude_unset=True)}


def write_groups(shapes: Sequence[ResponsesTool]) -> dict[str, dict[str, Any]]:
    """How a call of a grouped function is written: Codex finds it by `namespace` and `name` (its issue 23186)."""
    return {
        full_name({"namespace": group.name}, tool.name): {"name": tool.name, "namespace": group.name}
        for group in shapes
        if group.type == "namespace"
        for tool in group.tools
    }
