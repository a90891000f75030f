"""Ollama's door to fetch a model: /api/pull. The fetching itself is done in a thread by store/pull.py."""

from collections.abc import Generator, Iterator
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
from ossian.store.told import in_thread


async def pull(request: Request) -> Response:
    """Fetch a model, step by step. What can be refused is refused before the first step, so with a status."""
    desk = desk_of(request)
    body = await read_body(request, OllamaPull)
    name = body.model or body.name
    if not name:
        raise BadRequest("model is required")
    steps: Generator[Any, None, None] = fetch(name, desk.settings.models, check_fits)
    return desk.respond(in_thread(steps, "pull"), PullReply(), OLLAMA, body.stream)


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
