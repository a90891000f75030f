"""What a body of /v1/responses asks, in our words, and how it is repeated in the answer. Pure."""

from collections.abc import Sequence
from typing import Any

from ossian.api.choices import refuse_obfuscation
from ossian.api.dialects import Refusal
from ossian.api.logprobs import MOST_LOGPROBS
from ossian.api.openai import THINK_OF_EFFORT
from ossian.api.options import Options, read_format, read_options, read_think, with_options
from ossian.api.responses_items import Placed, read_turns
from ossian.api.responses_tools import dump_shape, offer_tools, read_choice, write_tools
from ossian.api.shapes_responses import ResponsesCreate, ResponsesPrompt
from ossian.api.turns import ask_for_length, check_ability, finish_conversation
from ossian.chat import ChatRequest, Message
from ossian.store.catalogue import ModelFile

LOGPROBS = "message.output_text.logprobs"
SEALED_THINKING = "reasoning.encrypted_content"
INCLUDABLE = (
    LOGPROBS, SEALED_THINKING, "file_search_call.results", "web_search_call.results",
    "web_search_call.action.sources", "message.input_image.image_url", "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
)  # fmt: skip
WORDS_OF_FIELD = {
    "truncation": ("disabled",),
    "reasoning.summary": ("", "auto", "concise", "detailed"),
    "reasoning.generate_summary": ("", "auto", "concise", "detailed"),
    "reasoning.context": ("auto", "current_turn"),
    "reasoning.mode": ("standard",),
}
NOTHING_IS_CUT = "Nothing is cut silently here: a prompt that is too long is refused, with both lengths."
MOST_METADATA, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512


def read_request(body: ResponsesPrompt, items: Sequence[Placed], file: ModelFile) -> ChatRequest:
    """What is asked, behind all items of the conversation. Raises BadRequest for what is not served, and names it."""
    check_ability("chat", body.model, file)
    refuse_unserved(body)
    turns = read_turns(items, body.model)
    instructions = [Message("system", body.instructions)] if body.instructions else []
    if not turns:
        raise Refusal("input must hold at least one message", "input")
    choice, tools = read_choice(body.tool_choice, offer_tools(body.tools, file))
    think, reasoning = read_think(read_effort(body), body.model, file)
    request = ChatRequest(
        body.model,
        ask_for_length(finish_conversation([*instructions, *turns], file), body.text.verbosity, "text.verbosity"),
        tools=tools,
        reasoning=reasoning,
        think=think,
        format=read_text_format(body),
        tool_choice=choice,
        one_call=not body.parallel_tool_calls,
        documents=tuple(body.documents),
        document_tools=body.document_tools,
        top_logprobs=read_logprobs(body) if isinstance(body, ResponsesCreate) else None,
    )
    return with_options(request, read_all_options(body, file), body.keep_alive)


def refuse_unserved(body: ResponsesPrompt) -> None:
    """Nothing is left out silently: what is not served is refused by name."""
    refused = ["conversation", "personality"]
    if isinstance(body, ResponsesCreate):
        refused += ["background", "prompt", "context_management", "moderation", "prompt_cache_options"]
        refused += ["background_options", "access_programs", "image"]
        check_create(body)
    for name in refused:
        if getattr(body, name):
            raise Refusal(f"{name} is not supported", name)
    for field, words in WORDS_OF_FIELD.items():
        *shape, name = field.split(".")
        value = getattr(getattr(body, shape[0]) if shape else body, name)
        if value not in words:
            hint = f" {NOTHING_IS_CUT}" if name == "truncation" else ""
            known = ", ".join(word for word in words if word)
            raise Refusal(f'{field} "{value}" is not supported; write {known}.{hint}', field)


def check_create(body: ResponsesCreate) -> None:
    for name in ("max_output_tokens", "max_tool_calls"):
        if (value := getattr(body, name)) is not None and value < 1:
            raise Refusal(f"{name} must be at least 1", name)
    if not 0 <= body.top_logprobs <= MOST_LOGPROBS:
        raise Refusal(f"top_logprobs must be between 0 and {MOST_LOGPROBS}", "top_logprobs")
    refuse_obfuscation(body.stream_options.include_obfuscation)
    pairs = body.metadata.items()
    if len(pairs) > MOST_METADATA or any(len(key) > LONGEST_KEY or len(text) > LONGEST_VALUE for key, text in pairs):
        raise Refusal(
            f"metadata may hold {MOST_METADATA} keys of {LONGEST_KEY} letters, each with {LONGEST_VALUE}", "metadata"
        )
    check_include(body.include)


def check_include(include: Sequence[str]) -> None:
    """What belongs to tools that are not served may be asked for: there is never any of it."""
    for name in include:
        if name not in INCLUDABLE:
            raise Refusal(f'include "{name}" is not known; write one of {", ".join(INCLUDABLE)}', "include")


def read_logprobs(body: ResponsesCreate) -> int | None:
    return body.top_logprobs if LOGPROBS in body.include or body.top_logprobs else None


def read_effort(body: ResponsesPrompt) -> Any:
    effort = body.reasoning.effort
    if not effort:
        return body.think
    if effort not in THINK_OF_EFFORT:
        raise Refusal(
            f'reasoning.effort "{effort}" is not known; write one of {", ".join(THINK_OF_EFFORT)}', "reasoning"
        )
    return THINK_OF_EFFORT[effort]


def read_all_options(body: ResponsesPrompt, file: ModelFile) -> Options:
    """OpenAI's fields over Ollama's options over the model's own."""
    named: dict[str, Any] = {"num_ctx": body.num_ctx}
    if isinstance(body, ResponsesCreate):
        named |= {"temperature": body.temperature, "top_p": body.top_p, "num_predict": body.max_output_tokens}
    return read_options(body.options, file, named)


def read_text_format(body: ResponsesPrompt) -> Any:
    shape = body.text.format
    match shape.type:
        case "text":
            return None
        case "json_object":
            return "json"
        case "json_schema" if shape.json_schema:
            return read_format(shape.json_schema)
        case "json_schema":
            raise Refusal("text.format.schema is missing", "text.format.schema")
    raise Refusal("text.format.type must be text, json_object or json_schema", "text.format.type")


def write_request(body: ResponsesCreate, asked: ChatRequest) -> dict[str, Any]:
    """What was asked, as every object of the answer repeats it."""
    effort = asked.reasoning if asked.think else "none"
    summary = body.reasoning.summary or body.reasoning.generate_summary or None
    return {
        "background": False,
        "instructions": body.instructions or None,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": body.max_tool_calls,
        "metadata": body.metadata,
        "model": body.model,
        "parallel_tool_calls": body.parallel_tool_calls,
        "previous_response_id": body.previous_response_id or None,
        "prompt_cache_key": body.prompt_cache_key,
        "prompt_cache_retention": body.prompt_cache_retention,
        "reasoning": {"effort": body.reasoning.effort or effort, "summary": summary},
        "safety_identifier": body.safety_identifier,
        "service_tier": body.service_tier,
        "store": body.store,
        "temperature": asked.sampling.temperature,
        "text": {"format": dump_shape(body.text.format, type="text"), "verbosity": body.text.verbosity},
        "tool_choice": body.tool_choice or "auto",
        "tools": write_tools(body.tools),
        "top_logprobs": body.top_logprobs,
        "top_p": asked.sampling.top_p,
        "truncation": body.truncation,
        "user": body.user,
    }
