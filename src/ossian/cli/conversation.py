"""The interactive chat of `ossian run`: history, several lines at once, and the slash commands people know."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from prompt_toolkit.history import History

from ossian.cli.client import Client
from ossian.cli.lines import Questions, line_reader, open_history, unquoted
from ossian.cli.model_path import name_model
from ossian.cli.models import list_text, print_side
from ossian.cli.speak import Manner, Message, answer_aloud
from ossian.cli.terminal import complain, out, talk, waiting
from ossian.errors import OssianError

HELP = """\
/set system TEXT             give the model instructions
/set parameter KEY VALUE     temperature, top_p, seed, num_ctx …
/set think [LEVEL]           think: low, medium or high
/set nothink                 do not think
/set format json             answer in JSON
/set noformat                answer in words
/set verbose | quiet         show or hide tokens per second
/set history | nohistory     keep the questions on disk, or not
/show SIDE                   info, parameters, system, template,
                             license or modelfile
/load MODEL                  go on with another model
/save NAME                   make a model of this conversation
/list                        models on this machine
/clear                       forget the conversation
/bye                         leave (also /exit, Ctrl+D)
\"\"\"                          begin and end a text of several lines
Ctrl+C                       stop the answer
Not here: /set wordwrap, for the terminal wraps lines."""
ABSENT = {
    "wordwrap": "The terminal wraps the lines; there is nothing to set.",
    "nowordwrap": "The terminal wraps the lines; there is nothing to set.",
}


class Leave(Exception):
    """The person wants to go."""


@dataclass(slots=True)
class Conversation:
    """What was said, with whom and how."""

    client: Client
    model: str
    manner: Manner
    history: History
    messages: list[Message] = field(default_factory=list)
    system: str = ""

    def ask(self, question: str) -> None:
        """Ask, show the answer, and keep both; a question that got no answer is not kept."""
        asked = [*self.messages, {"role": "user", "content": question}]
        instructions = [{"role": "system", "content": self.system}] if self.system else []
        answer = answer_aloud(self.client, self.model, instructions + asked, self.manner)
        if answer.text or not answer.stopped:
            self.messages = [*asked, {"role": "assistant", "content": answer.text}]


def converse(client: Client, model: str, manner: Manner) -> None:
    """Talk until the person leaves. An error ends an answer, never the conversation."""
    conversation = Conversation(client, model, manner, open_history(client.settings.home))
    read_line = line_reader(conversation.history)
    talk("Ask anything. /? shows the commands, /bye leaves.")
    while True:
        try:
            line = read_line()
            if line.startswith("/"):
                obey(conversation, line)
            elif question := unquoted(line).strip():
                conversation.ask(question)
        except KeyboardInterrupt:
            talk("Use /bye or Ctrl+D to leave.")
        except (EOFError, Leave):
            return
        except OssianError as error:
            complain(error)


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
            load(conversation, name_model(model, conversation.client.settings))
        case ["/show", what]:
            show(conversation, what)
        case ["/set", what, *rest]:
            set_manner(conversation, what, rest[0].strip() if rest else "")
        case ["/save", name]:
            save(conversation, name)
        case ["/set" | "/show" | "/load" | "/save", *_]:
            talk(f"{line} lacks a word.\n{HELP}")
        case [command, *_]:
            talk(f"{command} is not a command; /? shows them all. A question may begin with a blank.")


def load(conversation: Conversation, model: str) -> None:
    """Go on with another model, which knows nothing of what was said."""
    with waiting(f"Loading {model}"):
        conversation.client.post("/api/chat", {"model": model, "messages": [], "stream": False})
    conversation.model, conversation.messages = model, []
    talk(f"Now with {model}. The conversation begins anew.")


def save(conversation: Conversation, name: str) -> None:
    """Make a model that begins where this conversation is: with its instructions, its options and what was said."""
    wishes = {
        "system": conversation.system,
        "parameters": conversation.manner.options,
        "messages": conversation.messages,
    }
    conversation.client.post("/api/create", {"model": name, "from": conversation.model, "stream": False, **wishes})
    talk(f"Saved as {name}.")


def show(conversation: Conversation, what: str) -> None:
    if what == "system" and conversation.system:
        out.print(conversation.system, markup=False)
        return
    print_side(conversation.client, conversation.model, what)


def set_manner(conversation: Conversation, what: str, value: str) -> None:
    """Change how the next question is asked."""
    manner = conversation.manner
    match what:
        case "system":
            conversation.system = value = unquoted(value).strip("\"'")
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
        case "history" | "nohistory" if isinstance(conversation.history, Questions):
            conversation.history.keep = what == "history"
        case "wordwrap" | "nowordwrap":
            talk(ABSENT[what])
            return
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
