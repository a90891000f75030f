"""Documents: put in by dropping or by path, with progress; listed with what became of each; searched."""

import asyncio
from contextlib import aclosing
from typing import Any

import httpx2
from nicegui import ui
from nicegui.events import UploadEventArguments

from ossian.web.doors import Doors, Refused
from ossian.web.sources import SourcePanel, write_place

FIRST_COLLECTION = "documents"
LARGEST_FILE = 64 << 20
SHOWN_FILES = 100  # a row for each of thousands would keep the server from answering
SHOWN_CHARACTERS = 400


class DocumentsTab:
    """The collections of this server."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        with ui.row().classes("wide"):
            self.name = (
                ui.select([FIRST_COLLECTION], value=FIRST_COLLECTION, label="Collection", new_value_mode="add-unique")
                .props("dense outlined use-input hide-dropdown-icon=false")
                .classes("grow")
                .on_value_change(self.list_files)
            )
            ui.button("Take away", icon="delete_outline", on_click=self.drop).props("flat no-caps")
        self.upload = (
            ui.upload(label="Drop files here, or click +", multiple=True, auto_upload=True, max_file_size=LARGEST_FILE)
            .props("flat bordered")
            .classes("wide")
            .on_upload(self.take)
            .on_rejected(self.refuse)
        )
        with ui.row().classes("wide"):
            self.path = (
                ui.input("A folder or file on the server's machine", placeholder="~/books")
                .props("dense outlined")
                .classes("grow")
                .on("keydown.enter", self.add)
            )
            ui.button("Add", on_click=self.add).props("unelevated no-caps")
        self.progress = ui.linear_progress(value=0, show_value=False).classes("wide")
        self.progress.set_visibility(False)
        self.status = ui.label().classes("quiet")
        with ui.row().classes("wide"):
            self.query = (
                ui.input("Search").props("dense outlined clearable").classes("grow").on("keydown.enter", self.search)
            )
            ui.button("Search", on_click=self.search).props("unelevated no-caps")
        self.found = ui.column().classes("wide found")
        self.files = ui.column().classes("wide files")
        self.panel = SourcePanel(doors)
        self.taking = asyncio.Lock()

    async def refresh(self, *, forget: bool = False) -> None:
        """Know the collections that are there now. The one that is chosen stays so unless it is to be forgotten."""
        names = [each["name"] for each in (await self.doors.get("/api/library"))["collections"]]
        nobody_chose = self.name.value == FIRST_COLLECTION and FIRST_COLLECTION not in names
        chosen = [] if forget or nobody_chose else [self.name.value]
        options = list(dict.fromkeys([*names, FIRST_COLLECTION, *chosen]))
        self.name.set_options(options, value=[*chosen, *options][0])
        await self.list_files()

    async def list_files(self) -> None:
        try:
            listed = (await self.doors.get(f"/api/library/{self.name.value}/documents"))["documents"]
        except Refused:
            listed = []
        self.files.clear()
        with self.files:
            if not listed:
                ui.label("Nothing here yet. PDF, Word, Markdown, code and more can be put in.").classes("quiet")
            # What could not be read stands first: somebody may want to do something about it.
            for file in sorted(listed, key=lambda file: not file["reason"])[:SHOWN_FILES]:
                with ui.row().classes("file"):
                    ui.label(file["path"].rpartition("/")[2]).classes("grow").tooltip(file["path"])
                    ui.label(describe(file)).classes("quiet")
            if len(listed) > SHOWN_FILES:
                rest = f"and {len(listed) - SHOWN_FILES:,} more: ossian docs status --name {self.name.value}"
                ui.label(rest).classes("quiet")

    async def take(self, event: UploadEventArguments) -> None:
        """A dropped file. Others that were dropped with it may still be on their way."""
        where = f"/api/library/{self.name.value}/documents"
        async with self.taking:
            await self.follow(self.doors.upload(where, event.file.name, await event.file.read()))
        self.upload.run_method("removeUploadedFiles")

    def refuse(self) -> None:
        size = LARGEST_FILE >> 20
        self.status.text = (
            f"A file of more than {size} MB cannot be dropped here. Write its path below, or add its folder."
        )

    async def add(self) -> None:
        path = (self.path.value or "").strip()
        if path:
            self.path.value = ""
            await self.follow(self.doors.stream(f"/api/library/{self.name.value}/documents", {"paths": [path]}))

    async def follow(self, steps: Any) -> None:
        """Show how far the reading is, and what came of it."""
        self.progress.set_visibility(True)
        self.status.text = "Looking for files …"
        left_out: list[dict[str, Any]] = []
        try:
            async with aclosing(steps) as told:
                async for step in told:
                    if step["status"] == "success":
                        self.status.text = summarize(step, left_out)
                        continue
                    self.progress.value = step["done"] / step["total"]
                    self.status.text = f"{step['done']} of {step['total']}: {step['path']}"
                    left_out += [step] if step["status"] == "skipped" else []
        except (Refused, httpx2.HTTPError) as error:
            self.status.text = str(error)
        self.progress.set_visibility(False)
        await self.refresh()

    async def drop(self) -> None:
        """Take the collection away, once the person has said so."""
        with ui.dialog() as asked, ui.card():
            ui.label(f"Take the collection “{self.name.value}” away? The files stay where they lie.")
            with ui.row():
                ui.button("Take away", on_click=lambda: asked.submit(True)).props("unelevated no-caps color=negative")
                ui.button("Keep", on_click=lambda: asked.submit(False)).props("flat no-caps")
        if await asked:
            try:
                await self.doors.delete(f"/api/library/{self.name.value}")
                self.status.text = ""
            except Refused as error:
                self.status.text = str(error)
            await self.refresh(forget=True)

    async def search(self) -> None:
        question = (self.query.value or "").strip()
        self.found.clear()
        if not question:
            return
        self.status.text = "Searching …"
        try:
            found = await self.doors.post(f"/api/library/{self.name.value}/search", {"query": question, "k": 5})
            self.status.text = "" if found["fits"] else "The documents hardly cover this; the nearest are:"
        except Refused as error:
            self.status.text = str(error)
            return
        with self.found:
            for passage in found["passages"]:
                self.write_passage(passage)

    def write_passage(self, passage: dict[str, Any]) -> None:
        with ui.column().classes("passage"):
            name = f"{passage['path'].rpartition('/')[2]}, {write_place(passage)}"
            ui.button(name, on_click=lambda: self.panel.open(passage)).props("flat dense no-caps").classes("chip")
            ui.label(passage["text"][:SHOWN_CHARACTERS]).classes("excerpt")


def describe(file: dict[str, Any]) -> str:
    if file["state"] == "skipped":
        return f"left out: {file['reason']}"
    waits = f", {file['pending']} wait for their meaning" if file["pending"] else ""
    remark = f"; {file['reason']}" if file["reason"] else ""
    return f"{file['chunks']} passage{'' if file['chunks'] == 1 else 's'}{waits}{remark}"


def summarize(end: dict[str, Any], left_out: list[dict[str, Any]]) -> str:
    reasons = "; ".join(f"{each['path'].rpartition('/')[2]}: {each['reason']}" for each in left_out[:3])
    more = f" Left out: {reasons}{' …' if len(left_out) > 3 else ''}" if left_out else ""
    return f"{end['files']} files read, {end['chunks']} passages, {end['unchanged']} as before.{more}"
