"""Ollama's door to fetch a model: /api/pull. The fetching itself is done in a thread by store/pull.py."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import closing, suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import desk_of
from ossian.api.dialects import OLLAMA, write_ollama_error
from ossian.api.shapes import read_body
from ossian.api.shapes_ollama import OllamaPull
from ossian.api.streams import Whole
from ossian.engines.memory import GIB, WORKING_BYTES, free_memory, total_memory
from ossian.errors import BadRequest, NotEnoughMemory, OssianError
from ossian.store.progress import Progress
from ossian.store.pull import pull as fetch


async def pull(request: Request) -> Response:
    """Fetch a model, step by step. What can be refused is refused before the first step, so with a status."""
    desk = desk_of(request)
    body = await read_body(request, OllamaPull)
    name = body.model or body.name
    if not name:
        raise BadRequest("model is required")
    steps = fetch(name, desk.settings.models, check_fits)
    return desk.respond(in_thread(steps), PullReply(), OLLAMA, body.stream)


def check_fits(size: int) -> str:
    """Refuse a model that this machine can never hold; remark on one that does not fit just now."""
    needed, total, free = size + WORKING_BYTES, total_memory(), free_memory()
    if needed > total:
        raise NotEnoughMemory(
            f"the model needs {needed / GIB:.1f} GiB of memory and this machine has {total / GIB:.1f} GiB.",
            "Nothing was downloaded. Use a smaller model, such as `demo`.",
        )
    if needed > free:
        return f"the model needs {needed / GIB:.1f} GiB of memory, of which {free / GIB:.1f} GiB are free just now"
    return ""


async def in_thread(steps: Generator[Progress, None, None]) -> AsyncGenerator[Any, None]:
    """The steps, taken in a thread of their own. Closing this stops them at the next one, without waiting for it."""
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[Progress | Exception | None] = asyncio.Queue()
    left = threading.Event()

    def tell(what: Progress | Exception | None) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody listens any more
            loop.call_soon_threadsafe(told.put_nowait, what)

    def work() -> None:
        try:
            with closing(steps):
                for step in steps:
                    tell(step)
                    if left.is_set():
                        return
            tell(None)
        except Exception as error:
            tell(error)

    threading.Thread(target=work, name="pull", daemon=True).start()
    try:
        while (step := await told.get()) is not None:
            if isinstance(step, Exception):
                raise step
            yield step
    finally:
        left.set()


class PullReply:
    """The steps in Ollama's words."""

    def write_event(self, event: Any) -> Iterator[dict[str, Any]]:
        """A step as a line, without what it does not say."""
        step: Progress = event
        measured = {"digest": step.digest, "total": step.total, "completed": step.completed}
        yield {"status": step.status, **{key: value for key, value in measured.items() if value}}

    def write_failure(self, error: OssianError) -> Iterator[dict[str, Any]]:
        yield write_ollama_error(error)

    def write_whole(self, whole: Whole) -> dict[str, Any]:
        """The last line alone: a pull that has ended without an error went well."""
        return {"status": "success"}
