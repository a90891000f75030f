"""The order that serves the cache: what is the same in every chat comes first, nothing is lost, turns only append."""

import datetime
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest
from official_tokens import encode

from ossian.chat import ChatRequest, Message, Tool, ToolCall
from ossian.harmony.order import part
from ossian.harmony.render import Prompt, Special, Written, render, render_opening, render_past, spell

TODAY = datetime.date(2026, 11, 22)
LATER = datetime.date(2026, 11, 25)
RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"
ORDERS = ("official", "cache")

LOG = "- LOG: /home/me/logs/0e9c2d4b-91aa-4f0e-8a53-6b1f0c7de218"
SYSTEM = f"You are kind.\n- HOME: /home/me\n{LOG}\nPut them in where they are named."
CONTEXT = Message("user", "I work on a.py.")
QUESTION = Message("user", "What is in a.py?")
READ = Tool("read_file", "Read a file.", {"type": "object", "properties": {"path": {"type": "string"}}})
CALL = ToolCall("call_1", "read_file", '{"path": "a.py"}')
RESULT = Message("tool", "print(1)", call_id="call_1")
OPENED = "<|start|>assistant"
DATELESS = """<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06

Reasoning: medium

# Valid channels: analysis, commentary, final. Channel must be included for every message.
Calls to these tools must go to the commentary channel: 'functions'.<|end|>"""
STEADY = """<|start|>developer<|message|># Tools

## functions

namespace functions {

// Read a file.
type read_file = (_: {
path?: string,
}) => any;

} // namespace functions

# Instructions

You are kind.
- HOME: /home/me
Put them in where they are named."""


def ask(*messages: Message, tools: tuple[Tool, ...] = (READ,)) -> ChatRequest:
    return ChatRequest("gpt-oss:20b", messages, tools)


def past(*messages: Message, lean: bool = False) -> str:
    return spell(render_past(ask(*messages), today=TODAY, order="cache", lean=lean))


def test_an_editors_chat_begins_with_what_all_its_chats_share():
    prompt = render(ask(Message("system", SYSTEM), CONTEXT, QUESTION), today=TODAY, order="cache")
    assert spell(prompt) == (
        f"{DATELESS}{STEADY}<|end|>"
        "<|start|>user<|message|>I work on a.py.<|end|>"
        f"<|start|>developer<|message|># Instructions\n\n{LOG}\nCurrent date: 2026-11-22<|end|>"
        "<|start|>user<|message|>What is in a.py?<|end|><|start|>assistant"
    )


def test_what_changes_ends_the_instructions_where_the_person_speaks_at_once():
    turns = "<|start|>user<|message|>What is in a.py?<|end|>"
    closing = f"\n\n{LOG}\nCurrent date: 2026-11-22<|end|>"
    assert past(Message("system", SYSTEM), QUESTION) == f"{DATELESS}{STEADY}{closing}{turns}"


def test_without_tools_and_instructions_the_order_is_the_official_one():
    request = ask(QUESTION, tools=())
    assert render(request, today=TODAY, order="cache") == render(request, today=TODAY, order="official")


def test_instructions_in_mid_conversation_stay_there():
    later = Message("system", "Answer in verse.")
    said = past(QUESTION, Message("assistant", "A line."), later, QUESTION)
    assert (
        "final<|message|>A line.<|end|><|start|>developer<|message|># Instructions\n\nAnswer in verse.<|end|>" in said
    )


@pytest.mark.parametrize("system", ["", "Be kind.", SYSTEM, "Today is 2026-11-22.", f"{LOG}\n```\n{LOG}\n```\n{LOG}"])
def test_both_orders_say_the_same_lines(system):
    request = ask(Message("system", system), CONTEXT, QUESTION, Message("developer", "Now shorter."), QUESTION)
    official, ours = (lines_of(render(request, today=TODAY, order=order)) for order in ORDERS)
    assert official - ours == Counter()
    assert set(ours - official) <= {"# Instructions", "developer"}


def lines_of(prompt: Prompt) -> Counter[str]:
    texts = [piece for piece in prompt if isinstance(piece, str)]
    return Counter(line for text in texts for line in text.split("\n") if line)


@pytest.mark.parametrize(
    ("line", "moves"),
    [
        pytest.param(LOG, True, id="a UUID in a path"),
        pytest.param("Commit: 95a7c13977b4e3a7fc756b3fe3d6f9155db1a43f", True, id="a hash"),
        pytest.param("Session 01JD9ZKX4T8Q6V2M3N5P7R9S0W", True, id="an id of letters and digits"),
        pytest.param("Started at 1795305600", True, id="seconds since 1970"),
        pytest.param("Today's date: 2026-11-22", True, id="today"),
        pytest.param("<date>2026-11-20T10:00:00Z</date>", True, id="two days ago"),
        pytest.param("It is Sunday, November 22, 2026.", True, id="in words"),
        pytest.param("Today's date: Sun Nov 22 2026", True, id="as JavaScript writes it"),
        pytest.param("on 22 Nov. 2026", True, id="the day first"),
        pytest.param("anthropic-version: 2023-06-01", False, id="a date long past"),
        pytest.param("Use 2026-13-45 as an example", False, id="no date"),
        pytest.param("The limit is 1048576 bytes", False, id="a short number"),
        pytest.param("Prefer useEffectEvent and applyPatchInstructions", False, id="long words"),
        pytest.param("May 1 2020 was a Friday", False, id="another year"),
    ],
)
def test_a_line_moves_when_it_is_the_chats_own(line, moves):
    assert part(f"Be kind.\n{line}\nBye.", TODAY) == (
        ("Be kind.\nBye.", line) if moves else (f"Be kind.\n{line}\nBye.", "")
    )


def test_examples_and_data_keep_their_places():
    code = f"Write so:\n```\n{LOG}\n```"
    data = "\n".join([LOG] * 9)
    assert part(code, TODAY) == (code, "")
    assert part(data, TODAY) == (data, "")


def test_thoughts_before_calls_stay_and_those_before_an_answer_go():
    turns = (
        QUESTION,
        Message("assistant", thinking="I look.", calls=(CALL,)),
        RESULT,
        Message("assistant", "It prints 1.", thinking="Easy."),
        QUESTION,
    )
    said = past(*turns)
    assert "I look." in said and "Easy." not in said
    assert "I look." not in past(*turns, lean=True)


def test_a_turn_in_the_models_own_tokens_is_put_back_as_it_is():
    turn = Message("assistant", thinking="I look.", calls=(CALL,), written=(7, 8, 9))
    answered = ask(QUESTION, turn, RESULT, Message("assistant", "1."), QUESTION)
    assert Written((7, 8, 9)) in render_past(answered, today=TODAY, order="cache")
    assert Written((7, 8, 9)) not in render_past(answered, today=TODAY, order="cache", lean=True)
    assert "I look." not in spell(render_past(answered, today=TODAY, order="cache"))
    assert not [piece for piece in render(answered, today=TODAY, order="official") if isinstance(piece, Written)]


def test_every_turn_of_a_chat_begins_with_all_of_the_one_before():
    """But for the thought behind a final answer, which goes."""
    turns = (
        Message("system", SYSTEM),
        CONTEXT,
        QUESTION,
        Message("assistant", thinking="I look.", calls=(CALL,), written=(7, 8, 9)),
        RESULT,
        Message("assistant", "It prints 1."),
        Message("user", "Thank you."),
        Message("assistant", "At any time."),
        Message("system", "Be brief."),
        QUESTION,
    )
    ends = [index + 1 for index, turn in enumerate(turns) if turn.role in ("user", "tool")][1:]
    prompts = [render_past(ask(*turns[:end]), today=TODAY, order="cache") for end in ends]
    for shorter, longer in pairwise(prompts):
        assert longer[: len(shorter)] == shorter


def read_recording(turn: str) -> ChatRequest:
    """A turn of a real VS Code's agent mode, which lies beside the project."""
    path = RECORDINGS / f"vscode_1_139_agent_{turn}_turn.json"
    if not path.exists():
        pytest.skip(f"the editor's recording is not here: {path}")
    body = json.loads(path.read_text())["body"]
    tools = tuple(Tool(**row["function"]) for row in body["tools"])
    return ask(*(Message(turn["role"], turn["content"]) for turn in body["messages"]), tools=tools)


@pytest.fixture(scope="module")
def agent() -> ChatRequest:
    return read_recording("first")


def test_a_later_turn_of_the_agent_begins_with_all_of_the_first(agent):
    first = render_past(agent, today=TODAY, order="cache")
    assert render_past(read_recording("third"), today=TODAY, order="cache")[: len(first)] == first


def in_another_chat(request: ChatRequest) -> ChatRequest:
    """The same, asked three days later in a new chat, in other words."""
    others = {
        "31c3efb1-4073-48e3-9bfd-f577132006cc": "0e9c2d4b-91aa-4f0e-8a53-6b1f0c7de218",
        "2026-11-22": "2026-11-25",
        "case nofinish": "Please explain what demo.py does.",
    }
    texts = [message.content for message in request.messages]
    for old, new in others.items():
        assert any(old in text for text in texts)
        texts = [text.replace(old, new) for text in texts]
    return replace(
        request,
        messages=tuple(replace(turn, content=text) for turn, text in zip(request.messages, texts, strict=True)),
    )


def count_unread(known: list[int], prompt: list[int]) -> int:
    """Tokens of a prompt behind its longest known beginning."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(known, prompt, strict=False))
    return len(prompt) - sum(1 for _ in same)


@pytest.mark.parametrize(("order", "least", "most"), [("cache", 0, 300), ("official", 19_000, 20_000)])
def test_a_new_chat_of_the_agent_reads_little_again(agent, encoding, order, least, most):
    known = encode(render(agent, today=TODAY, order=order), encoding)
    prompt = encode(render(in_another_chat(agent), today=LATER, order=order), encoding)
    assert least <= count_unread(known, prompt) < most


@pytest.mark.parametrize(("order", "least", "most"), [("cache", 0, 20), ("official", 500, 700)])
def test_a_tools_result_is_all_that_the_next_turn_of_the_agent_reads(agent, encoding, order, least, most):
    """Beside the result's own tokens: the header of the result, and in the official order the call once more."""
    patch = ToolCall("call_1", "apply_patch", json.dumps({"input": "\n".join(f"+print({n})" for n in range(100))}))
    known = encode(render(agent, today=TODAY, order=order), encoding)
    written = encode(write_as_the_model(patch), encoding)
    opened = encode(render_opening(agent), encoding)
    turn = Message("assistant", thinking="I write it.", calls=(patch,), written=(*opened, *written))
    result = Message("tool", "Done. " * 100, call_id="call_1")
    prompt = encode(
        render(replace(agent, messages=(*agent.messages, turn, result)), today=TODAY, order=order), encoding
    )
    own_words = len(encode((result.content,), encoding))
    assert least <= count_unread(known + written, prompt) - own_words < most


def write_as_the_model(call: ToolCall) -> Prompt:
    """A thought and a call as gpt-oss writes them: the recipient stands behind the channel."""
    thought = (Special("<|channel|>"), "analysis", Special("<|message|>"), "I write it.", Special("<|end|>"))
    header = (Special("<|start|>"), "assistant", Special("<|channel|>"), f"commentary to=functions.{call.name} ")
    kind: tuple[Any, ...] = (Special("<|constrain|>"), "json", Special("<|message|>"), call.arguments)
    return (*thought, *header, *kind, Special("<|call|>"))
