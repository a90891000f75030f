"""Read what a person types into a conversation: arrow-up for earlier questions, several lines between triple quotes."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

QUOTES = '"""'
OPENERS = (QUOTES, f"/set system {QUOTES}")


class Questions(FileHistory):
    """The questions of earlier days in a file. `keep` False: new ones stay in this conversation only."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.keep = True

    def store_string(self, string: str) -> None:
        if self.keep:
            with suppress(OSError):  # a full disk loses a question, not the conversation
                super().store_string(string)


def open_history(home: Path) -> History:
    """The file of questions, which only this person can read; without one where it cannot be written."""
    path = home / "history"
    try:
        home.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.open("rb+").close()
    except OSError:
        return InMemoryHistory()
    return Questions(path)


def line_reader(history: History) -> Callable[[], str]:
    """What reads the next question. Raises EOFError for Ctrl+D and KeyboardInterrupt for Ctrl+C."""
    session: PromptSession[str] = PromptSession(history=history)
    unfinished = Condition(lambda: is_unfinished(get_app().current_buffer.text))
    return lambda: session.prompt(">>> ", multiline=unfinished, prompt_continuation="... ")


def is_unfinished(text: str) -> bool:
    """Whether triple quotes were opened and not closed.

    >>> is_unfinished('\"\"\"one'), is_unfinished('\"\"\"one\\ntwo\"\"\"'), is_unfinished('what does \"\"\" mean?')
    (True, False, False)
    """
    return text.startswith(OPENERS) and text.count(QUOTES) % 2 == 1


def unquoted(text: str) -> str:
    """The text without the quotes around it."""
    if text.startswith(QUOTES):
        return text.removeprefix(QUOTES).rstrip().removesuffix(QUOTES).strip("\n")
    return text
