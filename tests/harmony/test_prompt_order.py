"""The order for the cache: the same words as the official one, but what chats have in common comes first."""

import copy
import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ossian.api.openai import read_chat
from ossian.api.shapes_openai import OpenAIChat
from ossian.chat import ChatRequest, Message, Tool, ToolCall
from ossian.engines.fake import FAKE_FILE
from ossian.harmony.render import Order, render, spell

FIRST_TURN = Path(__file__).parents[3] / "shared" / "recordings" / "vscode_1_139_agent_first_turn.json"
TODAY, TOMORROW = datetime.date(2026, 11, 22), datetime.date(2026, 11, 23)
OFFERED = (Tool("read_file", "Read a file.", {"type": "object", "properties": {"path": {"type": "string"}}}),)
SYSTEM = Message("system", "You are an editor.\nBe kind.\nLog: /logs/{}\nThat is all.")
CHARACTERS_PER_TOKEN = 3.5  # 92,600 characters of such a prompt are 20,700 tokens of gpt-oss and more


def chat(number: str, words: str, *more: Message) -> ChatRequest:
    system = replace(SYSTEM, content=SYSTEM.content.format(number))
    return ChatRequest("m", (system, Message("user", words), *more), tools=OFFERED)


def left(one: str, other: str) -> str:
    """What follows the beginning that both have."""
    return other[next(place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b) :]


def text(request: ChatRequest, order: Order = "cache", today: datetime.date = TODAY) -> str:
    return spell(render(request, today=today, order=order))


def test_a_new_chat_on_another_day_begins_like_the_last_one() -> None:
    rest = left(text(chat("1a", "Hi")), text(chat("2b", "And you?"), today=TOMORROW))
    assert rest == (
        "2b\nThat is all.\n\nCurrent date: 2026-11-23<|end|><|start|>user<|message|>And you?<|end|><|start|>assistant"
    )


def test_no_word_is_lost() -> None:
    both = [text(chat("1a", "Hi"), order) for order in ("official", "cache")]
    said = ("You are ChatGPT", "Knowledge cutoff", "Current date: 2026-11-22", "Reasoning: medium", "# Valid channels")
    for word in (*said, "# Instructions", "You are an editor.", "/logs/1a", "# Tools", "type read_file"):
        assert [one.count(word) for one in both] == [1, 1]


@pytest.mark.parametrize("request_", [ChatRequest("m", (Message("user", "Hi"),))])
def test_without_instructions_and_tools_the_orders_are_one(request_: ChatRequest) -> None:
    assert text(request_, "official") == text(request_, "cache")


def test_a_call_stands_as_the_model_wrote_it() -> None:
    call = Message("assistant", thinking="I read it.", calls=(ToolCall("c1", "read_file", '{"path":"a"}'),))
    asked = text(chat("1a", "Hi"))
    answered = text(chat("1a", "Hi", call, Message("tool", "text", call_id="c1")))
    written = (
        "<|channel|>analysis<|message|>I read it.<|end|><|start|>assistant"
        '<|channel|>commentary to=functions.read_file <|constrain|>json<|message|>{"path":"a"}<|call|>'
    )
    assert answered.startswith(asked + written)
    rest = "<|start|>functions.read_file to=assistant<|channel|>commentary<|message|>text<|end|><|start|>assistant"
    assert answered == asked + written + rest


def recorded() -> dict[str, Any]:
    if not FIRST_TURN.exists():
        pytest.skip("the recordings are not beside this checkout")
    body: dict[str, Any] = json.loads(FIRST_TURN.read_text())["body"]
    return body | {"model": "fake"}


def test_of_a_new_chat_in_vs_code_little_is_left_to_read() -> None:
    body = recorded()
    new = copy.deepcopy(body)
    chat_id = "31c3efb1-4073-48e3-9bfd-f577132006cc"
    assert chat_id in new["messages"][0]["content"]
    new["messages"][0]["content"] = new["messages"][0]["content"].replace(chat_id, "0" * 36)
    new["messages"][-1]["content"] = new["messages"][-1]["content"].replace("2026-11-22", "2026-11-23")
    texts = [
        text(read_chat(OpenAIChat(**each), FAKE_FILE), today=day) for each, day in ((body, TODAY), (new, TOMORROW))
    ]
    rest = left(*texts)
    own = sum(len(message["content"]) for message in new["messages"][1:])
    assert len(rest) / CHARACTERS_PER_TOKEN < 700
    assert (len(rest) - own) / CHARACTERS_PER_TOKEN < 100
