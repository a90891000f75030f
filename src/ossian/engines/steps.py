"""What llama.cpp's server says, read: the steps of a completion, its end, and why it refuses. Pure."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from ossian.chat import Logprob
from ossian.errors import BadRequest, ContextTooLong, ModelFailed, OssianError, SchemaNotSupported

TOO_LONG = "exceed_context_size_error"
LOG_TAIL_CHARACTERS = 4_000
LAST_WORDS = "exiting due to model loading error"
# llama.cpp begins a line with the time, a letter for its level and the function: "0.00.007.996 E srv init: …"
LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] (?:[\w ]+: )?")
UNREADABLE = re.compile(r"does not match the expected|[Ff]ailed to parse input")
NO_PARSER = "Unable to generate parser for this template. Automatic parser generation failed: "


class Unreadable(ModelFailed):
    """llama.cpp's parser of thinking and calls could not make sense of what the model wrote."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One step of a completion: a token's id, the text that became readable with it, and how likely it was.

    A character can take several tokens, of which only the last has a piece; `written` counts all up to here or is 0.
    `cached` of the prompt's tokens were known before.
    """

    token: int
    text: str
    logprobs: tuple[Logprob, ...] = ()
    written: int = 0
    cached: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Timings:
    """The end of a completion. Counts are tokens, times seconds; `limit` says that the bound on tokens ended it.

    Of the tokens written, `kept_tokens` were guessed before, and `guessed_tokens` is how many were guessed in all.
    """

    cached_tokens: int
    prompt_tokens: int
    completion_tokens: int
    prompt_seconds: float
    completion_seconds: float
    limit: bool
    guessed_tokens: int = 0
    kept_tokens: int = 0


async def read_lines(stream: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Lines, each ending with a line feed; httpx ends them at U+2028 too, which a text may hold."""
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode()
    yield rest.decode()


def read_line(line: str) -> dict[str, Any] | None:
    """What one line of an event stream says; blank lines and the mark of its end are None. Raises what it refuses."""
    kind, _, text = line.partition(": ")
    if kind == "error":
        raise read_failure(text)
    if kind != "data" or not text.startswith("{"):
        return None
    data: dict[str, Any] = json.loads(text)
    if "error" in data:
        raise read_failure(text)
    return data


def read_failure(body: str) -> ModelFailed:
    """What went wrong in the middle of an answer."""
    reason = read_error(body.encode())
    kind = Unreadable if UNREADABLE.search(reason) else ModelFailed
    return kind(f"the engine failed: {reason}.")


def read_step(step: dict[str, Any], cached: int = 0) -> Piece | Timings | None:
    """Read one step of a completion of whose prompt so many tokens were known; progress reports are None."""
    if step["stop"]:
        return read_timings(step["timings"], limit=step.get("stop_type") == "limit")
    if "prompt_progress" in step or not (step["tokens"] or step["content"]):
        return None
    likely = tuple(read_logprob(entry) for entry in step.get("completion_probabilities", ()))
    token = step["tokens"][-1] if step["tokens"] else -1
    return Piece(token, step["content"], likely, step.get("tokens_predicted", 0), cached)


def read_cached(step: dict[str, Any], before: int) -> int:
    """How many of a prompt's tokens were known, as a progress report says; other steps change nothing."""
    return int(step.get("prompt_progress", {}).get("cache", before))


def read_logprob(entry: dict[str, Any]) -> Logprob:
    likeliest = tuple(read_logprob(other) for other in entry.get("top_logprobs", ()))
    return Logprob(entry["token"], entry["logprob"], bytes(entry["bytes"]), likeliest)


def read_timings(timings: dict[str, Any], *, limit: bool) -> Timings:
    return Timings(
        cached_tokens=timings["cache_n"],
        prompt_tokens=timings["cache_n"] + timings["prompt_n"],
        completion_tokens=timings["predicted_n"],
        prompt_seconds=timings["prompt_ms"] / 1000,
        completion_seconds=timings["predicted_ms"] / 1000,
        limit=limit,
        guessed_tokens=timings.get("draft_n", 0),
        kept_tokens=timings.get("draft_n_accepted", 0),
    )


def read_refusal(body: bytes) -> OssianError:
    """Why the engine refuses: a prompt's length, a schema or a conversation of the caller's, or its own reasons."""
    reason, kind = read_error(body), read_kind(body)
    if kind == TOO_LONG:
        error = json.loads(body)["error"]
        return ContextTooLong(error["n_prompt_tokens"], error["n_ctx"])
    if re.search(r"grammar|samplers|JSON schema", reason):
        return SchemaNotSupported(f"the engine cannot read it ({reason.removeprefix(NO_PARSER)})")
    if kind == "invalid_request_error":
        return BadRequest(f"the model's chat template, or the engine, refuses this: {read_exception(reason)}.")
    return ModelFailed(f"the engine failed: {reason}.")


def read_exception(reason: str) -> str:
    """What a chat template itself said, without the engine's view of its source."""
    return reason.rpartition("Jinja Exception: ")[2].rpartition("\nError: ")[2].removeprefix(NO_PARSER).strip()


def read_kind(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["type"])
    except (ValueError, KeyError, TypeError):
        return ""


def read_error(body: bytes) -> str:
    """llama.cpp's sentence out of an error body."""
    try:
        return str(json.loads(body)["error"]["message"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip().rstrip(".") or "it gave no reason"


def read_last_words(log: str) -> str:
    """The last line of an engine's log that sounds like a reason, without this machine's paths."""
    reasons = [
        line for line in log[-LOG_TAIL_CHARACTERS:].splitlines() if re.search(r"error|fail|unknown|cannot|memory", line)
    ]
    reasons = [line for line in reasons if LAST_WORDS not in line] or reasons
    plain = LOG_PREFIX.sub("", reasons[-1].strip()) if reasons else ""
    return re.sub(r"(/[\w.+-]+)+/", "", plain).removeprefix("error: ").rstrip(".")
