"""A request as llama.cpp's own chat endpoint takes it, which renders it by the template in the model's file. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ossian.chat import ChatRequest, Message, Tool, ToolCall
from ossian.engines.runner import sampling_fields
from ossian.errors import BadRequest, SchemaNotSupported
from ossian.harmony.arguments import is_object
from ossian.harmony.grammar import callable_tools, must_call
from ossian.harmony.schema_grammar import SchemaRules
from ossian.harmony.schema_reading import list_types

INSTRUCTING = ("system", "developer")
BETWEEN_INSTRUCTIONS = "\n\n"
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
MOST_NESTED = 300  # lists and objects within one another


def write_body(request: ChatRequest) -> dict[str, Any]:
    """All but the format. Raises BadRequest for what llama.cpp would leave out silently."""
    tools = callable_tools(request)
    refuse_unserved(request, tools)
    body: dict[str, Any] = {
        **sampling_fields(request.sampling),
        "messages": [write_message(turn) for turn in mark_calls(join_instructions(request.messages))],
        "reasoning_format": "deepseek",
        # Templates call it by one of these names; what one does not know it leaves alone.
        "chat_template_kwargs": {
            "enable_thinking": request.think,
            "thinking": request.think,
            "reasoning_effort": request.reasoning,
        },
        "timings_per_token": True,
    }
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if tools:
        # llama.cpp knows no choice of one tool by name: where one must be called, no other is shown.
        body["tools"] = [write_tool(tool) for tool in tools]
        body["tool_choice"] = "required" if must_call(request) else "auto"
        body["parallel_tool_calls"] = not request.one_call
    if request.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": max(1, request.top_logprobs)}
    return body


def refuse_unserved(request: ChatRequest, tools: Sequence[Tool]) -> None:
    """Raise for what goes beyond llama.cpp's chat endpoint."""
    for name, asked in (("format", request.format), ("logprobs", request.top_logprobs)):
        if tools and asked is not None:
            raise BadRequest(
                f'{name} does not go together with tools for "{request.model}": llama.cpp would leave out one of them.',
                f"Let it call tools in a request without {name}, put the results into messages, and then ask for it "
                'in a request with tool_choice "none", or without tools.',
            )
    for tool in tools:
        check_tool(tool)


def check_tool(tool: Tool) -> None:
    """Raise for a strict tool with what llama.cpp's own grammar leaves out, and for one that it would choke on."""
    if tool.strict:
        SchemaRules().add("arguments", tool.parameters)
    for part in find_parts(tool):
        unkept = next(find_unkept(part), None) if tool.strict else None
        if unkept:
            raise SchemaNotSupported(f'the keyword "{unkept}" of the strict tool "{tool.name}" cannot be kept')


def find_parts(tool: Tool) -> Iterator[Mapping[str, Any]]:
    """All objects in a tool's schema. Raises SchemaNotSupported where they lie too deep."""
    waiting: list[tuple[Any, int]] = [(tool.parameters, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > MOST_NESTED:
            raise SchemaNotSupported(f'the parameters of the tool "{tool.name}" are nested too deeply')
        if isinstance(part, Mapping):
            yield part
        inside = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
        waiting += [(each, depth + 1) for each in inside]


def find_unkept(schema: Mapping[str, Any]) -> Iterator[str]:
    """Keywords of one schema that llama.cpp's grammar for tools leaves out (tried)."""
    yield from (key for key in ("pattern", "format") if isinstance(schema.get(key), str))
    if "number" in list_types(schema.get("type")):
        yield from (key for key in BOUNDS if key in schema)
    required, properties = schema.get("required"), schema.get("properties", {})
    if isinstance(required, list) and isinstance(properties, Mapping) and set(map(str, required)) - set(properties):
        yield "required"


def join_instructions(messages: Sequence[Message]) -> list[Message]:
    """All instructions before the first turn as one system message, which is what templates know."""
    start = next((at for at, turn in enumerate(messages) if turn.role not in INSTRUCTING), len(messages))
    texts = [turn.content for turn in messages[:start] if turn.content]
    joined = [Message("system", BETWEEN_INSTRUCTIONS.join(texts))] if texts else []
    return [*joined, *messages[start:]]


def mark_calls(messages: Sequence[Message]) -> Iterator[Message]:
    """The turns with an id for each call and its result: Ollama's clients send none, and some templates want one."""
    waiting: list[ToolCall] = []
    for number, turn in enumerate(messages):
        if turn.calls:
            waiting = [replace(call, id=call.id or f"call{number}x{at}") for at, call in enumerate(turn.calls)]
            yield replace(turn, calls=tuple(waiting))
        elif turn.role == "tool" and not turn.call_id and waiting:
            answered = next((call for call in waiting if call.name == turn.name), waiting[0])
            waiting.remove(answered)
            yield replace(turn, call_id=answered.id, name=turn.name or answered.name)
        else:
            yield turn


def write_message(turn: Message) -> dict[str, Any]:
    written: dict[str, Any] = {
        "role": "system" if turn.role in INSTRUCTING else turn.role,
        "content": turn.content,
        "reasoning_content": turn.thinking,
        "tool_calls": [write_call(call) for call in turn.calls],
        "tool_call_id": turn.call_id,
        "name": turn.name,
    }
    return {name: value for name, value in written.items() if value or name == "content"}


def write_call(call: ToolCall) -> dict[str, Any]:
    """A call as it was; arguments that are no object, which the engine would break at, go as one text."""
    arguments = call.arguments if is_object(call.arguments) else json.dumps({"arguments": call.arguments})
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def write_tool(tool: Tool) -> dict[str, Any]:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}
