"""Several answers to one request, and the weights a caller puts on tokens: what OpenAI's doors have in common."""

import re
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from ossian.api.desk import Desk
from ossian.api.dialects import Refusal
from ossian.api.prompts import LARGEST_TOKEN
from ossian.chat import ChatRequest, CompletionRequest, Events, Sampling
from ossian.errors import BadRequest
from ossian.store.catalogue import ModelFile

MOST_CHOICES = 128
LARGEST_BIAS = 100
SEEDS = 2**32


async def answer_in_turn(
    desk: Desk, file: ModelFile, asked: Sequence[ChatRequest | CompletionRequest], *, list_sources: bool = False
) -> Events:
    """One answer after another, each ending with its Done.

    Together they would read one prompt several times; so all but the first find it in the cache, and other callers
    get their turn in between.
    """
    for request in asked:
        async with aclosing(desk.ask(request, file, list_sources=list_sources)) as events:
            async for event in events:
                yield event


def refuse_obfuscation(asked: bool) -> None:
    if asked:
        field = "stream_options.include_obfuscation"
        raise Refusal(f"{field} is not supported: nothing is padded", field)


def read_logit_bias(given: Mapping[str, Any], vocabulary: int = 0) -> dict[int, float]:
    """What is added to the logits of tokens that the model knows, by their ids."""
    largest = vocabulary - 1 if vocabulary else LARGEST_TOKEN
    for token, bias in given.items():
        if not re.fullmatch("[0-9]{1,10}", token) or int(token) > largest:
            raise BadRequest(f'logit_bias: "{token}" is no token id')
        if isinstance(bias, bool) or not isinstance(bias, (int, float)) or not abs(bias) <= LARGEST_BIAS:
            raise BadRequest(f"logit_bias of {token} must be a number from -{LARGEST_BIAS} to {LARGEST_BIAS}")
    return {int(token): float(bias) for token, bias in given.items()}


def reseed(sampling: Sampling, number: int) -> Sampling:
    """A seed of its own for each choice, or all of them would be the same."""
    return sampling if sampling.seed is None else replace(sampling, seed=(sampling.seed + number) % SEEDS)
