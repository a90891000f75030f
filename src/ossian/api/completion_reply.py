"""Answers in the words of OpenAI's older API: chunks of a stream, or the whole of them."""

import codecs
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from ossian.api.dialects import COMPLETIONS
from ossian.api.openai_reply import write_usage
from ossian.chat import Done, Event, Logprob, Text, Usage
from ossian.errors import OssianError

Words = dict[str, Any]
LEAST_LOGPROB = -9999.0  # what OpenAI writes for a token that cannot be; JSON has no infinity


class Offsets:
    """Where each token begins in the text of its choice, in characters. One may hold only part of a character."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._characters = 0

    def pass_by(self, token: Logprob) -> int:
        """Where this token begins, and the next one after it."""
        begin = self._characters
        self._characters += len(self._decoder.decode(token.bytes or token.text.encode()))
        return begin


@dataclass(slots=True)
class CompletionReply:
    """`choices` answers that come one after another, each ending with its Done; so many `per_prompt`."""

    model: str
    choices: int = 1
    per_prompt: int = 1
    include_usage: bool = False
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    index: int = 0
    usage: Usage = field(default_factory=Usage)
    offsets: Offsets = field(default_factory=Offsets)

    def write_event(self, event: Event) -> Iterator[Words]:
        match event:
            case Text(text, logprobs):
                yield self.write_chunk(text, write_logprobs(logprobs, self.offsets))
            case Done():
                yield self.write_chunk("", None, event.reason)
                self.begin_next(event.usage)
                if self.include_usage and self.index == self.choices:
                    yield {**self.write_head(), "choices": [], "usage": write_usage(self.usage)}

    def begin_next(self, usage: Usage) -> None:
        """Count a choice that is over. What all choices of a prompt have read counts once."""
        first = self.index % self.per_prompt == 0
        self.usage = Usage(
            prompt_tokens=self.usage.prompt_tokens + (usage.prompt_tokens if first else 0),
            cached_tokens=self.usage.cached_tokens + (usage.cached_tokens if first else 0),
            completion_tokens=self.usage.completion_tokens + usage.completion_tokens,
        )
        self.index += 1
        self.offsets = Offsets()

    def write_failure(self, error: OssianError) -> Iterator[Words]:
        yield COMPLETIONS.write_error(error)

    def write_whole(self, chunks: Iterable[Words]) -> Words:
        """All chunks as one object."""
        pieces: list[list[Words]] = [[] for _ in range(self.choices)]
        for chunk in chunks:
            for choice in chunk["choices"]:
                pieces[choice["index"]].append(choice)
        return {**self.write_head(), "choices": list(map(join, pieces)), "usage": write_usage(self.usage)}

    def write_chunk(self, text: str, logprobs: Words | None, finish_reason: str | None = None) -> Words:
        choice = {"text": text, "index": self.index, "logprobs": logprobs, "finish_reason": finish_reason}
        return {**self.write_head(), "choices": [choice]}

    def write_head(self) -> Words:
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "fp_ossian",
        }


def join(pieces: Sequence[Words]) -> Words:
    """A choice out of its pieces, of which the last one says how it ended."""
    likely = [piece["logprobs"] for piece in pieces if piece["logprobs"]]
    logprobs = {name: [entry for lists in likely for entry in lists[name]] for name in likely[0]} if likely else None
    return {**pieces[-1], "text": "".join(piece["text"] for piece in pieces), "logprobs": logprobs}


def write_logprobs(tokens: Sequence[Logprob], offsets: Offsets) -> Words | None:
    """Four lists, in which the token that was drawn stands among the likeliest, as OpenAI has it."""
    if not tokens:
        return None
    return {
        "tokens": [write_token(token) for token in tokens],
        "token_logprobs": [None if isnan(token.logprob) else max(LEAST_LOGPROB, token.logprob) for token in tokens],
        "top_logprobs": [write_likeliest(token) for token in tokens],
        "text_offset": [offsets.pass_by(token) for token in tokens],
    }


def write_likeliest(token: Logprob) -> dict[str, float] | None:
    if not token.likeliest:
        return None
    return {write_token(each): max(LEAST_LOGPROB, each.logprob) for each in (*token.likeliest, token)}


def write_token(token: Logprob) -> str:
    r"""A token's text; its bytes where they are only part of a character, as OpenAI writes them.

    >>> write_token(Logprob(" so", -0.5, b" so")), write_token(Logprob("", -0.5, b"\xe2\x82"))
    (' so', 'bytes:\\xe2\\x82')
    """
    try:
        return token.bytes.decode() or token.text
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.bytes)
