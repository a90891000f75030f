"""What a bound on tokens or a loop would cut short is brought to its end: formats, and calls that must be made."""

import json
import random
from contextlib import aclosing
from typing import Any

import jsonschema
import pytest
from scripted_runner import Speak
from test_structured import CHECKER, SCHEMAS, record

from ossian.chat import ChatRequest, CompletionRequest, Done, Event, Message, Sampling, Text, Thinking, Tool, ToolCall
from ossian.engines.hearing import KEPT_TOKENS
from ossian.engines.local import LocalModel
from ossian.engines.stops import MOST_REPEATS

GO = (Message("user", "Go."),)
BYTES = dict.fromkeys(range(128, 256), -100.0)  # none of these makes a letter by itself
NOTE = record(text={"type": "string"}, n={"type": "integer"})
CALL = ["<|channel|>", "commentary to=functions.note ", "<|constrain|>", "json", "<|message|>"]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def model(shared_model: LocalModel) -> LocalModel:
    return shared_model


def ask(**fields: Any) -> ChatRequest:
    return ChatRequest("tiny", GO, **{"think": False, **fields})


async def listen(model: LocalModel, request: ChatRequest | CompletionRequest) -> tuple[list[Event], Done]:
    opened = model.chat(request) if isinstance(request, ChatRequest) else model.complete(request)
    async with aclosing(opened) as events:
        *said, done = [event async for event in events]
    assert isinstance(done, Done)
    return said, done


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


@pytest.mark.parametrize("schema", [pytest.param(schema, id=name) for name, schema in SCHEMAS.items()])
async def test_whatever_the_bound_the_schema_is_satisfied(model: LocalModel, schema: dict[str, Any]) -> None:
    for seed, bound in enumerate((220, 250)):
        drawn = Sampling(seed=seed, logit_bias=BYTES)
        said, done = await listen(model, ask(format=schema, max_tokens=bound, sampling=drawn))
        jsonschema.validate(json.loads(text_of(said)), schema, format_checker=CHECKER)
        assert done.usage.completion_tokens <= bound


async def test_raw_text_in_a_format_comes_to_its_end_too(model: LocalModel) -> None:
    drawn = Sampling(seed=1, logit_bias=BYTES)
    said, done = await listen(model, CompletionRequest("tiny", "Go", format=NOTE, max_tokens=60, sampling=drawn))
    jsonschema.validate(json.loads(text_of(said)), NOTE)
    assert done.reason == "length" and done.usage.completion_tokens <= 60


async def test_who_thinks_without_end_leaves_half_of_the_bound_to_the_answer(model: LocalModel) -> None:
    drawn = Sampling(seed=3, logit_bias=BYTES)
    said, done = await listen(model, ask(think=True, format=NOTE, max_tokens=400, sampling=drawn))
    jsonschema.validate(json.loads(text_of(said)), NOTE)
    assert any(isinstance(event, Thinking) for event in said)
    assert done.usage.completion_tokens <= 400


async def test_of_a_large_bound_a_part_is_left_to_the_answer(model: LocalModel, speak: Speak) -> None:
    thought = ["<|channel|>", "analysis", "<|message|>", *random.Random(1).choices("etaoin shrdlu", k=9_000)]
    runner = speak(thought, ['{"text": "x", "n": 1}', "<|return|>"])
    said, done = await listen(model, ask(think=True, format=NOTE))
    assert (text_of(said), done.reason) == ('{"text": "x", "n": 1}', "stop")
    thoughts = [event for event in said if isinstance(event, Thinking)]
    room = model.info.context - len(runner.prompts[0])
    assert len(thoughts) == room - min(KEPT_TOKENS, room // 2) - 3


async def test_a_loop_in_a_string_closes_it(model: LocalModel) -> None:
    letters = Sampling(temperature=0.0, logit_bias={65: 100.0})
    said, done = await listen(model, ask(format=NOTE, sampling=letters))
    note = json.loads(text_of(said))
    assert (len(set(note["text"])), len(note["text"]), note["n"]) == (1, MOST_REPEATS + 1, 0)
    assert done.reason == "length"


async def test_a_required_call_that_is_cut_short_is_made(model: LocalModel, speak: Speak) -> None:
    speak([*CALL, '{"text": "', *["word "] * 100])
    tools = (Tool("note", parameters=NOTE),)
    said, done = await listen(model, ask(tools=tools, tool_choice="required", max_tokens=60))
    (call,) = said
    assert isinstance(call, ToolCall)
    note = json.loads(call.arguments)
    assert set(note["text"].split()) == {"word"} and note["n"] == 0
    assert done.reason == "length" and done.usage.completion_tokens <= 60


async def test_a_call_that_nobody_required_is_never_made_of_half_its_arguments(model: LocalModel, speak: Speak) -> None:
    speak([*CALL, '{"text": "', *["word "] * 100])
    said, done = await listen(model, ask(tools=(Tool("note", parameters=NOTE),), max_tokens=60))
    assert (said, done.reason) == ([], "length")


async def test_what_ends_just_in_time_is_not_cut(model: LocalModel, speak: Speak) -> None:
    speak(['{"text": "', "a", '", "n": ', "1", "}", "<|return|>"])
    said, done = await listen(model, ask(format=NOTE, max_tokens=5))
    assert (text_of(said), done.reason) == ('{"text": "a", "n": 1}', "stop")


async def test_a_bound_that_leaves_no_room_for_any_end_cuts(model: LocalModel) -> None:
    said, done = await listen(model, ask(format=NOTE, max_tokens=4))
    assert done.reason == "length" and done.usage.completion_tokens == 4
    assert text_of(said).startswith("{")


async def test_a_letter_of_several_tokens_breaks_no_bound(model: LocalModel) -> None:
    unicorns = Sampling(temperature=0.0, presence_penalty=50.0, repeat_last_n=3)
    biased = {token: 200.0 - 40 * place for place, token in enumerate(await model.tokenize("🦄"))}
    drawn = Sampling(**{**{name: getattr(unicorns, name) for name in unicorns.__slots__}, "logit_bias": biased})
    for bound in range(60, 66):
        said, done = await listen(model, ask(format=NOTE, max_tokens=bound, sampling=drawn))
        jsonschema.validate(json.loads(text_of(said)), NOTE)
        assert done.usage.completion_tokens <= bound


async def test_a_thought_that_fills_the_context_ends_the_answer(model: LocalModel, speak: Speak) -> None:
    word = "a thought that is longer than its token "
    speak(["<|channel|>", "analysis", "<|message|>", *(f"{word}{number}" for number in range(9_000))])
    said, done = await listen(model, ask(think=True, format=NOTE))
    assert (text_of(said), done.reason) == ("", "length")


async def test_a_header_that_a_thought_begins_is_part_of_the_thought(model: LocalModel, speak: Speak) -> None:
    thought = [
        "<|channel|>",
        "analysis",
        "<|message|>",
        "So",
        "<|channel|>",
        " final ",
        "<|message|>",
        "No!",
        "<|end|>",
    ]
    speak(
        [
            *thought,
            "<|start|>",
            "assistant",
            "<|channel|>",
            "final",
            "<|message|>",
            '{"text": "x", "n": 1}',
            "<|return|>",
        ]
    )
    said, done = await listen(model, ask(think=True, format=NOTE))
    assert "".join(event.text for event in said if isinstance(event, Thinking)) == "So final No!"
    assert (text_of(said), done.reason) == ('{"text": "x", "n": 1}', "stop")
