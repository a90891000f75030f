"""Going on from the tokens of an earlier answer, with a real model."""

import re
from dataclasses import replace

import pytest
from test_local import events_of, text_of

from ossian.chat import ChatRequest, CompletionRequest, Done, Message, Sampling
from ossian.engines.local import LocalModel
from ossian.native.cache import BLOCK_TOKENS

HELLO = (Message("system", "Be kind."), Message("user", "hello"))
SAID = 'a\U0001f389é" b'
ASKED = ChatRequest("tiny", HELLO, think=False, format={"enum": [SAID]}, sampling=Sampling(seed=1), keep_tokens=True)


async def done_of(model: LocalModel, request: ChatRequest | CompletionRequest) -> Done:
    done = (await events_of(model, request))[-1]
    assert isinstance(done, Done)
    return done


async def test_the_tokens_of_an_answer_are_its_prompt_and_all_that_was_written(model: LocalModel) -> None:
    done = await done_of(model, ASKED)
    assert len(done.tokens) == done.usage.prompt_tokens + done.usage.completion_tokens
    text = await model.detokenize(done.tokens)
    assert text.startswith("<|start|>system<|message|>You are ChatGPT")
    assert '<|message|>hello<|end|><|start|>assistant<|channel|>final<|message|>"a\U0001f389é\\" b"' in text


async def test_nothing_is_kept_for_who_does_not_want_it(model: LocalModel) -> None:
    assert (await done_of(model, replace(ASKED, keep_tokens=False))).tokens == ()


@pytest.mark.parametrize("bound", [None, 2])
async def test_a_conversation_goes_on_from_its_tokens(model: LocalModel, bound: int | None) -> None:
    first = await done_of(model, replace(ASKED, max_tokens=bound))
    again = await done_of(
        model, replace(ASKED, messages=(Message("user", "and now?"),), past=first.tokens, max_tokens=bound)
    )
    assert again.usage.cached_tokens >= (len(first.tokens) - 2) // BLOCK_TOKENS * BLOCK_TOKENS
    text = await model.detokenize(again.tokens)
    assert text.count("<|start|>system") == text.count("Be kind.") == 1
    ended = await model.detokenize(first.tokens)
    past = re.sub(r"<\|(return|call|end)\|>$", "", ended) + "<|end|>"
    assert text.startswith(past + "<|start|>user<|message|>and now?<|end|><|start|>assistant")


async def test_the_past_is_counted(model: LocalModel) -> None:
    request = ChatRequest("tiny", (Message("user", "hello"),), think=False, past=(5, 6, 7))
    done = await done_of(model, replace(request, max_tokens=1))
    assert await model.count(request) == done.usage.prompt_tokens


async def test_raw_text_goes_on_too(model: LocalModel) -> None:
    request = CompletionRequest("tiny", "b", max_tokens=3, past=(97,), keep_tokens=True)
    *_, done = events = await events_of(model, request)
    assert isinstance(done, Done)
    assert await model.detokenize(done.tokens) == "ab" + text_of(events)


async def test_thinking_is_counted_apart(model: LocalModel) -> None:
    prefill = Message("assistant", thinking="So")
    thought = await done_of(model, ChatRequest("tiny", (*HELLO, prefill), max_tokens=5, sampling=Sampling(seed=3)))
    silent = await done_of(model, ChatRequest("tiny", HELLO, think=False, max_tokens=5, sampling=Sampling(seed=3)))
    assert (thought.usage.completion_tokens, thought.usage.thinking_tokens) == (5, 5)
    assert (silent.usage.completion_tokens, silent.usage.thinking_tokens) == (5, 0)
