"""Write a conversation as harmony text, cut into parts a trainer can tokenise. Knows nothing of tokenisers or topics."""

import json
from dataclasses import dataclass
from typing import Any

SYSTEM_PARTS = 5  # of every conversation, the system message
Part = list[Any]  # [text, learn]: learn is 1 for what the assistant writes, 0 for what it reads
Schema = dict[str, Any]

CHANNELS = "# Valid channels: analysis, commentary, final. Channel must be included for every message."
TOOLS_CHANNEL = "Calls to these tools must go to the commentary channel: 'functions'."


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    parameters: Schema


@dataclass(frozen=True, slots=True)
class User:
    text: str


@dataclass(frozen=True, slots=True)
class OldAnswer:
    """An answer of an earlier turn: its analysis is gone and it ends in <|end|>."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OldCall:
    """A call as the server writes it in history: the recipient stands next to the role."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NoThought:
    """The empty thought that the server writes when tools are offered and thinking is off."""


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    text: str


Message = User | OldAnswer | Thought | NoThought | Call | OldCall | Result | Answer


@dataclass(frozen=True, slots=True)
class Conversation:
    messages: tuple[Message, ...]
    date: str = "2026-11-22"
    reasoning: str = "medium"
    instructions: str = ""
    tools: tuple[Tool, ...] = ()


def write_parts(talk: Conversation, *, for_cache: bool = False) -> list[Part]:
    """Write the whole conversation, prompt and answer, in either order of ossian.harmony.render."""
    for_cache = for_cache and bool(talk.instructions or talk.tools)
    date = f"Current date: {talk.date}"
    parts = write_plain("system", write_system(talk, "" if for_cache else date))
    if talk.instructions or talk.tools:
        sections = write_sections(talk)
        parts += write_plain("developer", "\n\n".join([*sections[::-1], date] if for_cache else sections))
    before: Message | None = None
    for message in talk.messages:
        written = Call(message.name, message.arguments) if for_cache and isinstance(message, OldCall) else message
        parts += write_message(written, before)
        before = message
    return parts


def write_plain(role: str, text: str) -> list[Part]:
    return read_only("<|start|>", role, "<|message|>", text, "<|end|>")


def write_system(talk: Conversation, date: str) -> str:
    lines = [
        "You are ChatGPT, a large language model trained by OpenAI.",
        "Knowledge cutoff: 2024-06",
        *filter(None, [date]),
        "",
        f"Reasoning: {talk.reasoning}",
        "",
        CHANNELS,
    ]
    return "\n".join([*lines, TOOLS_CHANNEL] if talk.tools else lines)


def write_sections(talk: Conversation) -> list[str]:
    """Instructions, then tools, as far as there are any."""
    sections = []
    if talk.instructions:
        sections.append(f"# Instructions\n\n{talk.instructions}")
    if talk.tools:
        types = "".join(f"{write_tool(tool)}\n\n" for tool in talk.tools)
        sections.append(f"# Tools\n\n## functions\n\nnamespace functions {{\n\n{types}}} // namespace functions")
    return sections


def write_tool(tool: Tool) -> str:
    head = f"// {tool.description}\ntype {tool.name} = "
    if not tool.parameters:
        return head + "() => any;"
    properties = tool.parameters.get("properties", {})
    required = tool.parameters.get("required", [])
    fields = "".join(write_field(name, schema, name in required) for name, schema in properties.items())
    return f"{head}(_: {{\n{fields}}}) => any;"


def write_field(name: str, schema: Schema, required: bool) -> str:
    comment = f"// {schema['description']}\n" if "description" in schema else ""
    default = f" // default: {write_default(schema)}" if "default" in schema else ""
    return f"{comment}{name}{'' if required else '?'}: {write_type(schema)},{default}\n"


def write_default(schema: Schema) -> str:
    default = schema["default"]
    if isinstance(default, str):
        return default if "enum" in schema else f'"{default}"'
    return json.dumps(default)


def write_type(schema: Schema) -> str:
    """Name the TypeScript type of a JSON schema.

    >>> write_type({"type": "array", "items": {"type": "string"}})
    'string[]'
    """
    if "enum" in schema:
        return " | ".join(f'"{choice}"' for choice in schema["enum"])
    match schema.get("type"):
        case "string":
            return "string"
        case "number" | "integer":
            return "number"
        case "boolean":
            return "boolean"
        case "array":
            return write_type(schema.get("items", {})) + "[]"
        case "object":
            return "object"
        case _:
            return "any"


def write_message(message: Message, before: Message | None) -> list[Part]:
    match message:
        case User(text):
            return write_plain("user", text)
        case Result(name, text):
            head = read_only(
                "<|start|>", f"functions.{name}", " to=assistant", "<|channel|>", "commentary", "<|message|>"
            )
            return head + read_only(text, "<|end|>")
        case OldAnswer(text):
            head = read_only("<|start|>", "assistant", "<|channel|>", "final", "<|message|>")
            return head + learn(text) + read_only("<|end|>")
        case Thought(text):
            return open_turn(before) + learn("<|channel|>", "analysis", "<|message|>", text, "<|end|>")
        case NoThought():
            return read_only("<|start|>", "assistant", "<|channel|>", "analysis", "<|message|>", "<|end|>")
        case OldCall(name, arguments):
            head = read_only(
                "<|start|>", "assistant", f" to=functions.{name}", "<|channel|>", "commentary", " ", "<|constrain|>"
            )
            arguments_text = json.dumps(arguments, ensure_ascii=False)
            return head + read_only("json", "<|message|>") + learn(arguments_text, "<|call|>")
        case Call(name, arguments):
            # A call of an earlier turn stands without its thought: to begin with a call is not to be learned from it.
            write = learn if isinstance(before, Thought | NoThought) else read_only
            head = write("<|channel|>", f"commentary to=functions.{name} ", "<|constrain|>", "json", "<|message|>")
            return open_turn(before) + head + learn(json.dumps(arguments, ensure_ascii=False), "<|call|>")
        case Answer(text):
            # Without any thought the server has opened the final channel itself (think=false).
            header = ("<|channel|>", "final", "<|message|>")
            opened = learn(*header) if isinstance(before, Thought | NoThought) else read_only(*header)
            return open_turn(before) + opened + learn(text, "<|return|>")


def open_turn(before: Message | None) -> list[Part]:
    """The server opens the assistant's first message; the model opens those after its own thought."""
    write = learn if isinstance(before, Thought) else read_only
    return write("<|start|>", "assistant")


def learn(*texts: str) -> list[Part]:
    return [[text, 1] for text in texts]


def read_only(*texts: str) -> list[Part]:
    return [[text, 0] for text in texts]
