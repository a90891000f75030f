"""Log-probabilities of a prompt, by both engines: those that the model would have given while writing it."""

import math
from contextlib import aclosing

import pytest

from ossian.chat import CompletionRequest, Done, Event, Sampling, Text
from ossian.engines.local import LocalModel
from ossian.engines.steps import Piece
from ossian.engines.weigh import MOST_WEIGHED
from ossian.errors import BadRequest


async def listen(model: LocalModel, request: CompletionRequest) -> list[Event]:
    async with aclosing(model.complete(request)) as events:
        return [event async for event in events]


async def test_a_prompt_weighs_what_it_weighed_when_it_was_written(model: LocalModel) -> None:
    begun = await model.tokenize("once upon")
    drawn = Sampling(seed=5, logit_bias=dict.fromkeys(range(128, 256), -100.0))
    steps = [step async for step in model._runner.complete(begun, 12, drawn, n_probs=2)]
    written = [step for step in steps if isinstance(step, Piece)]
    tokens = [*begun, *[piece.token for piece in written]]
    aloud = CompletionRequest("tiny", tuple(tokens), max_tokens=0, top_logprobs=2, echo=True)
    text, done = await listen(model, aloud)
    assert isinstance(text, Text) and text.text == await model.detokenize(tokens)
    assert len(text.logprobs) == len(tokens) and math.isnan(text.logprobs[0].logprob)
    for piece, again in zip(written, text.logprobs[len(begun) :], strict=True):
        (one,) = piece.logprobs
        assert (again.text, again.bytes) == (one.text, one.bytes)
        assert again.logprob == pytest.approx(one.logprob, abs=0.05)
        likeliest = [each.logprob for each in one.likeliest]
        assert [each.logprob for each in again.likeliest] == pytest.approx(likeliest, abs=0.05)
    assert isinstance(done, Done) and done.usage.prompt_tokens == len(tokens)


async def test_the_prompt_stands_before_the_answer(model: LocalModel) -> None:
    asked = CompletionRequest("tiny", "once upon", max_tokens=3, sampling=Sampling(seed=5), top_logprobs=0, echo=True)
    first, *_, done = await listen(model, asked)
    assert isinstance(first, Text) and first.text == "once upon" and len(first.logprobs) > 2
    assert isinstance(done, Done) and done.usage.completion_tokens == 3


async def test_too_long_a_prompt_is_refused_with_both_figures(model: LocalModel) -> None:
    asked = CompletionRequest("tiny", (65,) * (MOST_WEIGHED + 1), top_logprobs=1, echo=True)
    with pytest.raises(BadRequest, match=f"{MOST_WEIGHED + 1} tokens; echo together with logprobs takes at most"):
        await listen(model, asked)


async def test_part_of_a_letter_is_weighed_or_refused(model: LocalModel, engine: str) -> None:
    asked = CompletionRequest("tiny", "a\N{UNICORN FACE}", max_tokens=1, top_logprobs=0, echo=True)
    if engine == "native":
        first, *_ = await listen(model, asked)
        assert isinstance(first, Text) and len(first.logprobs) == 5
    else:
        with pytest.raises(BadRequest, match="holds only part of a letter"):
            await listen(model, asked)
