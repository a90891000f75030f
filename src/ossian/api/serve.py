"""Run the server in this process until it is told to stop. Refuses to open a door without a lock."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import uvicorn
from fastapi import FastAPI

from ossian.api.app import build_app
from ossian.api.streams import COMMENT_SECONDS
from ossian.engines.pool import Pool
from ossian.errors import PortTaken, SettingInvalid
from ossian.rag.library import Library
from ossian.settings import Settings, is_loopback
from ossian.store.catalogue import ModelFile

log = logging.getLogger(__name__)

LAST_WORDS_SECONDS = 2
IDLE_CONNECTION_SECONDS = 75  # longer than clients keep a connection, so that none meets a closing one
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """uvicorn, which tells when it listens, and ends answers that are being written when it is to stop."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.stopping = stopping
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.stopping.set()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM, and do not raise them once more: whoever started us goes on in peace."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.stop) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


async def serve(
    settings: Settings,
    pool: Pool,
    models: Callable[[], Sequence[ModelFile]],
    library: Library | None = None,
    *,
    decorate: Callable[[FastAPI], None] | None = None,
    ready: Callable[[str], None] | None = None,
    comment_seconds: float = COMMENT_SECONDS,
) -> None:
    """Listen and answer until a signal or a cancellation; then close the pool.

    `decorate` adds to the doors what stands right of them.
    `ready` is called with the URL as soon as callers can come. Raises SettingInvalid, PortTaken.
    """
    refuse_open_door(settings)
    sockets = listen(settings.address)
    app = build_app(settings, pool, models, library, comment_seconds=comment_seconds)
    if decorate:
        decorate(app)
    url = write_url(settings.address[0], sockets[0].getsockname()[1])
    server = Server(configure(app), app.state.desk.stopping, lambda: ready(url) if ready else None)
    running = asyncio.create_task(server.serve(sockets))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.stop()
        await running
        raise
    finally:
        await pool.close()


def configure(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http="h11",  # httptools, which uvicorn takes where it finds it, answers unknown methods without asking us
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_CONNECTION_SECONDS,
        timeout_graceful_shutdown=LAST_WORDS_SECONDS,
    )


def refuse_open_door(settings: Settings) -> None:
    """Raise SettingInvalid when others could call and no key keeps them out."""
    host = settings.address[0]
    if settings.api_key or is_loopback(host):
        return
    raise SettingInvalid(
        f"listening on {host} would let everybody on the network use this server.",
        "Set OSSIAN_API_KEY to a long secret that callers send, or listen on 127.0.0.1.",
    )


def listen(address: tuple[str, int]) -> list[socket.socket]:
    """A socket for each address the name has: `localhost` is 127.0.0.1 and ::1. Raises PortTaken."""
    host, port = address
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingInvalid(f"{host} is no address of this machine: {error}.") from error
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, place in dict.fromkeys((family, place[0]) for family, _, _, _, place in found):
        try:
            dual = place == "::" and socket.has_dualstack_ipv6()
            sockets.append(socket.create_server((str(place), port), family=family, dualstack_ipv6=dual))
            # asyncio does this for sockets it opens itself; without it a whole answer waits 40 ms for the client's ACK.
            sockets[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            port = sockets[0].getsockname()[1]
        except OSError as error:
            failure = error
            if error.errno == errno.EADDRINUSE:
                break
    if failure is not None and (not sockets or failure.errno == errno.EADDRINUSE):
        for opened in sockets:
            opened.close()
        raise PortTaken(f"cannot listen on {host}:{port}: {failure}.", "OSSIAN_HOST sets another.") from failure
    return sockets


def write_url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
