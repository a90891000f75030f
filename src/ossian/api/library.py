"""The doors of a person's documents: /api/library. Putting in and taking out are for those who may manage."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import asdict
from filecmp import cmp
from itertools import chain, count
from pathlib import Path
from typing import Any, cast, get_args

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import OLLAMA, json_response, write_ollama_error
from ossian.api.shapes import read_body
from ossian.api.shapes_library import LibraryPaths, LibrarySearch
from ossian.api.streams import StreamResponse, WholeResponse
from ossian.errors import BadRequest, CollectionNotFound, LibraryFailed, OssianError
from ossian.rag.find import normal
from ossian.rag.ingest import Ingested, Step
from ossian.rag.library import Library, Listed, check_collection_name
from ossian.rag.lines import read_lines
from ossian.rag.search import By

MOST_PASSAGES = 100
UPLOADS = "uploads"
PIECE_BYTES = 1 << 20
MOST_LINES = 2_000
LONGEST_NAME = 200  # bytes; file systems allow 255


async def collections(request: Request) -> Response:
    """The collections of documents."""
    listed = await asyncio.to_thread(desk_of(request).library.list)
    return json_response({"collections": [write_collection(each) for each in listed]})


async def collection(request: Request) -> Response:
    """One collection, counted."""
    library, name = desk_of(request).library, request.path_params["name"]
    return json_response(write_collection(await asyncio.to_thread(library.find, name)))


async def documents(request: Request) -> Response:
    """Every file of a collection: whether it is searchable, and why not."""
    library, name = desk_of(request).library, request.path_params["name"]
    files = await asyncio.to_thread(library.files, name)
    left_out = ("modified", "digest")
    written = [{key: value for key, value in asdict(file).items() if key not in left_out} for file in files]
    return json_response({"documents": written})


async def add(request: Request) -> Response:
    """Put in files and folders by their paths on this machine, or the files that are uploaded, step by step."""
    desk, name = desk_of(request), check_collection_name(request.path_params["name"])
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        body, paths = LibraryPaths(), await take_uploads(request, desk, name)
        steps: AsyncGenerator[Any, None] = keep_what_is_read(desk.library.add(name, paths))
    else:
        body = await read_body(request, LibraryPaths)
        steps = desk.library.add(name, read_paths(body.paths), changed=body.changed)
    if body.stream:
        return StreamResponse(steps, StepReply(), OLLAMA, desk.stopping, desk.comment_seconds)

    async def whole() -> dict[str, Any]:
        async with aclosing(steps):
            return [write_step(step) async for step in steps][-1]

    return WholeResponse(whole, OLLAMA, desk.stopping)


async def keep_what_is_read(steps: AsyncGenerator[Step | Ingested, None]) -> AsyncGenerator[Step | Ingested, None]:
    """The same steps of uploads; what was left out, such as a secret, is erased again."""
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, Step) and step.status == "skipped":
                await asyncio.to_thread(Path(step.path).unlink, missing_ok=True)
            yield step


def read_paths(paths: list[str]) -> list[Path]:
    """Paths on this machine. Raises BadRequest for one that depends on where the server was started."""
    if not paths:
        raise BadRequest("paths is missing or empty")
    read = [Path(path).expanduser() for path in paths]
    for index, path in enumerate(read):
        if "\0" in paths[index]:
            raise BadRequest(f"paths[{index}] holds a character that no path has")
        if not path.is_absolute():
            raise BadRequest(f"paths[{index}] must be absolute, or begin with ~")
    return read


async def take_uploads(request: Request, desk: Desk, name: str) -> list[Path]:
    """Keep the files of a form under the names they came with. Raises BadRequest where there are none."""
    folder = desk.settings.home / UPLOADS / name
    taken = []
    try:
        async with request.form() as form:
            for _, value in form.multi_items():
                if isinstance(value, UploadFile):
                    target = folder / read_file_name(value.filename or "")
                    taken.append(await asyncio.to_thread(copy, value, target))
    except HTTPException as error:
        raise BadRequest(f"the form cannot be read: {error.detail}") from error
    except OSError as error:
        raise LibraryFailed(f"an upload could not be kept: {error.strerror}.") from error
    if not taken:
        raise BadRequest("the form holds no file")
    return taken


def read_file_name(name: str) -> str:
    """The last part of a name, which stays in the folder."""
    last = name.replace("\\", "/").rpartition("/")[2].replace("\0", "").strip()
    if last in ("", ".", "..") or len(last.encode("utf-8", "replace")) > LONGEST_NAME:
        raise BadRequest(f"'{last[:80]}' cannot name a file")
    return last


def copy(upload: UploadFile, target: Path) -> Path:
    """Keep an upload; another file of the same name stays, and this one gets a number behind its name."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f"{secrets.token_hex(8)}.part")
    try:
        with part.open("wb") as file:
            while piece := upload.file.read(PIECE_BYTES):
                file.write(piece)
        names = (target.with_stem(f"{target.stem} ({number})") for number in count(2))
        free = next(path for path in chain([target], names) if not path.exists() or cmp(path, part, shallow=False))
        return part.replace(free)
    finally:
        part.unlink(missing_ok=True)


async def remove(request: Request) -> Response:
    """Take files out of a collection. They stay where they lie, but for what was uploaded."""
    body = await read_body(request, LibraryPaths)
    desk, name, paths = desk_of(request), request.path_params["name"], read_paths(body.paths)
    removed = await asyncio.to_thread(desk.library.remove, name, paths)
    uploads = desk.settings.home / UPLOADS / name
    for path in map(normal, paths):
        if path.parent == uploads:
            await asyncio.to_thread(path.unlink, missing_ok=True)
    return json_response({"removed": removed})


async def drop(request: Request) -> Response:
    """Take a whole collection away. The files stay where they lie, but for what was uploaded."""
    desk, name = desk_of(request), request.path_params["name"]
    removed = await asyncio.to_thread(desk.library.remove, name)
    await asyncio.to_thread(shutil.rmtree, desk.settings.home / UPLOADS / name, ignore_errors=True)
    return json_response({"removed": removed})


async def search(request: Request) -> Response:
    """The passages of a collection that fit a question best."""
    body = await read_body(request, LibrarySearch)
    if not body.query.strip():
        raise BadRequest("query is missing or empty")
    if not 1 <= body.k <= MOST_PASSAGES:
        raise BadRequest(f"k must be between 1 and {MOST_PASSAGES}")
    library = desk_of(request).library
    by = read_way(body.by, library)
    found = await library.search([request.path_params["name"]], body.query, body.k, by)
    passages = [{key: value for key, value in asdict(each).items() if key != "digest"} for each in found.passages]
    return json_response({"passages": passages, "meaning": found.meaning, "fits": found.fits})


def read_way(by: str, library: Library) -> By:
    """What to search by. Raises BadRequest for what is no way, and for meaning where nobody gives it."""
    if by not in get_args(By):
        raise BadRequest(f'by "{by}" is not known; write one of {", ".join(get_args(By))}')
    if by == "meaning" and library.find_embedder() is None:
        raise BadRequest('by "meaning" needs a model that gives it.', "Try: ossian pull all-minilm")
    return cast(By, by)


async def text(request: Request) -> Response:
    """Some lines of a text file of a collection as it is now, to show a citation in its place."""
    library, name = desk_of(request).library, request.path_params["name"]
    path = request.query_params.get("path", "")
    first = read_number(request, "first_line", 1)
    last = min(read_number(request, "last_line", first + 79), first + MOST_LINES - 1)
    kept = await asyncio.to_thread(library.file, name, path)
    if kept is None:
        raise CollectionNotFound(f"{name}/{path}")
    shown, changed = await asyncio.to_thread(read_lines, kept, first, last)
    answer = {"path": path, "first_line": first, "last_line": first + max(0, len(shown) - 1)}
    return json_response({**answer, "text": "\n".join(shown), "changed": changed})


def read_number(request: Request, name: str, otherwise: int) -> int:
    value = request.query_params.get(name, str(otherwise))
    if not (value.isascii() and value.isdecimal()) or not 1 <= int(value[:12]) <= 10**9:
        raise BadRequest(f"{name} must be a whole number from 1")
    return int(value)


def write_collection(listed: Listed) -> dict[str, Any]:
    return {**asdict(listed.collection), "pending": listed.pending, "skipped": listed.skipped, "roots": listed.roots}


def write_step(step: Step | Ingested) -> dict[str, Any]:
    if isinstance(step, Ingested):
        return {"status": "success", **asdict(step)}
    return {key: value for key, value in asdict(step).items() if value != ""}


class StepReply:
    """The steps as lines."""

    def write_event(self, event: Any) -> Iterator[dict[str, Any]]:
        yield write_step(event)

    def write_failure(self, error: OssianError) -> Iterator[dict[str, Any]]:
        yield write_ollama_error(error)
