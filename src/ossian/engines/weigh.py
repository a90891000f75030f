"""How likely each token of a prompt was: the engine is made to draw them one by one. Knows nothing of answers."""

import math
from collections.abc import Sequence
from contextlib import aclosing

from ossian.chat import Logprob, Sampling
from ossian.engines.hearing import trim
from ossian.engines.runner import Runner
from ossian.engines.steps import Piece
from ossian.errors import BadRequest

MOST_WEIGHED = 256  # each token takes as long as a written one: half a minute with gpt-oss on two cores
FORCE = 10_000.0  # added to a logit; log-probabilities are taken before it


async def weigh(runner: Runner, tokens: Sequence[int], begun: int, likeliest: int) -> tuple[Logprob, ...]:
    """Log-probabilities of all tokens but the first `begun`; of the very first there is none (not a number).

    Raises BadRequest where there are too many, or one holds only part of a letter and the engine does not say.
    """
    if len(tokens) - begun > MOST_WEIGHED:
        raise BadRequest(
            f"the prompt has {len(tokens) - begun} tokens; echo together with logprobs takes at most {MOST_WEIGHED}."
        )
    first = [Logprob(await runner.detokenize(tokens[:1]), math.nan)] if tokens and not begun else []
    return (*first, *[await draw(runner, tokens[: at + 1], likeliest) for at in range(max(1, begun), len(tokens))])


async def draw(runner: Runner, tokens: Sequence[int], likeliest: int) -> Logprob:
    """The last token, drawn by force behind the others, which come from the engine's cache."""
    *before, token = tokens
    forced = Sampling(temperature=0.0, logit_bias={token: FORCE})
    async with aclosing(runner.complete(before, 1, forced, n_probs=max(1, likeliest))) as steps:
        found = [trim(step, likeliest).logprobs async for step in steps if isinstance(step, Piece)]
    if not found or not found[0]:
        raise BadRequest(
            f"llama.cpp tells no log-probability of token {token} of the prompt, which holds only part of a letter.",
            "Ask without echo or without logprobs.",
        )
    return found[0][0]
