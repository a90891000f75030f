"""Anthropic's door: /v1/messages and /v1/messages/count_tokens."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.anthropic_reply import AnthropicReply, Display
from ossian.api.anthropic_turns import read_turns
from ossian.api.desk import desk_of
from ossian.api.dialects import ANTHROPIC, REQUEST_ID, Refusal, is_vscode
from ossian.api.options import read_format, read_options, read_think, with_options
from ossian.api.shapes import FunctionShape, ToolShape, read_body
from ossian.api.shapes_anthropic import AnthropicChat, AnthropicPrompt, AnthropicTool, ThinkingShape
from ossian.api.streams import WholeResponse
from ossian.api.turns import check_ability, finish_conversation, read_tools
from ossian.chat import ChatRequest, OnlyTool, Reasoning, Tool, ToolChoice
from ossian.errors import BadRequest
from ossian.store.catalogue import ModelFile

REASONING_OF_EFFORT: dict[str, Reasoning] = {
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
LOW_BUDGET_TOKENS = 4_096
MEDIUM_BUDGET_TOKENS = 16_384
DISPLAYS: dict[str, Display] = {"summarized": "shown", "omitted": "sealed"}
UNSERVED = ("container", "diagnostics", "compaction", "fallbacks", "fallback_credit_token")
THREADLESS = "thread_unsupported_request"


async def messages(request: Request) -> Response:
    """Answer a conversation, as Anthropic does."""
    desk = desk_of(request)
    body = await read_body(request, AnthropicChat)
    check_required(body)
    file = desk.find(body.model)
    asked = read_chat(body, file)
    display = read_display(body, shows_thinking=is_vscode(request.headers))
    reply = AnthropicReply(body.model, display, body.tool_choice.disable_parallel_tool_use)
    response = desk.respond(desk.ask(asked, file, list_sources=True), reply, ANTHROPIC, body.stream)
    response.headers[REQUEST_ID] = reply.request_id
    return response


async def count_tokens(request: Request) -> Response:
    """Count the tokens that a conversation becomes, without answering it."""
    desk = desk_of(request)
    body = await read_body(request, AnthropicPrompt)
    check_required(body)
    file = desk.find(body.model)
    asked = read_prompt(body, file)

    async def count() -> dict[str, Any]:
        return {"input_tokens": await desk.count(asked, file)}

    response = WholeResponse(count, ANTHROPIC, desk.stopping)
    response.headers[REQUEST_ID] = AnthropicReply(body.model).request_id
    return response


def check_required(body: AnthropicPrompt) -> None:
    """Raise BadRequest for what is missing, in Ollama's words."""
    if not body.model:
        raise BadRequest("model is required")
    if isinstance(body, AnthropicChat) and body.max_tokens < 1:
        raise BadRequest("max_tokens is required and must be positive")
    if not body.messages:
        raise BadRequest("messages is required")


def read_chat(body: AnthropicChat, file: ModelFile) -> ChatRequest:
    """What /v1/messages asks, in our words. Raises BadRequest for what is not served, and names it."""
    named = {
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "stop": body.stop_sequences or None,
        "num_ctx": body.num_ctx,
        "num_predict": body.max_tokens,
    }
    return with_options(read_prompt(body, file), read_options(body.options, file, named), body.keep_alive)


def read_prompt(body: AnthropicPrompt, file: ModelFile) -> ChatRequest:
    """The part of a request that its prompt depends on."""
    check_ability("chat", body.model, file)
    refuse_unserved(body)
    tools = offer_tools(body.tools, file)
    choice = read_choice(body)
    think, reasoning = read_thinking(body, file)
    return ChatRequest(
        body.model,
        finish_conversation(read_turns(body), file),
        tools=tools,
        reasoning=reasoning,
        think=think,
        format=read_output_format(body.output_config.format or body.output_format),
        tool_choice=choice,
        one_call=body.tool_choice.disable_parallel_tool_use,
        documents=tuple(body.documents),
        document_tools=body.document_tools,
    )


def refuse_unserved(body: AnthropicPrompt) -> None:
    """Nothing is left out silently: what is not served is refused by name.

    Claude Code asks with every request to keep thinking; harmony has its own rule for that, so such edits are let by.
    """
    edits = [edit.type for edit in body.context_management.edits if not edit.type.startswith("clear_thinking")]
    asked = {
        **{name: getattr(body, name) is not None for name in UNSERVED},
        "mcp_servers": bool(body.mcp_servers),
        f'speed "{body.speed}"': body.speed != "standard",
        f'inference_geo "{body.inference_geo}"': body.inference_geo != "global",
        f"context_management with {', '.join(edits)}": bool(edits),
    }
    if body.thread is not None:
        raise Refusal("thread is not supported: send the whole conversation", "thread", THREADLESS)
    for name in (name for name, unserved in asked.items() if unserved):
        raise BadRequest(f"{name} is not supported")


def offer_tools(shapes: Sequence[AnthropicTool], file: ModelFile) -> tuple[Tool, ...]:
    """The caller's own functions. Tools that run on Anthropic's servers are refused by name."""
    for index, shape in enumerate(shapes):
        if shape.type != "custom":
            raise BadRequest(
                f'tools[{index}].type "{shape.type}" is not supported: it is Anthropic\'s own.',
                "Offer a function with name, description and input_schema instead.",
            )
        if not shape.name:
            raise BadRequest(f"tools[{index}].name is missing")
        if "direct" not in shape.allowed_callers:
            raise BadRequest(
                f'tools[{index}].allowed_callers must have "direct": only the model itself calls tools here'
            )
    return read_tools([ToolShape(function=describe(shape)) for shape in shapes], file)


def describe(shape: AnthropicTool) -> FunctionShape:
    """A tool as OpenAI has it; examples of its input are told in the description."""
    examples = [f"Example: {json.dumps(example, ensure_ascii=False)}" for example in shape.input_examples]
    description = "\n".join(filter(None, [shape.description, *examples]))
    return FunctionShape(name=shape.name, description=description, parameters=shape.input_schema, strict=shape.strict)


def read_choice(body: AnthropicPrompt) -> ToolChoice:
    choice = body.tool_choice
    match choice.type:
        case "auto" | "none":
            return "none" if choice.type == "none" else "auto"
        case "any" if body.tools:
            return "required"
        case "tool" if choice.name in {tool.name for tool in body.tools}:
            return OnlyTool(choice.name)
        case "any":
            raise BadRequest("tool_choice any needs tools")
        case "tool":
            raise BadRequest(f'tool_choice.name "{choice.name}" is none of the tools')
    raise BadRequest("tool_choice.type must be auto, any, tool or none")


def read_thinking(body: AnthropicPrompt, file: ModelFile) -> tuple[bool, Reasoning]:
    """Whether to think and how hard: `thinking` over Ollama's `think`, the effort over the budget."""
    level = read_effort(body) or read_budget(body.thinking)
    match body.thinking.type if body.thinking else "":
        case "":
            asked = body.think
        case "enabled":
            asked = True
        case "disabled":
            asked = False
        case "adaptive":
            asked = None
        case other:
            raise BadRequest(f'thinking.type "{other}" is not supported; write enabled, disabled or adaptive')
    think, reasoning = read_think(asked if asked is False or level is None else level, body.model, file)
    return think, level or reasoning


def read_effort(body: AnthropicPrompt) -> Reasoning | None:
    effort = body.output_config.effort
    if effort and effort not in REASONING_OF_EFFORT:
        raise BadRequest(f'output_config.effort "{effort}" is not known; write one of {", ".join(REASONING_OF_EFFORT)}')
    return REASONING_OF_EFFORT[effort] if effort else None


def read_budget(thinking: ThinkingShape | None) -> Reasoning | None:
    """gpt-oss knows three levels and no budget: the level nearest to it."""
    budget = thinking.budget_tokens if thinking else None
    if budget is None:
        return None
    if budget < 1:
        raise BadRequest("thinking.budget_tokens must be at least 1")
    if budget <= MEDIUM_BUDGET_TOKENS:
        return "low" if budget < LOW_BUDGET_TOKENS else "medium"
    return "high"


def read_display(body: AnthropicPrompt, *, shows_thinking: bool = False) -> Display:
    """Who did not ask for thinking gets none to see: many read content[0] and expect text there.

    VS Code's Custom Endpoint never asks for it, names an effort only, and shows what comes (1.139.1).
    """
    if body.thinking is None:
        return "shown" if body.think or (shows_thinking and body.think is None) else "hidden"
    if body.thinking.display not in DISPLAYS:
        raise BadRequest(f"thinking.display must be one of {', '.join(DISPLAYS)}")
    return DISPLAYS[body.thinking.display]


def read_output_format(shape: Any) -> Any:
    match shape:
        case None:
            return None
        case {"type": "json_schema", "schema": dict(schema)}:
            return read_format(schema)
    raise BadRequest('output_config.format must be {"type": "json_schema", "schema": {…}}')
