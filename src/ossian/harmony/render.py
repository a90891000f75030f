"""Write a request as the prompt that gpt-oss was trained on. Knows nothing of token ids.

In the order "official" it is, token for token, what openai-harmony's `render_conversation_for_completion` gives, with
one thought dropped more often: it forgets thinking only before the first final answer; we forget all thinking that a
final answer follows, as harmony's documentation (docs/format.md, "Handling reasoning output in subsequent sampling")
and chat template have it. `order` tells what the order "cache" does instead.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ossian.chat import ChatRequest, Message, ToolCall
from ossian.harmony.order import Layout, Order, arrange
from ossian.harmony.tags import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, START, TAGS
from ossian.harmony.tools import UNNAMED, model_name, tool_names, write_tools

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
SPECIAL_TOKENS = TAGS
KNOWLEDGE_CUTOFF = "2024-06"
CHANNELS = "# Valid channels: analysis, commentary, final. Channel must be included for every message."
INSTRUCTIONS = "# Instructions"
TOOL_CHANNEL = "Calls to these tools must go to the commentary channel: 'functions'."

Opening = Literal["header", "analysis", "final"]
"""Where the prompt leaves off: after `<|start|>assistant`, or inside a message of that channel."""


@dataclass(frozen=True, slots=True)
class Special:
    """A special token, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Written:
    """A turn of the model in its own token ids, which nobody here reads."""

    tokens: tuple[int, ...]


Piece = Special | Written | str
Prompt = tuple[Piece, ...]
"""Each text is tokenised by itself and as ordinary text: a tag that a person wrote stays a person's words."""


def render(request: ChatRequest, *, today: datetime.date, order: Order) -> Prompt:
    """Write the whole prompt, up to where the model goes on.

    >>> request = ChatRequest("gpt-oss:20b", (Message("user", "Hi"),))
    >>> spell(render(request, today=datetime.date(2026, 1, 2), order="official")).split(END)[1:]
    ['<|start|>user<|message|>Hi', '<|start|>assistant']
    """
    return render_past(request, today=today, order=order) + render_opening(request)


def render_past(request: ChatRequest, *, today: datetime.date, order: Order, lean: bool = False) -> Prompt:
    """Write all that was said, up to the answer. lean: forget also those thoughts that only the cache wants kept."""
    past = request.messages[:-1] if find_prefill(request) else request.messages
    layout = arrange(request, past, today, order, lean=lean)
    return tuple(piece for piece in write_past(request, layout, today) if piece != "")


def render_opening(request: ChatRequest) -> Prompt:
    """Write the beginning of the answer."""
    prefill = find_prefill(request) or Message("assistant")
    return tuple(piece for piece in write_opening(request, prefill) if piece != "")


def spell(prompt: Prompt) -> str:
    """The prompt as one text, for people: here a special token and its spelling look the same."""
    return "".join(spell_piece(piece) for piece in prompt)


def spell_piece(piece: Piece) -> str:
    match piece:
        case Special(name):
            return name
        case Written(tokens):
            return f"[{len(tokens)} tokens]"
    return piece


def opening(prompt: Prompt) -> Opening:
    """Where a prompt leaves off, which the parser has to know."""
    last = max(index for index, piece in enumerate(prompt) if isinstance(piece, Special))
    if prompt[last] != Special(MESSAGE):
        return "header"
    return "final" if prompt[last - 1] == "final" else "analysis"


def end_thought(prompt: Prompt, thinking: str, where: Opening = "final") -> Prompt:
    """The prompt again, after the thinking that was written behind it, and the final channel or a header is open."""
    header = (Special(START), "assistant")
    opened = (Special(CHANNEL), "final", Special(MESSAGE)) if where == "final" else ()
    match opening(prompt):
        case "final":
            return prompt
        case "analysis":
            return (*prompt, *filter(None, [thinking]), Special(END), *header, *opened)
        case "header" if thinking:
            thought = (Special(CHANNEL), "analysis", Special(MESSAGE), thinking, Special(END))
            return (*prompt, *thought, *header, *opened)
        case "header":
            return (*prompt, *opened)


def find_prefill(request: ChatRequest) -> Message | None:
    """The assistant's last message, when the model is to go on with it."""
    last = request.messages[-1] if request.messages else None
    return last if last is not None and last.role == "assistant" and not last.calls else None


def choose_opening(request: ChatRequest) -> Opening:
    last = find_prefill(request)
    if last is not None and last.content:
        return "final"
    if not request.think:
        return "header" if request.tools else "final"
    return "analysis" if last is not None and last.thinking else "header"


def write_past(request: ChatRequest, layout: Layout, today: datetime.date) -> Iterator[Piece]:
    if not request.past:  # it begins with the system message
        yield from write_message("system", write_system(request, today if layout.dated else None))
    if sections := list_sections(request, layout):
        yield from (Special(START), "developer", Special(MESSAGE), "\n\n".join(sections))
        yield f"\n\n{layout.closing}" if layout.closing else ""
        yield Special(END)
    yield from write_history(layout.turns, tool_names(request.tools))


def write_system(request: ChatRequest, today: datetime.date | None) -> str:
    date = f"\nCurrent date: {today.isoformat()}" if today else ""
    return "\n\n".join(
        [
            f"{IDENTITY}\nKnowledge cutoff: {KNOWLEDGE_CUTOFF}{date}",
            f"Reasoning: {request.reasoning}",
            f"{CHANNELS}\n{TOOL_CHANNEL}" if request.tools else CHANNELS,
        ]
    )


def list_sections(request: ChatRequest, layout: Layout) -> list[str]:
    """What the developer message says: instructions and tools."""
    instructions = [INSTRUCTIONS, *layout.instructions] if layout.instructions else []
    tools = [write_tools(request.tools)] if request.tools else []
    return tools + instructions if layout.tools_first else instructions + tools


def write_history(messages: Sequence[Message], names: Mapping[str, str]) -> Iterator[Piece]:
    waiting: list[ToolCall] = []
    for message in messages:
        match message.role:
            case "user":
                yield from write_message("user", message.content)
            case "system" | "developer" if message.content:
                yield from write_message("developer", f"{INSTRUCTIONS}\n\n{message.content}")
            case "assistant":
                waiting += message.calls
                yield from [Written(message.written)] if message.written else write_assistant(message, names)
            case "tool":
                name = model_name(name_result(message, waiting), names)
                yield from write_message(f"functions.{name}", message.content, to="assistant", channel="commentary")


def write_assistant(message: Message, names: Mapping[str, str]) -> Iterator[Piece]:
    if message.thinking:
        yield from write_message("assistant", message.thinking, channel="analysis")
    if message.content:
        yield from write_message("assistant", message.content, channel="commentary" if message.calls else "final")
    for call in message.calls:
        yield from write_call(call, names)


def write_message(author: str, content: str, *, to: str = "", channel: str = "") -> Iterator[Piece]:
    yield Special(START)
    yield author
    yield f" to={to}" if to else ""
    if channel:
        yield from (Special(CHANNEL), channel)
    yield from (Special(MESSAGE), content, Special(END))


def write_call(call: ToolCall, names: Mapping[str, str]) -> Iterator[Piece]:
    """A call, its recipient next to the role as the official has it (the model itself puts it after the channel)."""
    yield from (Special(START), "assistant", f" to=functions.{model_name(call.name, names)}")
    yield from (Special(CHANNEL), "commentary", " ", Special(CONSTRAIN), "json")
    yield from (Special(MESSAGE), call.arguments, Special(CALL))


def name_result(result: Message, waiting: list[ToolCall]) -> str:
    """The client's name of the tool that gave a result: as it says, by the call's id, or else the next call in turn."""
    by_id = [call for call in waiting if result.call_id and call.id == result.call_id]
    by_name = [call for call in waiting if result.name and call.name == result.name]
    answered = next(iter(by_id or by_name or ([] if result.name else waiting)), None)
    if answered is not None:
        waiting.remove(answered)
    return result.name or (answered.name if answered is not None else UNNAMED)


def write_opening(request: ChatRequest, prefill: Message) -> Iterator[Piece]:
    """The beginning of the answer.

    Without thinking the final channel is opened, but where there are tools: in there none can be called. Then the model
    is shown an empty thought instead and chooses between an answer and a call.
    """
    where = choose_opening(request)
    if prefill.thinking and where != "analysis":
        yield from write_message("assistant", prefill.thinking, channel="analysis")
    if not request.think and where == "header":
        yield from write_message("assistant", "", channel="analysis")
    yield from (Special(START), "assistant")
    if where != "header":
        yield from (Special(CHANNEL), where, Special(MESSAGE))
        yield prefill.content if where == "final" else prefill.thinking
