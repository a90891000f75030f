"""What stands around all parts of the page: the tabs, the colours, and the question for the key."""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui

from ossian.api.desk import Desk
from ossian.settings import Settings
from ossian.web.chat import ChatTab
from ossian.web.documents import DocumentsTab
from ossian.web.doors import Doors, Refused
from ossian.web.models import ModelsTab
from ossian.web.workflow import WorkflowTab

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
TABS = (("Chat", "chat_bubble_outline"), ("Documents", "menu_book"), ("Models", "memory"), ("Workflow", "timeline"))


class Tabs(ui.tabs):
    """Tabs that switch in the browser at once; others ignore a click back while the server has not answered."""

    LOOPBACK = False


async def build_page(app: FastAPI, settings: Settings, keys: dict[str, str]) -> None:
    """One visitor's page; where the server wants a key, it is asked for first.

    `keys` are those that visitors gave, by the id in their cookie. They are kept here, because NiceGUI's own storage
    would write them to the disk.
    """
    ui.add_css(STYLE)
    ui.colors(primary="#3a6ea5")
    request = ui.context.client.request
    assert request is not None
    host, port = request.scope["server"]
    doors = Doors(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    visitor = nicegui_app.storage.browser["id"]
    await ui.context.client.connected()  # what somebody types before that, NiceGUI loses
    if ui.context.client.is_deleted:
        return
    if settings.api_key:
        doors.key = keys.get(visitor, "")
        if not await opens(doors):
            ask_for_key(doors, lambda key: keys.update({visitor: key}))
            return
    await build_tabs(app, doors)


async def opens(doors: Doors) -> bool:
    try:
        await doors.get("/api/tags")
    except Refused:
        return False
    return True


def ask_for_key(doors: Doors, remember: Callable[[str], None]) -> None:
    """A field for the key; the page comes once it fits."""

    async def try_key() -> None:
        doors.key = field.value or ""
        if not await opens(doors):
            field.props('error error-message="This is not the key."')
            return
        remember(doors.key)
        ui.navigate.reload()

    with ui.column().classes("gate"):
        ui.label("Ossian").classes("brand")
        ui.label("This server wants its API key.")
        field = (
            ui.input("Key", password=True).props("autofocus outlined").classes("w-full").on("keydown.enter", try_key)
        )
        ui.button("Open", on_click=try_key).props("unelevated no-caps")


async def build_tabs(app: FastAPI, doors: Doors) -> None:
    desk = app.state.desk
    assert isinstance(desk, Desk)
    with ui.header().classes("head"):
        ui.label("Ossian").classes("brand")
        with Tabs().props("no-caps inline-label shrink").classes("tabs") as tabs:
            for name, icon in TABS:
                ui.tab(name, icon=icon)
    with ui.tab_panels(tabs, value="Chat", animated=False, keep_alive=True).classes("panels"):
        with ui.tab_panel("Chat").classes("panel"):
            chat = ChatTab(doors)
        with ui.tab_panel("Documents").classes("panel"):
            documents = DocumentsTab(doors)
        with ui.tab_panel("Models").classes("panel"):
            models = ModelsTab(doors)
        with ui.tab_panel("Workflow").classes("panel"):
            workflow = WorkflowTab(desk)

    async def refresh() -> None:
        for name, part in (("Chat", chat), ("Documents", documents), ("Models", models), ("Workflow", workflow)):
            if tabs.value == name:
                await part.refresh()

    tabs.on_value_change(refresh)
    await refresh()
