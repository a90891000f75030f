"""Put the page beside the doors of a server: browsers that come to / are sent there."""

import secrets

from fastapi import FastAPI
from nicegui import ui
from starlette.types import ASGIApp, Receive, Scope, Send

from ossian.api.guard import PAGE
from ossian.settings import Settings
from ossian.web.frame import build_page

ICON = (
    "data:image/svg+xml,"
    + "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 100'%3E"
    + ("%3Ccircle cx='50' cy='50' r='34' fill='none' stroke='%234f7cac' stroke-width='16'/%3E%3C/svg%3E")
)
RECONNECT_SECONDS = 30.0


def mount(app: FastAPI, settings: Settings) -> None:
    """Add the page to a server. What it does goes through the doors, with the key that the visitor gave."""

    @ui.page("/", title="Ossian")
    async def page() -> None:
        await build_page(app, settings)

    ui.run_with(
        app,
        mount_path=PAGE,
        title="Ossian",
        favicon=ICON,
        dark=None,
        reconnect_timeout=RECONNECT_SECONDS,
        storage_secret=secrets.token_hex(32),  # a restart forgets who gave the key
        session_middleware_kwargs={"same_site": "strict", "path": PAGE},
        show_welcome_message=False,
    )
    app.add_middleware(SendBrowsers)


class SendBrowsers:
    """ASGI middleware: a browser at / is sent to the page, every other client gets the sentence it looks for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/" and is_browser(dict(scope["headers"])):
            headers = [(b"location", f"{PAGE}/".encode()), (b"vary", b"accept, user-agent"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 302, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, send)


def is_browser(headers: dict[bytes, bytes]) -> bool:
    """
    >>> is_browser({b"accept": b"text/html,*/*", b"user-agent": b"Mozilla/5.0"}), is_browser({b"accept": b"*/*"})
    (True, False)
    """
    return b"text/html" in headers.get(b"accept", b"") and b"Mozilla/" in headers.get(b"user-agent", b"")
