"""A source beside the answer: the file as it is now, with the passage marked."""

from typing import Any

from nicegui import ui

from ossian.web.doors import Doors, Refused

LINES_AROUND = 12


def write_place(source: dict[str, Any]) -> str:
    """Where in its file a passage stands."""
    return f"page {source['page']}" if source["page"] else f"lines {source['first_line']}-{source['last_line']}"


class SourcePanel:
    """A drawer at the right that shows one passage in its place."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        with ui.dialog().props("position=right full-height") as self.dialog, ui.card().classes("source"):
            with ui.row().classes("source-head"):
                self.title = ui.label().classes("source-title grow")
                ui.button(icon="close", on_click=self.dialog.close).props('flat round dense aria-label="Close"')
            self.remark = ui.label().classes("quiet")
            self.body = ui.column().classes("lines")

    async def open(self, source: dict[str, Any]) -> None:
        """Show a passage; of a file without lines, its own text."""
        self.title.text = f"{source['path']}, {write_place(source)}"
        self.remark.text = "The file has changed since it was read." if source.get("changed") else ""
        self.body.clear()
        with self.body:
            if source["page"]:
                ui.label(source["text"]).classes("marked")
            else:
                await self.show_lines(source)
        self.dialog.open()

    async def show_lines(self, source: dict[str, Any]) -> None:
        first = max(1, source["first_line"] - LINES_AROUND)
        wanted = {"path": source["path"], "first_line": first, "last_line": source["last_line"] + LINES_AROUND}
        try:
            shown = await self.doors.get(f"/api/library/{source['collection']}/text", wanted)
        except Refused:
            ui.label(source["text"]).classes("marked")
            return
        for number, line in enumerate(shown["text"].split("\n"), first):
            inside = source["first_line"] <= number <= source["last_line"]
            with ui.row().classes("line marked" if inside else "line"):
                ui.label(str(number)).classes("number")
                ui.label(line or " ").classes("code")
