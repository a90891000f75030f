"""Log-probabilities: how many are asked for, and how they are written. The same on every door but the oldest."""

from collections.abc import Iterable
from typing import Any

from ossian.chat import Logprob
from ossian.errors import BadRequest

MOST_LOGPROBS = 20


def read_top_logprobs(wanted: bool, likeliest: int) -> int | None:
    """How many likeliest tokens are asked for beside each token; None when no log-probabilities are."""
    if not 0 <= likeliest <= MOST_LOGPROBS:
        raise BadRequest(f"top_logprobs must be between 0 and {MOST_LOGPROBS}")
    return likeliest if wanted else None


def write_logprobs(logprobs: Iterable[Logprob]) -> list[dict[str, Any]]:
    return [
        write_logprob(token) | {"top_logprobs": [write_logprob(choice) for choice in token.likeliest]}
        for token in logprobs
    ]


def write_logprob(token: Logprob) -> dict[str, Any]:
    return {"token": token.text, "logprob": token.logprob, "bytes": list(token.bytes or token.text.encode())}
