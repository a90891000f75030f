"""The items that /v1/responses is made of: how they are kept, and what they mean as messages. Pure."""

import base64
import binascii
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

from ossian.api.dialects import Refusal
from ossian.api.openai import read_content
from ossian.api.turns import read_role
from ossian.chat import Message, ToolCall
from ossian.errors import BadRequest, NotSupported

Item = Mapping[str, Any]
Placed = tuple[str, Item]
"""An item, behind the name of its place in the request."""
FindItem = Callable[[str], Item | None]

ID_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "function_call_output": "fco"}
SEAL = "ossian1."
TEXT_TYPES = ("application/json", "application/xml", "application/yaml", "application/toml", "application/javascript")


class ItemNotFound(Refusal):
    status: ClassVar[int] = 404

    def __init__(self, id: str) -> None:
        super().__init__(
            f"Item with id '{id}' not found. Items are not persisted when `store` is set to false. "
            "Try again with `store` set to true, or remove this item from your input.",
            "input",
        )


def fresh_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(24)}"


def read_items(given: Any, find_item: FindItem) -> list[Placed]:
    """The input as whole items, each with an id; a reference is replaced by what it refers to."""
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise BadRequest("input must be a string or a list of items")
    fields = [f"input[{index}]" for index in range(len(given))]
    return [(field, complete(item, field, find_item)) for field, item in zip(fields, given, strict=True)]


def complete(item: Any, field: str, find_item: FindItem) -> Item:
    """One item as it is kept: with its type, its id, and its content as a list of parts."""
    if not isinstance(item, dict):
        raise BadRequest(f"{field} must be an object")
    known = {key: value for key, value in item.items() if value is not None}
    kind = known.get("type", "message" if "role" in known else "item_reference")
    if not isinstance(known.get("id", ""), str):
        raise BadRequest(f"{field}.id must be a string")
    if kind == "item_reference":
        return find_referred(known.get("id", ""), field, find_item)
    if not isinstance(kind, str) or kind not in ID_PREFIXES:
        raise BadRequest(f"{field}.type {kind!r} is not supported; write one of {', '.join(ID_PREFIXES)}")
    if kind == "message" and isinstance(known.get("content"), str):
        known["content"] = [write_part(known["content"], known.get("role"))]
    id = known.pop("id", "") or fresh_id(ID_PREFIXES[kind])
    return {"id": id, "status": "completed", **known, "type": kind}


def find_referred(id: str, field: str, find_item: FindItem) -> Item:
    if not id:
        raise BadRequest(f"{field}.type is missing")
    found = find_item(id)
    if found is None:
        raise ItemNotFound(id)
    return found


def write_part(text: str, role: Any) -> Item:
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}


def read_turns(items: Iterable[Placed], model: str) -> list[Message]:
    """The conversation. What the assistant thought, said and called in one go is one message."""
    turns: list[Message] = []
    called: set[str] = set()
    for field, item in items:
        message = read_item(item, field, model)
        called.update(call.id for call in message.calls)
        if message.role == "tool" and message.call_id not in called:
            raise Refusal(f"No tool call found for function call output with call_id {message.call_id}.", "input")
        if turns and goes_on(turns[-1], message):
            before = turns.pop()
            message = replace(before, content=before.content or message.content, calls=before.calls + message.calls)
        turns.append(message)
    # A thought that only another server can read leaves nothing.
    return [turn for turn in turns if turn != Message("assistant")]


def goes_on(before: Message, message: Message) -> bool:
    """Whether the assistant still speaks: a thought begins anew, words follow a thought, a call follows anything."""
    if not before.role == message.role == "assistant" or message.thinking:
        return False
    return bool(message.calls) or not (before.content or before.calls)


def read_item(item: Item, field: str, model: str) -> Message:
    match item:
        case {"type": "message", "role": str(role), "content": list(parts)}:
            return Message(read_speaker(role, field), read_parts(parts, f"{field}.content", model))
        case {"type": "message"}:
            raise BadRequest(f"{field} must have a role, and as content a string or a list of parts")
        case {"type": "reasoning"}:
            return Message("assistant", thinking=read_thought(item))
        case {"type": "function_call", "call_id": str(call_id), "name": str(name)}:
            return Message("assistant", calls=(ToolCall(call_id, full_name(item, name), read_arguments(item, field)),))
        case {"type": "function_call"}:
            raise BadRequest(f"{field} must have call_id and name")
        case {"type": "function_call_output", "call_id": str(call_id), "output": str(text)}:
            return Message("tool", text, call_id=call_id)
        case {"type": "function_call_output", "call_id": str(call_id), "output": list(parts)}:
            return Message("tool", read_parts(parts, f"{field}.output", model), call_id=call_id)
    raise BadRequest(f"{field} must have call_id, and as output a string or a list of parts")


def read_speaker(role: str, field: str) -> Any:
    if role == "tool":
        raise BadRequest(f'{field}.role "tool" is not known; send a function_call_output')
    return read_role(role, f"{field}.role")


def full_name(item: Item, name: str) -> str:
    """The name that a function of a group is offered under."""
    return f"{item['namespace']}.{name}" if item.get("namespace") else name


def read_arguments(item: Item, field: str) -> str:
    arguments = item.get("arguments", "")
    if not isinstance(arguments, str):
        raise BadRequest(f"{field}.arguments must be a string")
    return arguments or "{}"


def read_parts(parts: list[Any], field: str, model: str) -> str:
    plain = [read_part(part, f"{field}[{index}]", model) for index, part in enumerate(parts)]
    return read_content(plain, field, model)


def read_part(part: Any, field: str, model: str) -> Any:
    """A part as the chat door knows it: refusals and files of text are text."""
    match part:
        case {"type": "refusal", "refusal": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "input_file"}:
            return {"type": "text", "text": read_file(part, field, model)}
    return part


def read_file(part: Item, field: str, model: str) -> str:
    for name in ("file_id", "file_url"):
        if part.get(name):
            raise BadRequest(f"{field}.{name} is not supported; send file_data")
    data = part.get("file_data")
    if not isinstance(data, str):
        raise BadRequest(f"{field}.file_data is missing")
    try:
        text = read_data(data).decode()
    except (binascii.Error, ValueError):
        text = "\0"
    if "\0" in text:
        raise NotSupported(model, f"files that are not text ({field})")
    return f"File: {part['filename']}\n\n{text}" if part.get("filename") else text


def read_data(data: str) -> bytes:
    """What a data URL, or bare base64, stands for. Raises ValueError for what does not say it is text."""
    head, comma, body = data.partition(",")
    if not comma:
        return base64.b64decode(data, validate=True)
    kind, *more = head.removeprefix("data:").lower().split(";")
    if not kind.startswith("text/") and kind not in TEXT_TYPES:
        raise ValueError(kind)
    return base64.b64decode(body, validate=True) if "base64" in more else unquote_to_bytes(body)


def read_thought(item: Item) -> str:
    """What the model thought: its text, or what was sealed here, or the summary, which here is the whole of it."""
    return join_texts(item.get("content")) or unseal(item.get("encrypted_content")) or join_texts(item.get("summary"))


def join_texts(parts: Any) -> str:
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "\n\n".join(text for text in texts if isinstance(text, str))


def seal(thinking: str) -> str:
    """A thought as a word that clients carry without a look at it.

    >>> seal("Hm?"), unseal("ossian1.SG0_"), unseal("gAAAAABo")
    ('ossian1.SG0_', 'Hm?', '')
    """
    return SEAL + base64.urlsafe_b64encode(thinking.encode("utf-8", "replace")).decode()


def unseal(sealed: Any) -> str:
    """The thought again; nothing where another server sealed it."""
    if not isinstance(sealed, str) or not sealed.startswith(SEAL):
        return ""
    try:
        return base64.b64decode(sealed.removeprefix(SEAL), altchars=b"-_", validate=True).decode()
    except ValueError:
        return ""
