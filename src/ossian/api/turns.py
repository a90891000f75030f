"""What every door does with a conversation and its tools once they are read. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast, get_args

from ossian.api.dialects import Refusal
from ossian.api.shapes import ToolShape
from ossian.chat import ChatRequest, Message, Role, Tool
from ossian.errors import BadRequest, NotSupported
from ossian.store.catalogue import ModelFile

ROLES = get_args(Role)
WORDS_OF_VERBOSITY = {
    "low": "Keep the final answer short: what was asked, and no more.",
    "medium": "",
    "high": "Let the final answer be detailed: explain, and give examples where they help.",
}


def read_role(role: str, field: str) -> Role:
    lowered = role.lower()
    if lowered not in ROLES:
        raise BadRequest(f'{field} "{role}" is not known; write one of {", ".join(ROLES)}')
    return cast(Role, lowered)


def read_tools(shapes: Sequence[ToolShape], file: ModelFile) -> tuple[Tool, ...]:
    """The functions on offer. Raises BadRequest when there are any and the model cannot call them."""
    for index, shape in enumerate(shapes):
        if shape.type != "function":
            raise BadRequest(f'tools[{index}].type "{shape.type}" is not supported; write "function"')
        if not shape.function.name:
            raise BadRequest(f"tools[{index}].function.name is empty")
    if shapes and "tools" not in file.capabilities:
        raise BadRequest(f"{ollama_name(file)} does not support tools")
    offered = (shape.function for shape in shapes)
    return tuple(Tool(tool.name, tool.description, tool.parameters, tool.strict) for tool in offered)


def check_document_tools(request: ChatRequest, file: ModelFile) -> None:
    """Raise BadRequest where the model is to look into documents by itself, and cannot."""
    if not request.document_tools:
        return
    if not request.documents:
        raise BadRequest("document_tools needs documents: name collections there, or behind the model's name and a +")
    if "tools" not in file.capabilities:
        raise BadRequest(f"document_tools: {ollama_name(file)} does not support tools")
    if request.tool_choice != "auto":
        raise BadRequest('document_tools goes together with no other tool_choice than "auto"')


def ollama_name(file: ModelFile) -> str:
    """The long name that Ollama's clients look for in its errors."""
    return f"registry.ollama.ai/library/{file.name}" + ("" if ":" in file.name else ":latest")


def check_ability(ability: str, model: str, file: ModelFile) -> None:
    if "completion" not in file.capabilities:
        raise NotSupported(model, ability)


def finish_conversation(messages: Sequence[Message], file: ModelFile) -> tuple[Message, ...]:
    """The conversation behind the model's own system text and turns, every tool's result under the tool's name.

    Raises BadRequest where the model cannot converse.
    """
    if not (file.is_gpt_oss or file.has_template):
        raise BadRequest(
            f'"{file.name}" does not support chat: its file has no chat template.',
            "Continue raw text instead (raw: true on /api/generate, or /v1/completions), or take an instruct model.",
        )
    own = [Message("system", file.system)] if file.system and messages[0].role != "system" else []
    names = {call.id: call.name for message in messages for call in message.calls if call.id}
    named = [replace(turn, name=turn.name or names.get(turn.call_id, "")) for turn in messages]
    start = first_turn(named)
    return (*own, *named[:start], *file.messages, *named[start:])


def ask_for_length(messages: tuple[Message, ...], verbosity: str, field: str) -> tuple[Message, ...]:
    """The conversation with the wish for a short or a long answer: gpt-oss knows it only as an instruction."""
    if verbosity not in WORDS_OF_VERBOSITY:
        raise Refusal(f'{field} "{verbosity}" is not supported; write {", ".join(WORDS_OF_VERBOSITY)}.', field)
    words, start = WORDS_OF_VERBOSITY[verbosity], first_turn(messages)
    return (*messages[:start], Message("developer", words), *messages[start:]) if words else messages


def first_turn(messages: Sequence[Message]) -> int:
    """Where the conversation begins, behind what the system and the developer say first."""
    turns = (index for index, turn in enumerate(messages) if turn.role not in ("system", "developer"))
    return next(turns, len(messages))
