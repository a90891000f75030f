"""OpenAI's door: /v1/chat/completions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.choices import MOST_CHOICES, answer_in_turn, read_logit_bias, refuse_obfuscation, reseed
from ossian.api.desk import desk_of
from ossian.api.dialects import OPENAI, Refusal, is_vscode
from ossian.api.functions import as_tools, offers_functions, read_function_choice, read_past_call, read_result
from ossian.api.logprobs import read_top_logprobs
from ossian.api.openai_reply import OpenAIReply
from ossian.api.options import Options, read_options, read_think, with_options
from ossian.api.shapes import read_body
from ossian.api.shapes_openai import OpenAICall, OpenAIChat, OpenAIMessage, ResponseFormat
from ossian.api.turns import ask_for_length, check_ability, finish_conversation, read_role, read_tools
from ossian.chat import ChatRequest, Message, OnlyTool, Tool, ToolCall, ToolChoice
from ossian.errors import BadRequest, NotSupported
from ossian.store.catalogue import ModelFile

THINK_OF_EFFORT: dict[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "ultra": "high",
    "max": "high",
}
NO_BOUND = -1  # in max_tokens too: Ollama and llama.cpp take it, and examples for local models send it
UNSERVED = ("audio", "moderation", "web_search_options")
OPTION_FIELDS = (
    "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repeat_penalty",
    "seed", "stop", "num_ctx",
)  # fmt: skip


async def chat(request: Request) -> Response:
    """Answer a conversation, as OpenAI does."""
    desk = desk_of(request)
    body = await read_body(request, OpenAIChat)
    if not body.model:
        raise BadRequest("model is required")
    file = desk.find(body.model)
    asked = read_chat(body, file)
    choices = [replace(asked, sampling=reseed(asked.sampling, number)) for number in range(body.n)]
    reply = OpenAIReply(
        body.model,
        choices=body.n,
        as_functions=offers_functions(body),
        include_usage=body.stream_options.include_usage,
    )
    events = answer_in_turn(desk, file, choices, list_sources=is_vscode(request.headers))
    return desk.respond(events, reply, OPENAI, body.stream)


def read_chat(body: OpenAIChat, file: ModelFile) -> ChatRequest:
    """What /v1/chat/completions asks, in our words. Raises BadRequest for what is not served, and names it."""
    check_ability("chat", body.model, file)
    refuse_unserved(body)
    if not body.messages:
        raise BadRequest("[] is too short - 'messages'")
    messages = [read_message(shape, index, body.model) for index, shape in enumerate(body.messages)]
    tools, choice = read_offer(body, file)
    think, reasoning = read_think(read_effort(body), body.model, file)
    options = read_all_options(body, file)
    bias = read_logit_bias(body.logit_bias, file.vocabulary)
    request = ChatRequest(
        body.model,
        ask_for_length(finish_conversation(messages, file), body.verbosity, "verbosity"),
        tools=tools,
        reasoning=reasoning,
        think=think,
        format=read_response_format(body.response_format),
        tool_choice=choice,
        one_call=not body.parallel_tool_calls or offers_functions(body),
        top_logprobs=read_top_logprobs(body.logprobs, body.top_logprobs),
        documents=tuple(body.documents),
        document_tools=body.document_tools,
    )
    return with_options(request, replace(options, sampling=replace(options.sampling, logit_bias=bias)), body.keep_alive)


def refuse_unserved(body: OpenAIChat) -> None:
    """Nothing is left out silently: what is not served is refused by name.

    Fields that change no answer need no reading: `prediction` (it is about speed), `store`, `metadata`, `user` …
    """
    if not 1 <= body.n <= MOST_CHOICES:
        raise BadRequest(f"n must be between 1 and {MOST_CHOICES}")
    if body.top_logprobs and not body.logprobs:
        raise BadRequest("top_logprobs needs logprobs to be true")
    if body.modalities not in ([], ["text"]):
        raise BadRequest('modalities other than ["text"] are not supported')
    for name in UNSERVED:
        if getattr(body, name) is not None:
            raise Refusal(f"{name} is not supported", name)
    refuse_obfuscation(body.stream_options.include_obfuscation)


def read_offer(body: OpenAIChat, file: ModelFile) -> tuple[tuple[Tool, ...], ToolChoice]:
    """The tools on offer, and whether one must be called."""
    if offers_functions(body):
        return read_tools(as_tools(body.functions), file), read_function_choice(body.function_call, body.functions)
    return read_tool_choice(body.tool_choice, read_tools(body.tools, file))


def read_tool_choice(choice: Any, tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], ToolChoice]:
    """The tools that may be called, and whether one must be. Raises BadRequest for a choice that cannot be made."""
    match choice:
        case None | "" | "auto":
            return tools, "auto"
        case "none":
            return tools, "none"
        case "required" | "any":
            if not tools:
                raise BadRequest(f'tool_choice is "{choice}", but there are no tools')
            return tools, "required"
        case {"type": "function", "function": {"name": str(name)}} | {"type": "function", "name": str(name)}:
            return tools, OnlyTool(find_tool(name, tools).name)
        case {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto" | "required" as mode, "tools": [_, *_] as names},
        }:
            return tuple(read_allowed(named, tools) for named in names), mode
    raise BadRequest(
        'tool_choice must be "none", "auto", "required", {"type": "function", "function": {"name": …}} or '
        '{"type": "allowed_tools", "allowed_tools": {"mode": "auto" or "required", "tools": […]}}'
    )


def read_allowed(choice: Any, tools: Sequence[Tool]) -> Tool:
    match choice:
        case {"type": "function", "function": {"name": str(name)}}:
            return find_tool(name, tools)
    raise BadRequest('tool_choice.allowed_tools.tools must be a list of {"type": "function", "function": {"name": …}}')


def find_tool(name: str, tools: Sequence[Tool]) -> Tool:
    for tool in tools:
        if tool.name == name:
            return tool
    raise BadRequest(f'tool_choice names "{name}", which is not among the tools')


def read_effort(body: OpenAIChat) -> Any:
    """How hard to think, by any of the three names it has here."""
    effort = body.reasoning_effort or body.reasoning.effort
    if not effort:
        return body.think
    if effort not in THINK_OF_EFFORT:
        raise BadRequest(f'reasoning_effort "{effort}" is not known; write one of {", ".join(THINK_OF_EFFORT)}')
    return THINK_OF_EFFORT[effort]


def read_all_options(body: OpenAIChat, file: ModelFile) -> Options:
    """OpenAI's fields over Ollama's options over the model's own."""
    for name in ("max_tokens", "max_completion_tokens"):
        value = getattr(body, name)
        if value is not None and value < 1 and value != NO_BOUND:
            raise BadRequest(f"{name} must be at least 1")
    named = {name: getattr(body, name) for name in OPTION_FIELDS}
    named["num_predict"] = body.max_completion_tokens or body.max_tokens
    return read_options(body.options, file, named)


def read_response_format(shape: ResponseFormat | None) -> Any:
    match shape:
        case None | ResponseFormat(type="text"):
            return None
        case ResponseFormat(type="json_object" | "json_schema", bare_schema=dict(schema)):
            return schema
        case ResponseFormat(type="json_object"):
            return "json"
        case ResponseFormat(type="json_schema", json_schema={"schema": dict(schema)}):
            return schema
        case ResponseFormat(type="json_schema"):
            raise BadRequest("response_format.json_schema.schema is missing")
    raise BadRequest("response_format.type must be text, json_object or json_schema")


def read_message(shape: OpenAIMessage, index: int, model: str) -> Message:
    thinking = read_thinking(shape)
    field = f"messages[{index}]"
    if shape.role == "function":
        return read_result(shape, read_content(shape.content, f"{field}.content", model), field)
    calls = (*map(read_call, shape.tool_calls), *read_past_call(shape, field))
    role = read_role(shape.role, f"{field}.role")
    content = shape.refusal or None if shape.content is None and role == "assistant" else shape.content
    if content is None and not (role == "assistant" and (calls or thinking)):
        raise BadRequest(f"{field}.content is missing")
    if shape.audio is not None:
        raise BadRequest(f"{field}.audio is not supported")
    return Message(
        role,
        read_content(content, f"{field}.content", model),
        thinking=thinking if role == "assistant" else "",
        calls=calls,
        call_id=shape.tool_call_id,
        name=shape.name if role == "tool" else "",
    )


def read_content(content: Any, field: str, model: str) -> str:
    """Text, or a list of parts of text, which are joined by a blank line as Ollama has it."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise BadRequest(f"{field} must be a string or a list of parts")
    texts = []
    for index, part in enumerate(content):
        match part:
            case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
                texts.append(text)
            case {"type": "refusal", "refusal": str(text)}:
                texts.append(text)
            case {"type": "image_url" | "input_image"}:
                raise NotSupported(model, "images")
            case _:
                raise BadRequest(f'{field}[{index}] must be {{"type": "text", "text": …}}')
    return "\n\n".join(texts)


def read_thinking(shape: OpenAIMessage) -> str:
    """The chain of thought, under whichever of its names the client sends it back."""
    names = (shape.reasoning_content, shape.reasoning, shape.reasoning_text, shape.thinking, shape.cot_summary)
    for value in names:
        joined = "".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(joined, str) and joined:
            return joined
    return ""


def read_call(shape: OpenAICall) -> ToolCall:
    return ToolCall(shape.id, shape.function.name, shape.function.arguments or "{}")
