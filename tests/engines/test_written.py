"""A turn with calls in its own tokens: put back, it is the beginning of the next prompt to the last token."""

import json
from contextlib import aclosing

import pytest

from ossian.chat import ChatRequest, Done, Message, Sampling, Thinking, Tool, ToolCall
from ossian.engines.local import LocalModel

BLOCK_TOKENS = 64
PLAIN, RARE = "the shop opens at nine", "Größe, 日本語 und 🙂"
HELLO = (Message("system", "Be kind. " * 40), Message("user", "hello"))


def calling(word: str) -> ChatRequest:
    """A tool that can only be called with this word."""
    words = {
        "type": "object",
        "properties": {"word": {"enum": [word]}},
        "required": ["word"],
        "additionalProperties": False,
    }
    tools = (Tool("say", "Say a word.", words, strict=True),)
    sampling = Sampling(seed=1)
    return ChatRequest("tiny", HELLO, tools, think=False, tool_choice="required", max_tokens=400, sampling=sampling)


async def answer(model: LocalModel, request: ChatRequest) -> tuple[list[ToolCall], str, Done]:
    async with aclosing(model.chat(request)) as opened:
        *events, done = [event async for event in opened]
    assert isinstance(done, Done)
    thought = "".join(event.text for event in events if isinstance(event, Thinking))
    return [event for event in events if isinstance(event, ToolCall)], thought, done


@pytest.mark.parametrize("word", [PLAIN, RARE])
async def test_what_was_written_is_not_read_again(model: LocalModel, word: str, engine: str) -> None:
    request = calling(word)
    (call,), thought, done = await answer(model, request)
    assert json.loads(call.arguments) == {"word": word}
    text = await model.detokenize(done.written)
    assert text.startswith("<|start|>assistant") and text.endswith("<|call|>") and word in text

    turn = Message("assistant", "", thought, (call,), written=done.written)
    messages = (*HELLO, turn, Message("tool", "Said.", call_id=call.id))
    _, _, again = await answer(model, ChatRequest("tiny", messages, request.tools, think=False, max_tokens=1))
    known = done.usage.prompt_tokens + done.usage.completion_tokens - 1  # its last token was written and not yet read
    if word == PLAIN or engine == "native":  # llama.cpp does not tell the ids within a rare character
        assert known - BLOCK_TOKENS < again.usage.cached_tokens <= known
        assert again.usage.prompt_tokens < known + BLOCK_TOKENS


async def test_an_answer_without_calls_has_no_written_turn(model: LocalModel) -> None:
    _, _, done = await answer(model, ChatRequest("tiny", HELLO, max_tokens=20))
    assert done.written == ()


async def test_old_thoughts_go_where_room_is_short(model: LocalModel) -> None:
    """They are kept for the cache only, and a conversation that fits without them is answered."""
    turn = Message("assistant", "", "hm " * 6_000, (ToolCall("call_1", "say", "{}"),))
    messages = (
        Message("user", "hello"),
        turn,
        Message("tool", "Said.", call_id="call_1"),
        Message("assistant", "Done."),
    )
    request = ChatRequest("tiny", (*messages, Message("user", "And now?")), calling(PLAIN).tools, max_tokens=1)
    assert await model.count(request) < 1_000
    _, _, done = await answer(model, request)
    assert done.usage.prompt_tokens < 1_000
