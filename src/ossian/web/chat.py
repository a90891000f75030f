"""Chat: questions and answers that stream, thinking folded, sources that open beside the answer."""

import asyncio
import re
import time
from contextlib import aclosing, suppress
from typing import Any

import httpx2
from nicegui import ui
from nicegui.events import KeyEventArguments

from ossian.web.doors import Doors, Refused
from ossian.web.sources import SourcePanel

REDRAW_SECONDS = 0.08
ENTER = "(e) => { if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); emit(); } }"
CITATION_CLICKED = """(e) => {
  const link = e.target.closest('a');
  const number = link && link.getAttribute('href').match(/^#source-(\\d+)$/);
  if (number) { e.preventDefault(); emit(Number(number[1])); }
}"""
LINK = re.compile(r"\[\[(\d+)\]\]\(file://[^)\s]*(?: \"[^\"]*\")?\)")
HELLO = "Ask anything. Enter sends, Shift+Enter begins a new line, Escape stops."


class ChatTab:
    """One conversation."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self.messages: list[dict[str, Any]] = []
        self.task: asyncio.Task[None] | None = None
        with ui.row().classes("chat-head"):
            self.model = ui.select([], label="Model").props("dense outlined options-dense").classes("grow")
            ui.button("New chat", icon="add", on_click=self.clear).props("flat no-caps")
        self.scroll = ui.scroll_area().classes("conversation")
        with self.scroll:
            self.turns = ui.column().classes("turns")
            with self.turns:
                ui.label(HELLO).classes("quiet")
        with ui.row().classes("ask"):
            self.question = (
                ui.textarea(placeholder="Your question")
                .props('autogrow outlined dense autofocus aria-label="Your question" input-style="max-height: 30vh"')
                .classes("grow")
                .on("keydown", self.send, js_handler=ENTER)
            )
            self.send_button = ui.button(icon="arrow_upward", on_click=self.send).props(
                'round unelevated aria-label="Send"'
            )
            self.stop_button = ui.button(icon="stop", on_click=self.stop).props('round unelevated aria-label="Stop"')
        self.stop_button.set_visibility(False)
        ui.keyboard(on_key=self.hear_key, ignore=[])
        self.panel = SourcePanel(doors)

    def hear_key(self, event: KeyEventArguments) -> None:
        if event.key == "Escape" and event.action.keydown:
            self.stop()

    async def refresh(self) -> None:
        """Know the models that are here now."""
        models = (await self.doors.get("/api/tags"))["models"]
        able = [str(each["name"]) for each in models if "completion" in each["capabilities"]]
        chosen = self.model.value if self.model.value in able else first_choice(able)
        self.model.set_options(able, value=chosen)

    def clear(self) -> None:
        self.stop()
        self.messages = []
        self.turns.clear()
        with self.turns:
            ui.label(HELLO).classes("quiet")
        self.question.run_method("focus")

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()

    async def send(self) -> None:
        """Ask, unless an answer is being written."""
        text = (self.question.value or "").strip()
        if not text or self.task is not None:
            return
        if not self.model.value:
            ui.notify("There is no model here yet. In a terminal: ossian pull gpt-oss:20b", type="warning")
            return
        self.question.value = ""
        if not self.messages:
            self.turns.clear()
        self.messages.append({"role": "user", "content": text})
        with self.turns:
            ui.label(text).classes("question")
            turn = AnswerTurn(self.panel)
        self.show_busy(True)
        self.task = asyncio.current_task()
        try:
            await self.hear(turn)
        except asyncio.CancelledError:
            turn.say("Stopped.")
        finally:
            self.task = None
            self.show_busy(False)
            self.messages.append({"role": "assistant", "content": turn.text})

    async def hear(self, turn: "AnswerTurn") -> None:
        body = {"model": self.model.value, "messages": self.messages}
        try:
            async with aclosing(self.doors.stream("/api/chat", body)) as steps:
                async for step in steps:
                    turn.take(step)
                    self.scroll.scroll_to(percent=1.0)
        except (Refused, httpx2.HTTPError) as error:
            turn.fail(str(error))
        turn.finish()
        self.scroll.scroll_to(percent=1.0)

    def show_busy(self, busy: bool) -> None:
        self.send_button.set_visibility(not busy)
        self.stop_button.set_visibility(busy)


def first_choice(able: list[str]) -> str | None:
    """gpt-oss where it is here, else the first model."""
    return next((name for name in able if name.startswith("gpt-oss")), able[0] if able else None)


class AnswerTurn:
    """An answer on the page, while it comes and afterwards."""

    def __init__(self, panel: SourcePanel) -> None:
        self.panel = panel
        self.text = self.thinking = ""
        self.began, self.drawn = time.monotonic(), 0.0
        self.sources: list[dict[str, Any]] = []
        with ui.column().classes("answer"):
            self.thought = ui.expansion("Thinking …", icon="psychology").props("dense").classes("thought")
            self.thought.set_visibility(False)
            with self.thought:
                self.thought_text = ui.label().classes("thought-text")
            self.words = ui.markdown().classes("words")
            self.words.on("click", lambda event: self.open_source(event.args), js_handler=CITATION_CLICKED)
            self.chips = ui.row().classes("chips")
            self.status = ui.label("Reading your question …").classes("quiet")
        self.clock = ui.timer(1.0, self.tick)

    def tick(self) -> None:
        """Say how long it has been, as long as there is nothing to read."""
        if not self.text and not self.thinking:
            seconds = time.monotonic() - self.began
            self.status.text = f"Reading your question … {seconds:.0f} s. A model that is not loaded takes longer once."

    def take(self, step: dict[str, Any]) -> None:
        message = step["message"]
        self.thinking += message.get("thinking", "")
        self.text += message["content"]
        self.sources = step.get("sources", self.sources)
        if time.monotonic() - self.drawn > REDRAW_SECONDS:
            self.draw()
        if step["done"]:
            self.say(write_figures(step))

    def draw(self) -> None:
        self.drawn = time.monotonic()
        self.thought.set_visibility(bool(self.thinking))
        self.thought_text.text = self.thinking
        self.words.content = LINK.sub(r"[\\[\1\\]](#source-\1)", self.text)
        if self.text or self.thinking:
            self.status.text = "Writing …" if self.text else "Thinking …"

    def finish(self) -> None:
        said = self.status.text
        self.draw()
        self.status.text = said
        self.clock.cancel()
        if self.thinking:
            self.thought.text = "Thought"
        with self.chips:
            for source in self.sources:
                if source["cited"]:
                    self.write_chip(source)

    def write_chip(self, source: dict[str, Any]) -> None:
        name = source["path"].rpartition("/")[2]
        place = f"page {source['page']}" if source["page"] else f"line {source['first_line']}"
        changed = " · changed since" if source["changed"] else ""
        label = f"[{source['number']}] {name}, {place}{changed}"
        ui.button(label, on_click=lambda: self.panel.open(source)).props("flat dense no-caps").classes("chip")

    async def open_source(self, number: int) -> None:
        for source in self.sources:
            if source["number"] == number:
                await self.panel.open(source)

    def say(self, text: str) -> None:
        with suppress(RuntimeError):  # the visitor has left
            self.status.text = text

    def fail(self, sentence: str) -> None:
        self.status.classes(add="failure")
        self.say(sentence)


def write_figures(step: dict[str, Any]) -> str:
    """What an answer cost, in a line."""
    seconds = step["eval_duration"] / 1e9
    speed = f"{step['eval_count'] / seconds:.0f} tokens/s" if seconds > 0 else ""
    read = f"{step['prompt_eval_count']} tokens read, {step.get('ossian_cached_tokens', 0)} of them remembered"
    end = "" if step["done_reason"] == "stop" else f" · ended by {step['done_reason']}"
    return f"{step['eval_count']} tokens, {speed} · {read}{end}"
