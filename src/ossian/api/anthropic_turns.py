"""Anthropic's turns in our words: blocks of content become messages. Pure."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from ossian.api.shapes_anthropic import AnthropicMessage, AnthropicPrompt, BlockShape
from ossian.chat import Message, ToolCall
from ossian.errors import BadRequest, NotSupported

# Claude Code puts a hash of each request before its system text; left in, no prompt would ever be found in the cache
# (anthropics/claude-code#24168).
BILLING_LINE = re.compile(r"\Ax-anthropic-billing-header:[^\n]*\n?")
Wanted = TypeVar("Wanted")


def read_turns(body: AnthropicPrompt) -> list[Message]:
    """The whole conversation. Raises BadRequest for a block that a text model cannot take, and names it."""
    texts = [read_text(block, f"system[{index}]", body.model) for index, block in enumerate(body.system)]
    system = join(BILLING_LINE.sub("", text) for text in texts)
    turns = [Message("system", system)] if system else []
    for index, shape in enumerate(body.messages):
        turns += read_turn(shape, f"messages[{index}]", body.model)
    return turns


def read_turn(shape: AnthropicMessage, field: str, model: str) -> list[Message]:
    blocks = [(f"{field}.content[{index}]", block) for index, block in enumerate(shape.content)]
    match shape.role:
        case "user":
            return read_user(blocks, model)
        case "assistant":
            return [read_assistant(blocks, model)]
        case "system":
            return [Message("system", join(read_text(block, where, model) for where, block in blocks))]
    raise BadRequest(f'{field}.role "{shape.role}" is not known; write user, assistant or system')


def read_user(blocks: Sequence[tuple[str, BlockShape]], model: str) -> list[Message]:
    """The results of tools, each a message of its own, and then what the person said."""
    results = [read_result(block, where, model) for where, block in blocks if block.type == "tool_result"]
    said = [read_text(block, where, model) for where, block in blocks if block.type != "tool_result"]
    return [*results, Message("user", join(said))] if said or not results else results


def read_result(block: BlockShape, field: str, model: str) -> Message:
    text = read_parts(block.content, f"{field}.content", model)
    call_id = wanted(block.tool_use_id, f"{field}.tool_use_id")
    return Message("tool", f"Error: {text}" if block.is_error else text, call_id=call_id)


def read_assistant(blocks: Sequence[tuple[str, BlockShape]], model: str) -> Message:
    """One turn of the model. Redacted thinking is sealed: nobody but Anthropic can read it, so it says nothing here."""
    thinking, texts, calls = [], [], []
    for field, block in blocks:
        match block.type:
            case "thinking":
                thinking.append(wanted(block.thinking, f"{field}.thinking"))
            case "redacted_thinking":
                pass
            case "tool_use":
                calls.append(read_call(block, field))
            case _:
                texts.append(read_text(block, field, model))
    return Message("assistant", join(texts), thinking=join(thinking), calls=tuple(calls))


def read_call(block: BlockShape, field: str) -> ToolCall:
    arguments = json.dumps(block.input, ensure_ascii=False, separators=(",", ":"))
    return ToolCall(wanted(block.id, f"{field}.id"), wanted(block.name, f"{field}.name"), arguments)


def read_text(block: BlockShape, field: str, model: str) -> str:
    """The words of a block that has any."""
    match block.type:
        case "text":
            return wanted(block.text, f"{field}.text")
        case "document":
            return read_document(block, field, model)
        case "search_result":
            return read_search_result(block, field, model)
        case "image":
            raise NotSupported(model, "images")
    raise BadRequest(f'{field}.type "{block.type}" is not supported here')


def read_document(block: BlockShape, field: str, model: str) -> str:
    """A document's text under its title and what was said about it."""
    refuse_citations(block, field)
    source = wanted(block.source, f"{field}.source")
    match source.type:
        case "text":
            text = wanted(source.data, f"{field}.source.data")
        case "content":
            text = read_parts(source.content, f"{field}.source.content", model)
        case other:
            raise BadRequest(f'{field}.source.type "{other}" is not supported; write "text", with the text as data')
    return join([block.title, block.context, text])


def read_search_result(block: BlockShape, field: str, model: str) -> str:
    """What was found, under its title and the place it is from."""
    refuse_citations(block, field)
    place = wanted(wanted(block.source, f"{field}.source").data, f"{field}.source")
    return join([block.title, place, read_parts(block.content, f"{field}.content", model)])


def read_parts(parts: Sequence[BlockShape], field: str, model: str) -> str:
    return join(read_text(part, f"{field}[{index}]", model) for index, part in enumerate(parts))


def refuse_citations(block: BlockShape, field: str) -> None:
    if isinstance(block.citations, dict) and block.citations.get("enabled"):
        raise BadRequest(f'{field}.citations is not supported; write {{"enabled": false}}')


def join(texts: Iterable[str]) -> str:
    """Texts apart by a blank line; empty ones leave no trace."""
    return "\n\n".join(filter(None, texts))


def wanted(value: Wanted | None, field: str) -> Wanted:
    if value is None:
        raise BadRequest(f"{field} is missing")
    return value
