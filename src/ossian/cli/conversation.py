"""The interactive chat of `ossian run`: history, several lines at once, and the slash commands people know."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from ossian.cli.client import Client
from ossian.cli.models import list_text, show_text
from ossian.cli.speak import Manner, Message, answer_aloud
from ossian.cli.terminal import complain, out, talk
from ossian.errors import OssianError

HELP = """\
/set system TEXT        give the model instructions
/set parameter KEY VAL  temperature, top_p, top_k, seed, num_ctx, num_predict, stop …
/set think [LEVEL]      think: low, medium or high     /set nothink    do not think
/set format json        answer in JSON                 /set noformat   answer in words
/set verbose | quiet    show or hide tokens per second
/show info|parameters|system|template|license|modelfile
/load MODEL             go on with another model       /list           models on this machine
/clear                  forget the conversation        /bye            leave (also /exit, Ctrl+D)
\"\"\"                     begins and ends a text of several lines"""
QUOTES = '"""'


class Leave(Exception):
    """The person wants to go."""


@dataclass(slots=True)
class Conversation:
    """What was said, with whom and how."""

    client: Client
    model: str
    manner: Manner
    messages: list[Message] = field(default_factory=list)
    system: str = ""

    def ask(self, question: str) -> None:
        """Ask, show the answer, and keep both; a question that failed is not kept."""
        asked = [*self.messages, {"role": "user", "content": question}]
        instructions = [{"role": "system", "content": self.system}] if self.system else []
        answer = answer_aloud(self.client, self.model, instructions + asked, self.manner)
        self.messages = [*asked, {"role": "assistant", "content": answer["content"]}]


def converse(client: Client, model: str, manner: Manner) -> None:
    """Talk until the person leaves. An error ends an answer, never the conversation."""
    conversation = Conversation(client, model, manner)
    session: PromptSession[str] = PromptSession(history=open_history(client))
    talk("Ask anything. /? shows the commands, /bye leaves.")
    while True:
        try:
            line = read_lines(session)
            if line.startswith("/"):
                obey(conversation, line)
            elif line.strip():
                conversation.ask(line)
        except KeyboardInterrupt:
            talk("Use /bye or Ctrl+D to leave.")
        except (EOFError, Leave):
            return
        except OssianError as error:
            complain(error)


def open_history(client: Client) -> History:
    """The questions of earlier days, in a file only this person can read."""
    path = client.settings.home / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def read_lines(session: PromptSession[str]) -> str:
    """One line, or several between triple quotes."""
    line = session.prompt(">>> ")
    if not line.startswith(QUOTES):
        return line
    lines = [line.removeprefix(QUOTES)]
    while not lines[-1].endswith(QUOTES):
        lines.append(session.prompt("... "))
    lines[-1] = lines[-1].removesuffix(QUOTES)
    return "\n".join(lines).strip("\n")


def obey(conversation: Conversation, line: str) -> None:
    """Do what a slash command says."""
    match line.split(maxsplit=2):
        case ["/bye" | "/exit"]:
            raise Leave
        case ["/?" | "/help", *_]:
            talk(HELP)
        case ["/clear"]:
            conversation.messages = []
            talk("The conversation is forgotten.")
        case ["/list"]:
            out.print(list_text(conversation.client), markup=False)
        case ["/load", model]:
            conversation.client.post("/api/chat", {"model": model, "messages": [], "stream": False})
            conversation.model, conversation.messages = model, []
            talk(f"Now with {model}.")
        case ["/show", what]:
            show(conversation, what)
        case ["/set", what, *rest]:
            set_manner(conversation, what, rest[0].strip() if rest else "")
        case _:
            talk(f"{line.split()[0]} is not a command, or lacks a word. /? shows them all.")


def show(conversation: Conversation, what: str) -> None:
    if what == "system" and conversation.system:
        out.print(conversation.system, markup=False)
        return
    out.print(show_text(conversation.client, conversation.model, what), markup=False)


def set_manner(conversation: Conversation, what: str, value: str) -> None:
    """Change how the next question is asked."""
    manner = conversation.manner
    match what:
        case "system":
            conversation.system = value.strip("\"'")
        case "parameter" if len(value.split(maxsplit=1)) == 2:
            key, text = value.split(maxsplit=1)
            conversation.manner = replace(manner, options=manner.options | {key: read_value(text)})
        case "think":
            conversation.manner = replace(manner, think=value or True)
        case "nothink":
            conversation.manner = replace(manner, think=False)
        case "format" if value == "json":
            conversation.manner = replace(manner, format="json")
        case "noformat":
            conversation.manner = replace(manner, format=None)
        case "verbose" | "quiet":
            conversation.manner = replace(manner, verbose=what == "verbose")
        case _:
            talk(f"/set {what} {value}".rstrip() + " is not understood. /? shows what is.")
            return
    talk(f"Set {what} {value}".rstrip() + ".")


def read_value(text: str) -> Any:
    """A number, a truth value or a list where the text is one, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
