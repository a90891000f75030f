"""Models: what is here, what is loaded and how much memory that takes, and fetching another."""

from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import httpx2
import psutil
from nicegui import ui

from ossian.web.doors import Doors, Refused

GB = 1_000_000_000
REFRESH_SECONDS = 3.0


class ModelsTab:
    """The models of this server."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self.rows: list[tuple[str, str, bool]] = []
        with ui.row().classes("wide"):
            self.name = (
                ui.input("Fetch a model", placeholder="gpt-oss:20b")
                .props("dense outlined")
                .classes("grow")
                .on("keydown.enter", self.pull)
            )
            ui.button("Fetch", icon="download", on_click=self.pull).props("unelevated no-caps")
        self.progress = ui.linear_progress(value=0, show_value=False).classes("wide")
        self.progress.set_visibility(False)
        self.status = ui.label().classes("quiet")
        self.memory = ui.label().classes("quiet")
        self.listed = ui.column().classes("wide files")
        ui.timer(REFRESH_SECONDS, self.refresh)

    async def refresh(self) -> None:
        """Know what is here and what is loaded."""
        try:
            models = (await self.doors.get("/api/tags"))["models"]
            loaded = {each["name"]: each for each in (await self.doors.get("/api/ps"))["models"]}
        except (Refused, httpx2.HTTPError) as error:
            self.status.text = str(error)
            return
        free = psutil.virtual_memory()
        self.memory.text = f"{free.available / GB:.1f} of {free.total / GB:.1f} GB of memory are free."
        names = [model for model in models if "+" not in model["name"]]
        rows = [(model["name"], describe(model, loaded.get(model["name"])), model["name"] in loaded) for model in names]
        if rows == self.rows:
            return  # a button that is drawn anew under the pointer is not clicked
        self.rows = rows
        self.listed.clear()
        with self.listed:
            for row in rows:
                self.write_model(*row)

    def write_model(self, name: str, described: str, is_loaded: bool) -> None:
        with ui.row().classes("file"):
            ui.label(name).classes("grow model-name")
            ui.label(described).classes("quiet")
            if is_loaded:
                ui.button("Unload", on_click=lambda: self.unload(name)).props("flat dense no-caps")

    async def unload(self, name: str) -> None:
        try:
            await self.doors.post("/api/generate", {"model": name, "keep_alive": 0, "stream": False})
        except Refused as error:
            self.status.text = str(error)
        await self.refresh()

    async def pull(self) -> None:
        """Fetch a model and show how far it is."""
        name = (self.name.value or "").strip()
        if not name:
            return
        self.progress.set_visibility(True)
        self.status.text = f"Asking for {name} …"
        try:
            async with aclosing(self.doors.stream("/api/pull", {"model": name})) as steps:
                async for step in steps:
                    self.show_step(step)
            self.name.value = ""
        except (Refused, httpx2.HTTPError) as error:
            self.status.text = str(error)
        self.progress.set_visibility(False)
        await self.refresh()

    def show_step(self, step: dict[str, Any]) -> None:
        total, completed = step.get("total", 0), step.get("completed", 0)
        share = f": {completed / GB:.2f} of {total / GB:.2f} GB" if total else ""
        self.status.text = f"{step['status']}{share}"
        self.progress.value = completed / total if total else 0.0


def describe(model: dict[str, Any], loaded: dict[str, Any] | None) -> str:
    size = f"{model['size'] / GB:.1f} GB" if model["size"] >= GB / 10 else f"{model['size'] / 1e6:.0f} MB"
    if not loaded:
        return f"{size} on the disk"
    minutes = (datetime.fromisoformat(loaded["expires_at"]) - datetime.now(UTC)).total_seconds() / 60
    stays = "for ever" if minutes > 60 * 24 * 365 else f"{max(0, minutes):.0f} min more"
    memory = f"{loaded['size'] / GB:.1f} GB of memory"
    return f"loaded, {memory}, {loaded['context_length']:,} tokens of context, {stays}"
