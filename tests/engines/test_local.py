"""gpt-oss through the runner. The tiny model's words mean nothing, so only what must hold for any words is tested."""

import json
from contextlib import aclosing
from dataclasses import replace

import pytest

from ossian.chat import ChatRequest, CompletionRequest, Done, Event, Message, Sampling, Text, Thinking, Tool
from ossian.engines.local import LocalModel
from ossian.engines.stops import LOOP_TOKENS, MOST_REPEATS
from ossian.errors import ContextTooLong
from ossian.native.cache import BLOCK_TOKENS

HELLO = (Message("user", "hello"),)


async def events_of(model: LocalModel, request: ChatRequest | CompletionRequest) -> list[Event]:
    opened = model.chat(request) if isinstance(request, ChatRequest) else model.complete(request)
    async with aclosing(opened) as events:
        return [event async for event in events]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


async def test_the_bound_on_tokens_ends_the_answer(model: LocalModel) -> None:
    events = await events_of(model, ChatRequest("tiny", HELLO, think=False, max_tokens=5))
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.reason, done.usage.completion_tokens) == ("length", 5)
    assert done.usage.prompt_seconds > 0 and done.usage.completion_seconds > 0


async def test_without_thinking_none_is_made(model: LocalModel) -> None:
    events = await events_of(model, ChatRequest("tiny", HELLO, think=False, max_tokens=40))
    assert not [event for event in events if isinstance(event, Thinking)]


async def test_no_tag_leaks_whatever_the_model_says(model: LocalModel) -> None:
    for seed in range(5):
        request = ChatRequest("tiny", HELLO, max_tokens=200, sampling=Sampling(seed=seed, temperature=2.0))
        events = await events_of(model, request)
        said = "".join(event.text for event in events if isinstance(event, Text | Thinking))
        assert "<|" + "channel|>" not in said and "<|" + "start|>" not in said


async def test_a_prompt_that_is_too_long_is_refused_with_both_figures(model: LocalModel) -> None:
    with pytest.raises(ContextTooLong) as error:
        await events_of(model, ChatRequest("tiny", (Message("user", "word " * 20_000),)))
    assert error.value.prompt_tokens > 20_000
    assert error.value.context == 8192


async def test_a_schema_binds_the_final_answer(model: LocalModel) -> None:
    schema = {
        "type": "object",
        "properties": {"yes": {"type": "boolean"}},
        "required": ["yes"],
        "additionalProperties": False,
    }
    request = ChatRequest("tiny", HELLO, think=False, format=schema, sampling=Sampling(seed=1), max_tokens=400)
    assert json.loads(text_of(await events_of(model, request)))["yes"] in (True, False)


async def test_a_stop_string_ends_the_answer_and_is_not_shown(model: LocalModel) -> None:
    request = CompletionRequest("tiny", "hello", max_tokens=40, sampling=Sampling(temperature=0.0))
    whole = text_of(await events_of(model, request))
    stop = whole[10:13]
    events = await events_of(
        model, CompletionRequest("tiny", "hello", max_tokens=40, stop=(stop,), sampling=Sampling(temperature=0.0))
    )
    assert text_of(events) == whole[: whole.index(stop)]
    assert isinstance(events[-1], Done) and events[-1].reason == "stop"


async def test_a_loop_of_one_token_ends_with_a_proper_end(model: LocalModel) -> None:
    request = CompletionRequest("tiny", "Go", sampling=Sampling(logit_bias={65: 100.0}))
    *said, done = await events_of(model, request)
    assert isinstance(done, Done) and done.reason == "length"
    assert done.usage.completion_tokens == len(said) == MOST_REPEATS + 1


async def test_a_cache_is_warmed_without_a_word(model: LocalModel) -> None:
    warm = CompletionRequest("tiny", "def f(x):\n" * 20, "\nf(2)", max_tokens=0, sampling=Sampling(samplers=()))
    (done,) = await events_of(model, warm)
    assert isinstance(done, Done) and done.reason == "length"
    *_, done = await events_of(model, replace(warm, max_tokens=1))
    assert isinstance(done, Done) and done.usage.cached_tokens > done.usage.prompt_tokens - 10 - BLOCK_TOKENS


async def test_samplers_are_used_as_asked(model: LocalModel) -> None:
    hot = CompletionRequest("tiny", "Go", max_tokens=9, sampling=Sampling(top_k=1, temperature=2.0, seed=1))
    greedy = text_of(await events_of(model, hot))
    only_temperature = replace(hot, sampling=replace(hot.sampling, samplers=("temperature",)))
    only_top_k = replace(hot, sampling=replace(hot.sampling, samplers=("top_k",), seed=2))
    assert text_of(await events_of(model, only_temperature)) != greedy == text_of(await events_of(model, only_top_k))


async def test_a_bound_on_the_time_of_writing_ends_with_the_line(model: LocalModel) -> None:
    bound = CompletionRequest("tiny", "Go", writing_seconds=0.001, sampling=Sampling(logit_bias={10: 100.0, 11: 99.0}))
    *_, done = await events_of(model, bound)
    assert isinstance(done, Done) and done.reason == "length"
    assert done.usage.completion_tokens < MOST_REPEATS


async def test_a_loop_of_several_tokens_ends_so_too(model: LocalModel) -> None:
    by_turns = Sampling(temperature=0.0, presence_penalty=50.0, repeat_last_n=1, logit_bias={65: 1000.0, 66: 1000.0})
    *said, done = await events_of(model, CompletionRequest("tiny", "Go", sampling=by_turns))
    assert isinstance(done, Done) and done.reason == "length"
    assert done.usage.completion_tokens == len(said) == LOOP_TOKENS
    assert len(set(text_of(said).split(text_of(said[:2])))) == 1


async def test_tools_that_may_not_be_called_are_not_counted(model: LocalModel) -> None:
    offered = ChatRequest("tiny", HELLO, tools=(Tool("now"),))
    barred, bare = replace(offered, tool_choice="none"), replace(offered, tools=())
    assert await model.count(barred) == await model.count(bare) < await model.count(offered)
