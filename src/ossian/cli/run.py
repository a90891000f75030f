"""`ossian run`: one question, a question with a file piped in, or a conversation."""

import sys
from typing import Annotated

import typer

from ossian.cli.client import Client, connect
from ossian.cli.conversation import converse
from ossian.cli.model_path import name_model
from ossian.cli.speak import Manner, answer_aloud
from ossian.cli.terminal import is_terminal, settings_of, waiting
from ossian.errors import SettingInvalid

INTERRUPTED = 130
THINK_WORDS = {"true": True, "false": False}


def run_command(
    model: Annotated[str, typer.Argument(help="A model's name, or the path of a GGUF file.")],
    prompt: Annotated[list[str] | None, typer.Argument(help="The question; without one a conversation begins.")] = None,
    think: Annotated[str | None, typer.Option(help="true, false, low, medium or high.")] = None,
    hide_thinking: Annotated[bool, typer.Option("--hidethinking", help="Let it think, but do not show it.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show speed and what the cache saved.")] = False,
    format: Annotated[str | None, typer.Option(help="json: the answer is JSON.")] = None,
    keep_alive: Annotated[str | None, typer.Option("--keepalive", help="How long the model stays loaded.")] = None,
) -> None:
    """Ask a model. Piped input stands before the question; a server is started when none listens."""
    settings = settings_of()
    model = name_model(model, settings)
    manner = Manner(read_think(think), not hide_thinking, verbose, format, keep_alive)
    question = "\n".join(filter(None, [read_piped(), whole(" ".join(prompt or []))]))
    if question:
        answer = answer_aloud(connect(settings), model, [{"role": "user", "content": question}], manner)
        if answer.stopped:
            raise typer.Exit(INTERRUPTED)
    elif is_terminal():
        client = connect(settings)
        load(client, model, manner)
        converse(client, model, manner)
    else:
        raise SettingInvalid("there is no question.", 'Write one: ossian run demo "Explain recursion in Python."')


def read_piped() -> str:
    """What stands in the pipe, in UTF-8; bytes that are none are replaced, not refused."""
    return "" if sys.stdin.isatty() else sys.stdin.buffer.read().decode(errors="replace").strip()


def whole(text: str) -> str:
    """An argument as a text that can be sent: Python keeps bytes that are no UTF-8 as half characters."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def read_think(word: str | None) -> bool | str | None:
    """The value of --think as the wire has it; the server says what it does not understand."""
    return None if word is None else THINK_WORDS.get(word.lower(), word.lower())


def load(client: Client, model: str, manner: Manner) -> None:
    """Load a model before the first question, so that the person does not wait twice."""
    kept = {"keep_alive": manner.keep_alive} if manner.keep_alive else {}
    with waiting(f"Loading {model}"):
        client.post("/api/chat", {"model": model, "messages": [], "stream": False, **kept})
