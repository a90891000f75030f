"""Ask over /api/chat and show the answer while it comes: thinking dim, the answer plain, figures at the end."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, Self

from rich.text import Text

from ossian.cli.client import Client, ServerBroke
from ossian.cli.terminal import err, out, printable, waiting

NS = 1_000_000_000
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Manner:
    """How to ask and what to show. None leaves a thing to the server."""

    think: bool | str | None = None
    show_thinking: bool = True
    verbose: bool = False
    format: str | None = None
    keep_alive: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    documents: tuple[str, ...] = ()


def request_body(model: str, messages: Sequence[Message], manner: Manner) -> dict[str, Any]:
    """The body of /api/chat; what the person did not set is left out."""
    wanted = {
        "think": manner.think,
        "format": manner.format,
        "keep_alive": manner.keep_alive,
        "options": manner.options or None,
        "documents": list(manner.documents) or None,
    }
    return {"model": model, "messages": list(messages)} | {k: v for k, v in wanted.items() if v is not None}


@dataclass(slots=True)
class Answer:
    """What came of an answer, whether the person stopped it, and the passages it was given."""

    text: str = ""
    stopped: bool = False
    sources: list[dict[str, Any]] = field(default_factory=list)


def answer_aloud(client: Client, model: str, messages: Sequence[Message], manner: Manner) -> Answer:
    """Show an answer as it comes and give it back. Ctrl+C stops the model; what came is kept."""
    answer = Answer()
    step: dict[str, Any] = {"done": False}
    with closing(client.stream("/api/chat", request_body(model, messages, manner))) as steps:
        try:
            with Shown(manner.show_thinking) as shown:
                for step in steps:
                    message = step["message"]
                    answer.text += message["content"]
                    shown.show("thinking", message.get("thinking", ""))
                    shown.show("content", message["content"])
        except KeyboardInterrupt:
            err.print("(stopped)", style="dim")
            answer.stopped = True
            return answer
    if not step["done"]:
        raise ServerBroke(client.settings)
    answer.sources = step.get("sources", [])
    if manner.verbose:
        err.print(figures(step), style="dim", markup=False)
    return answer


class Shown:
    """What stands on the screen: a sign of life, then a line of thinking, then the answer."""

    def __init__(self, show_thinking: bool) -> None:
        self._show_thinking = show_thinking and sys.stderr.isatty()
        self._write = printable if sys.stdout.isatty() else str
        self._open = ""
        self._wait = ExitStack()

    def __enter__(self) -> Self:
        self._wait.enter_context(waiting(""))
        return self

    def __exit__(self, *_: object) -> None:
        """Close the last line, however the answer ended."""
        self._wait.close()
        if self._open:
            (out if self._open == "content" else err).print()

    def show(self, part: str, text: str) -> None:
        """Print a piece. Thinking goes to stderr, and only to a terminal: a pipe gets the answer alone."""
        if not text or (part == "thinking" and not self._show_thinking):
            return
        self._wait.close()
        if self._open == "thinking" and part == "content":
            err.print("\n")
        self._open = part
        if part == "thinking":
            err.print(Text(printable(text), style="dim italic"), end="")
        else:
            sys.stdout.write(self._write(text))
            sys.stdout.flush()


def figures(final: dict[str, Any]) -> str:
    """What an answer cost, from the last line of the stream.

    >>> print(figures({"prompt_eval_count": 120, "prompt_eval_duration": NS, "eval_count": 30, "eval_duration": NS,
    ...                "total_duration": 3 * NS, "load_duration": NS, "ossian_cached_tokens": 100}))
    total 3.0 s, load 1.0 s
    read  120 tokens, 100 of them from the cache, 20 at 20.0 tokens/s
    wrote 30 tokens at 30.0 tokens/s
    >>> print(figures({"eval_count": 30, "eval_duration": NS, "ossian_guessed_tokens": 20, "ossian_kept_tokens": 16}))
    total 0.0 s, load 0.0 s
    read  0 tokens, 0 of them from the cache, 0 at 0.0 tokens/s
    wrote 30 tokens at 30.0 tokens/s, 16 of them guessed, of 20 guesses
    """
    seconds = {name: final.get(f"{name}_duration", 0) / NS for name in ("total", "load", "prompt_eval", "eval")}
    read, wrote = final.get("prompt_eval_count", 0), final.get("eval_count", 0)
    cached, guessed = final.get("ossian_cached_tokens", 0), final.get("ossian_guessed_tokens", 0)
    guesses = f", {final['ossian_kept_tokens']} of them guessed, of {guessed} guesses" if guessed else ""
    return (
        f"total {seconds['total']:.1f} s, load {seconds['load']:.1f} s\n"
        f"read  {read} tokens, {cached} of them from the cache, "
        f"{read - cached} at {(read - cached) / max(seconds['prompt_eval'], 1e-9):.1f} tokens/s\n"
        f"wrote {wrote} tokens at {wrote / max(seconds['eval'], 1e-9):.1f} tokens/s{guesses}"
    )
