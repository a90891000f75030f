"""Workflow: each recent request as a drawing of who asked whom, with its real figures, and what was really sent."""

import json
import re
import time
from collections.abc import Iterator

from nicegui import ui

from ossian.api.desk import Desk
from ossian.api.workflow import Recorded

REFRESH_SECONDS = 2.0
AGENTS = {
    "GitHubCopilotChat": "VS Code",
    "ollama": "ollama",
    "OpenAI": "openai client",
    "Anthropic": "anthropic client",
}


class WorkflowTab:
    """The last requests, the newest first."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.shown: tuple[object, ...] | None = None
        self.open: set[float] = set()
        self.column = ui.column().classes("wide")
        ui.timer(REFRESH_SECONDS, self.refresh)

    async def refresh(self) -> None:
        """Draw what has changed since."""
        if not self.desk.settings.workflow:
            self.draw_nothing("Requests are not recorded: OSSIAN_WORKFLOW is off.")
            return
        records = list(self.desk.workflow.recorded)
        state = tuple((record.began, record.ending, record.first_word) for record in records)
        if state == self.shown:
            return
        self.shown = state
        if not records:
            self.draw_nothing(
                "Nothing was asked yet. What editors and others send appears here; it stays in memory only."
            )
            return
        self.column.clear()
        with self.column:
            for record in records:
                self.draw(record)

    def draw_nothing(self, sentence: str) -> None:
        self.column.clear()
        with self.column:
            ui.label(sentence).classes("quiet")

    def draw(self, record: Recorded) -> None:
        began = time.strftime("%H:%M:%S", time.localtime(record.began))
        title = f"{began}  {name_agent(record.agent)} → {record.door}  {record.ending or '…'}"
        with ui.expansion(title, value=record.began in self.open).classes("wide request") as folded:
            folded.on_value_change(lambda event: self.note(record.began, event.value))
            ui.mermaid("\n".join(draw_sequence(record))).classes("drawing")
            with ui.expansion("What was sent", icon="code").classes("wide"):
                ui.code(pretty(record.body), language="json").classes("sent")

    def note(self, began: float, is_open: bool) -> None:
        """What a visitor has unfolded stays so when more comes."""
        (self.open.add if is_open else self.open.discard)(began)


def name_agent(agent: str) -> str:
    known = next((name for mark, name in AGENTS.items() if mark.lower() in agent.lower()), "")
    return known or agent.partition("/")[0] or "somebody"


def draw_sequence(record: Recorded) -> Iterator[str]:
    """A request in Mermaid's words.

    >>> list(draw_sequence(Recorded("/api/chat", "curl/8", "{}", 0.0, "demo", ending="stop")))[1:4]
    ['participant C as curl', 'participant O as Ossian', 'participant M as demo']
    """
    usage = record.usage
    yield "sequenceDiagram"
    yield f"participant C as {plain(name_agent(record.agent))}"
    yield "participant O as Ossian"
    if record.documents:
        yield f"participant D as {plain(', '.join(record.documents))}"
    yield f"participant M as {plain(record.model)}"
    yield f"C->>O: {plain(record.door)}, {len(record.body):,} characters"
    if record.documents:
        yield "O->>D: which passages fit?"
        yield f"D-->>O: {record.passages} passages"
    yield f"O->>M: {usage.prompt_tokens:,} tokens, {usage.cached_tokens:,} known from before"
    if record.first_word:
        yield f"M-->>O: first word after {record.first_word - record.began:.1f} s"
    if record.ended:
        yield from draw_end(record)


def draw_end(record: Recorded) -> Iterator[str]:
    usage = record.usage
    speed = usage.completion_tokens / usage.completion_seconds if usage.completion_seconds else 0.0
    yield f"M-->>O: {usage.completion_tokens:,} tokens, {speed:.1f} a second"
    for name in record.looked_up:
        yield f"M->>D: {plain(name)}"
    for call in record.calls:
        yield f"O-->>C: call {plain(call)}"
    yield f"O-->>C: {plain(record.ending)} after {record.ended - record.began:.1f} s"


def plain(text: str) -> str:
    """A text without what Mermaid would read as its own: its signs, and the word `end`."""
    kept = "".join(sign if sign.isalnum() or sign in " _-+./:,'" else " " for sign in text)
    return re.sub(r"\bend\b", "END", kept).strip()


def pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
