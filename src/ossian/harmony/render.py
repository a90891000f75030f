"""Write a request as the prompt that gpt-oss was trained on. Knows nothing of token ids.

Token for token what openai-harmony's `render_conversation_for_completion` gives, with one thought dropped more often:
it forgets thinking only before the first final answer; we forget all thinking that a final answer follows, as
harmony's documentation (docs/format.md, "Handling reasoning output in subsequent sampling") and chat template have it.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ossian.chat import ChatRequest, Message, ToolCall
from ossian.harmony.tags import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, START, TAGS
from ossian.harmony.tools import UNNAMED, model_name, tool_names, write_tools

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
SPECIAL_TOKENS = TAGS
KNOWLEDGE_CUTOFF = "2024-06"
CHANNELS = "# Valid channels: analysis, commentary, final. Channel must be included for every message."
TOOL_CHANNEL = "Calls to these tools must go to the commentary channel: 'functions'."

Opening = Literal["header", "analysis", "final"]
"""Where the prompt leaves off: after `<|start|>assistant`, or inside a message of that channel."""


@dataclass(frozen=True, slots=True)
class Special:
    """A special token, by name."""

    name: str


Piece = Special | str
Prompt = tuple[Piece, ...]
"""Each text is tokenised by itself and as ordinary text: a tag that a person wrote stays a person's words."""


def render(request: ChatRequest, *, today: datetime.date) -> Prompt:
    """Write the whole prompt, up to where the model goes on.

    >>> prompt = render(ChatRequest("gpt-oss:20b", (Message("user", "Hi"),)), today=datetime.date(2026, 1, 2))
    >>> spell(prompt).split(END)[1:]
    ['<|start|>user<|message|>Hi', '<|start|>assistant']
    """
    return tuple(piece for piece in write_prompt(request, today) if piece != "")


def spell(prompt: Prompt) -> str:
    """The prompt as one text, for people: here a special token and its spelling look the same."""
    return "".join(piece.name if isinstance(piece, Special) else piece for piece in prompt)


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


def write_prompt(request: ChatRequest, today: datetime.date) -> Iterator[Piece]:
    prefill = find_prefill(request)
    yield from write_message("system", write_system(request, today))
    if developer := write_developer(request):
        yield from write_message("developer", developer)
    yield from write_history(request.messages[:-1] if prefill else request.messages, tool_names(request.tools))
    if prefill and prefill.thinking and choose_opening(request) != "analysis":
        yield from write_message("assistant", prefill.thinking, channel="analysis")
    yield from write_opening(request, prefill or Message("assistant"))


def write_system(request: ChatRequest, today: datetime.date) -> str:
    return "\n\n".join(
        [
            f"{IDENTITY}\nKnowledge cutoff: {KNOWLEDGE_CUTOFF}\nCurrent date: {today.isoformat()}",
            f"Reasoning: {request.reasoning}",
            f"{CHANNELS}\n{TOOL_CHANNEL}" if request.tools else CHANNELS,
        ]
    )


def write_developer(request: ChatRequest) -> str:
    """All that the system and the developer said, wherever it stood, and then the tools."""
    said = [message.content for message in request.messages if message.role in ("system", "developer")]
    sections = ["# Instructions", *filter(None, said)] if any(said) else []
    return "\n\n".join([*sections, write_tools(request.tools)] if request.tools else sections)


def write_history(messages: Sequence[Message], names: Mapping[str, str]) -> Iterator[Piece]:
    finals = [index for index, message in enumerate(messages) if is_final(message)]
    last_final = finals[-1] if finals else -1
    waiting: list[ToolCall] = []
    for index, message in enumerate(messages):
        match message.role:
            case "user":
                yield from write_message("user", message.content)
            case "assistant":
                waiting += message.calls
                yield from write_assistant(message, names, with_thinking=index > last_final)
            case "tool":
                name = model_name(name_result(message, waiting), names)
                yield from write_message(f"functions.{name}", message.content, to="assistant", channel="commentary")


def is_final(message: Message) -> bool:
    return message.role == "assistant" and bool(message.content) and not message.calls


def write_assistant(message: Message, names: Mapping[str, str], *, with_thinking: bool) -> Iterator[Piece]:
    if message.thinking and with_thinking:
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
    if not request.think and where == "header":
        yield from write_message("assistant", "", channel="analysis")
    yield from (Special(START), "assistant")
    if where != "header":
        yield from (Special(CHANNEL), where, Special(MESSAGE))
        yield prefill.content if where == "final" else prefill.thinking
