"""Work that tells its steps, done in a thread beside the event loop."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, suppress
from typing import TypeVar

Step = TypeVar("Step")


async def in_thread(
    steps: Generator[Step, None, None], name: str, *, waits: bool = False
) -> AsyncGenerator[Step, None]:
    """The steps, taken in a thread of their own. Closing this stops them at the next one.

    waits   closing waits until they have stopped, so that nobody else begins meanwhile
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[Step | Exception | None] = asyncio.Queue()
    left, ended = threading.Event(), asyncio.Event()

    def work() -> None:
        end: Exception | None = None
        try:
            with closing(steps):
                for step in steps:
                    loop.call_soon_threadsafe(told.put_nowait, step)
                    if left.is_set():
                        break
        except Exception as error:
            end = error
        with suppress(RuntimeError):  # the loop has ended, and nobody listens any more
            loop.call_soon_threadsafe(told.put_nowait, end)
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=work, name=name, daemon=True).start()
    try:
        while (step := await told.get()) is not None:
            if isinstance(step, Exception):
                raise step
            yield step
    finally:
        left.set()
        if waits:
            await ended.wait()
