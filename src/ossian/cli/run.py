"""`ossian run`: one question, a question with a file piped in, or a conversation."""

import sys
from typing import Annotated, Any

import typer

from ossian.cli.client import Client, connect
from ossian.cli.conversation import converse
from ossian.cli.speak import Manner, answer_aloud
from ossian.cli.terminal import is_terminal, settings_of, talk
from ossian.errors import SettingInvalid

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
    manner = Manner(read_think(think), not hide_thinking, verbose, format, keep_alive)
    client = connect(settings_of(), talk)
    piped = "" if sys.stdin.isatty() else sys.stdin.read()
    question = "\n".join(filter(None, [piped.strip(), " ".join(prompt or [])]))
    if question:
        answer_aloud(client, model, [{"role": "user", "content": question}], manner)
    elif is_terminal():
        load(client, model)
        converse(client, model, manner)
    else:
        raise SettingInvalid("there is no question.", 'Write one: ossian run demo "Explain recursion in Python."')


def read_think(word: str | None) -> bool | str | None:
    """The value of --think as the wire has it; the server says what it does not understand."""
    return None if word is None else THINK_WORDS.get(word.lower(), word.lower())


def load(client: Client, model: str) -> None:
    """Load a model before the first question, so that the person does not wait twice."""
    body: dict[str, Any] = {"model": model, "messages": []}
    client.post("/api/chat", body | {"stream": False})
