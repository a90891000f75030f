"""Ollama's door to manage models: /api/create, /api/copy, /api/delete."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import OLLAMA
from ossian.api.options import KIND_OF_OPTION, OWN_AFFAIR, read_number, read_stop
from ossian.api.pull import PullReply
from ossian.api.shapes import read_body
from ossian.api.shapes_manage import OllamaCopy, OllamaCreate, OllamaDelete
from ossian.api.shapes_ollama import OllamaMessage
from ossian.api.turns import read_role
from ossian.chat import Message
from ossian.errors import BadRequest, ModelNotFound, OssianError
from ossian.store.blobs import blob_path, read_digest
from ossian.store.catalogue import Catalogue, ModelFile, find_path, read_model
from ossian.store.derived import BLOB_PREFIX, Derived, manifest_path, read_new_name
from ossian.store.hugging_face import HubFile, name_of
from ossian.store.modelfile import REFUSED, ROLES
from ossian.store.names import ModelName
from ossian.store.progress import Progress
from ossian.store.remove import files_of, remove, write_model

UNSERVED = {
    "quantize": "pull or upload a file of the quantization you want",
    "quantization": "pull or upload a file of the quantization you want",
    "adapters": REFUSED["ADAPTER"],
    "draft": REFUSED["DRAFT"],
    "draft_quantize": REFUSED["DRAFT"],
    "renderer": REFUSED["RENDERER"],
    "parser": REFUSED["PARSER"],
    "requires": REFUSED["REQUIRES"],
    "info": "what a model is comes from its file",
    "modelfile": "send what it says: from, system, parameters, messages",
    "path": "send what the Modelfile says: from, system, parameters, messages",
    "remote_host": "a model is always on this machine",
}
"""What create does not do, and why."""


class SourceNotFound(OssianError):
    """/api/copy has quotes of its own around the name."""

    status = 404

    def __init__(self, model: str) -> None:
        super().__init__(f'model "{model}" not found', f"on this machine. Try: ossian pull {model}")


async def create(request: Request) -> Response:
    """Make a model from another one, or from an uploaded file. What can be refused is refused before the first step."""
    desk = desk_of(request)
    body = await read_body(request, OllamaCreate)
    name = read_new_name(body.model or body.name)
    refuse_unserved(body)
    return desk.respond(make(desk, name, body), PullReply(), OLLAMA, body.stream)


async def copy(request: Request) -> Response:
    """Give a model a second name; both share one file."""
    desk = desk_of(request)
    body = await read_body(request, OllamaCopy)
    try:
        file = find_on_disk(desk, body.source)
    except ModelNotFound:
        raise SourceNotFound(body.source) from None
    except BadRequest as error:
        raise BadRequest(f'source "{body.source}" is invalid:', str(error)) from None
    try:
        name = read_new_name(body.destination)
    except BadRequest as error:
        raise BadRequest(f'destination "{body.destination}" is invalid:', str(error)) from None
    if str(name) != file.name:
        put(desk, name, derive(file))
    return Response()


async def delete(request: Request) -> Response:
    """Delete a model, and its file if no other model stands on it. One that is loaded is unloaded first."""
    desk = desk_of(request)
    body = await read_body(request, OllamaDelete)
    name = body.model or body.name
    if not name:
        raise BadRequest('name "" is invalid')
    with suppress(BadRequest):  # a damaged model can be deleted all the same
        desk.find(name)
    catalogue = Catalogue(desk.settings.models)
    try:
        known, _ = catalogue.locate(name)
    except BadRequest:
        raise BadRequest(f'name "{name}" is invalid') from None
    files = files_of(name, catalogue, desk.settings.models)
    for seat in desk.pool.loaded():
        if seat.file.path in files or seat.file.name == known:
            await desk.pool.unload(seat.file.name)
    await asyncio.to_thread(remove, files)
    return Response()


def refuse_unserved(body: OllamaCreate) -> None:
    for field, reason in UNSERVED.items():
        if getattr(body, field):
            raise BadRequest(f"{field} is not supported: {reason}.")
    if not body.base and not body.files:
        raise BadRequest("neither 'from' or 'files' was specified")
    if body.base and body.files:
        raise BadRequest("both 'from' and 'files' were specified; write one of them")


async def make(desk: Desk, name: ModelName, body: OllamaCreate) -> AsyncGenerator[Any, None]:
    """The steps of a creation. Everything is read and checked before the first one."""
    if body.files:
        file = await asyncio.to_thread(read_upload, desk.settings.models, body.files)
    else:
        file = find_on_disk(desk, body.base)
    derived = add_wishes(derive(file), body, file)
    if body.template:
        yield Progress("template is ignored: gpt-oss is always asked in its own language, harmony")
    for option in sorted(set(OWN_AFFAIR) & set(body.parameters)):
        yield Progress(f"{option} is not used: Ossian decides that for itself")
    yield Progress(f"using {file.name}" if body.base else f"using existing layer {derived.base}")
    put(desk, name, derived)
    yield Progress("writing manifest")
    yield Progress("success")


def find_on_disk(desk: Desk, name: str) -> ModelFile:
    """A model that another one can be made from. Raises BadRequest for one that recites and has no file."""
    file = desk.find(name)
    if not file.path.is_file():
        raise BadRequest(f"'{name}' has no file on this disk; no model can be made from it.")
    return file


def read_upload(models: Path, files: dict[str, str]) -> ModelFile:
    """The one model file that was uploaded. A file that is none is removed."""
    if len(files) > 1:
        raise BadRequest(f"files has {len(files)} entries; one GGUF file makes a model")
    digest = read_digest(*files.values())
    path = blob_path(models, digest)
    if not path.is_file():
        raise BadRequest(f"the file {digest} is not here:", f"send it to POST /api/blobs/{digest} first.")
    try:
        return read_model(digest, path)
    except BadRequest as error:
        path.unlink(missing_ok=True)
        raise BadRequest("supplied file was not in GGUF format:", f"{error} It was removed.") from None


def derive(file: ModelFile) -> Derived:
    """What makes the same model once more, under another name."""
    if file.derived:
        return file.derived
    if file.name.startswith(BLOB_PREFIX):
        return Derived(file.name)
    base = lasting_name(file)
    return Derived(base, base)


def lasting_name(file: ModelFile) -> str:
    """A name that means this very file tomorrow: a whole path, and on the Hub the file of the repository."""
    if find_path(file.name) is not None:
        return str(file.path)
    hub = re.fullmatch(r"hf\.co/([^:]+)(?::.*)?", file.name)
    return name_of(HubFile(hub[1], file.path.name)) if hub else file.name


def add_wishes(derived: Derived, body: OllamaCreate, file: ModelFile) -> Derived:
    """The same with what was asked for: options are added, everything else takes the place of what was there."""
    return Derived(
        derived.base,
        file.name if file.derived else derived.parent,
        body.system or derived.system,
        "\n".join(read_license(body.license)) or derived.license,
        {**derived.parameters, **read_parameters(body.parameters)},
        tuple(read_turn(shape, index) for index, shape in enumerate(body.messages)) or derived.messages,
    )


def read_license(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequest("license must be a string or a list of strings")
    return texts


def read_parameters(given: dict[str, Any]) -> dict[str, Any]:
    """Default options, each of its type; None leaves one out."""
    parameters: dict[str, Any] = {}
    for name, value in given.items():
        if name in KIND_OF_OPTION and value is not None:
            parameters[name] = read_number(name, value)
        elif name == "stop" and value is not None:
            parameters[name] = list(read_stop(value))
        elif name in OWN_AFFAIR or value is None:
            continue
        else:
            raise BadRequest(f"unknown parameter '{name}'")
    return parameters


def read_turn(shape: OllamaMessage, index: int) -> Message:
    """A turn that stands before every conversation: words alone."""
    field = f"messages[{index}]"
    role = read_role(shape.role, f"{field}.role")
    if role not in ROLES:
        raise BadRequest(f'{field}.role "{role}" is not supported in a model; write one of {", ".join(ROLES)}')
    for more in ("images", "tool_calls", "thinking", "tool_name", "tool_call_id"):
        if getattr(shape, more):
            raise BadRequest(f"{field}.{more} is not supported in a model")
    return Message(role, shape.content)


def put(desk: Desk, name: ModelName, derived: Derived) -> None:
    write_model(manifest_path(desk.settings.models, name), derived, desk.settings.models)
