"""Ollama's door for models: which there are, what each can do, which are loaded."""

import asyncio
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ossian import __version__
from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import is_vscode, json_response
from ossian.api.shapes import read_body
from ossian.api.shapes_ollama import OllamaShow
from ossian.chat import MODEL_CAPABILITIES
from ossian.engines.pool import Seat
from ossian.errors import BadRequest
from ossian.store.catalogue import ModelFile
from ossian.store.gguf import TENSOR_KINDS, Layout, Tensor, read_layout
from ossian.store.modelfile import Modelfile, write_modelfile

OLLAMA_VERSION = "0.33.0"  # clients ask for at least 0.6.4 (Copilot's ollamaProvider.ts)
LONGEST_ARRAY = 5
LARGEST_OUTPUT_TOKENS = 16_384
LEFT_OUT = ("general.name", "tokenizer.chat_template")
KEY_WIDTH = 30
SUFFIX = ".Suffix"


async def hello(request: Request) -> Response:
    """The sentence that many tools look for."""
    return PlainTextResponse("Ollama is running")


async def version(request: Request) -> Response:
    """The version of Ollama this is compatible with, and our own."""
    body = {"version": OLLAMA_VERSION, "ossian": __version__}
    return json_response(body, headers={"x-ossian-version": __version__})


async def health(request: Request) -> Response:
    """Whether the server answers."""
    return json_response({"status": "ok"})


async def status(request: Request) -> Response:
    """There is no cloud behind this server."""
    return json_response({"cloud": {"disabled": True, "source": "config"}})


async def tags(request: Request) -> Response:
    """The models on this disk, newest first."""
    desk = desk_of(request)
    files = sorted(await desk.listed(), key=lambda file: file.modified_at, reverse=True)
    return json_response({"models": [write_tag(file, desk) for file in files]})


async def loaded(request: Request) -> Response:
    """The models in memory, the one that stays longest first."""
    return json_response({"models": [write_seat(seat) for seat in desk_of(request).pool.loaded()]})


async def show(request: Request) -> Response:
    """All about one model; `context_length` is what is served, so that no editor sends more."""
    body = await read_body(request, OllamaShow)
    asked = body.model or body.name
    if not asked:
        raise BadRequest("model is required")
    for name in ("system", "template", "options"):
        if getattr(body, name):
            raise BadRequest(f"{name} is not supported: a model is shown as it is")
    desk = desk_of(request)
    file = desk.find(asked)
    shown = write_show(file, desk, verbose=body.verbose)
    if body.verbose and file.path.is_file():
        add_head(shown, await asyncio.to_thread(read_layout, file.path))
    if is_vscode(request.headers):
        shown["model_info"]["general.basename"] = asked  # the label in VS Code's model picker
    return json_response(shown)


def write_tag(file: ModelFile, desk: Desk) -> dict[str, Any]:
    context = desk.context_of(file)
    return {
        "name": file.name,
        "model": file.name,
        "modified_at": write_time(file.modified_at),
        "size": file.size,
        "digest": file.digest,
        "details": {**write_details(file), "context_length": context},
        "capabilities": write_capabilities(file),
        "context_length": context,
        "max_output_tokens": most_output(context),
    }


def write_seat(seat: Seat) -> dict[str, Any]:
    info = seat.model.info
    return {
        "name": seat.file.name,
        "model": seat.file.name,
        "size": info.size,
        "digest": seat.file.digest,
        "details": write_details(seat.file),
        "expires_at": write_time(seat.expires_at),
        "size_vram": info.size_on_gpu,
        "context_length": info.context,
    }


def write_show(file: ModelFile, desk: Desk, *, verbose: bool) -> dict[str, Any]:
    context = desk.context_of(file)
    messages = [{"role": turn.role, "content": turn.content} for turn in file.messages]
    return {
        "license": file.license,
        "modelfile": write_modelfile(as_modelfile(file)),
        "parameters": write_parameters(file, context),
        "template": write_template(file),
        "system": file.system,
        **({"messages": messages} if messages else {}),
        "details": write_details(file),
        "model_info": write_model_info(file, context, verbose=verbose),
        "capabilities": write_capabilities(file),
        "modified_at": write_time(file.modified_at),
        "context_length": context,
        "max_output_tokens": most_output(context),
    }


def write_template(file: ModelFile) -> str:
    """The template; Continue fills in code by `suffix` only where it finds Ollama's name for that in there."""
    fills_in = file.template and "insert" in file.capabilities and SUFFIX not in file.template
    return f"{{{{- /* {SUFFIX} is taken too */ -}}}}{file.template}" if fills_in else file.template


def write_capabilities(file: ModelFile) -> list[str]:
    """What a model can be asked for: one that gives vectors ranks by them too."""
    able = {*file.capabilities, *(["rerank"] if "embedding" in file.capabilities else [])}
    return [name for name in MODEL_CAPABILITIES if name in able]


def write_model_info(file: ModelFile, context: int, *, verbose: bool) -> dict[str, Any]:
    """The file's own keys. The context as served stands first: Roo takes the first key that looks like one."""
    context_key = f"{file.architecture}.context_length"
    info: dict[str, Any] = {"general.architecture": file.architecture, context_key: context}
    for key, value in file.metadata.items():
        if key not in (*LEFT_OUT, context_key):
            short = verbose or not isinstance(value, (list, tuple)) or len(value) <= LONGEST_ARRAY
            info[key] = value if short else None
    if file.parameter_count:
        info["general.parameter_count"] = file.parameter_count
    return {**info, "ossian.trained_context_length": file.context_length}


def add_head(shown: dict[str, Any], head: Layout) -> None:
    """The file's long lists, its vocabulary above all, and what its tensors are."""
    known = shown["model_info"]
    long = {key: value for key, value in head.metadata.items() if isinstance(value, list) and key not in known}
    shown["model_info"] = known | {key: [write_number(item) for item in value] for key, value in long.items()}
    shown["tensors"] = [write_tensor(tensor) for tensor in head.tensors.values()]


def write_number(value: Any) -> Any:
    """What JSON can say of an item of a list."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_tensor(tensor: Tensor) -> dict[str, Any]:
    kind = TENSOR_KINDS.get(tensor.kind, f"type {tensor.kind}")
    return {"name": tensor.name, "type": kind, "shape": list(tensor.sizes)}


def write_details(file: ModelFile) -> dict[str, Any]:
    family = "gptoss" if file.is_gpt_oss else file.architecture
    return {
        "parent_model": file.derived.parent if file.derived else "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": write_parameter_count(file.parameter_count),
        "quantization_level": file.quantization,
    }


def write_parameter_count(count: int) -> str:
    """A number of weights, short.

    >>> write_parameter_count(20_914_757_184), write_parameter_count(12_582_912)
    ('20.9B', '12.6M')
    """
    for unit, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K")):
        if count >= unit:
            return f"{count / unit:.1f}{letter}"
    return str(count)


def write_parameters(file: ModelFile, context: int) -> str:
    return "\n".join(f"{key:<{KEY_WIDTH}} {value}" for key, value in list_parameters(file, context))


def list_parameters(file: ModelFile, context: int) -> Iterator[tuple[str, str]]:
    """The model's default options one by one, with the context as it is served."""
    for key, value in one_by_one({**file.parameters, "num_ctx": context}):
        yield key, json.dumps(value, ensure_ascii=False)


def one_by_one(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The options with a name for each item of a list."""
    for key, value in parameters.items():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            yield key, item


def as_modelfile(file: ModelFile) -> Modelfile:
    """What creates this model again. One that was uploaded is its own beginning."""
    made = file.derived
    return Modelfile(
        made.base if made and not made.is_uploaded else file.name,
        tuple(one_by_one(file.parameters)),
        system=file.system,
        licenses=(made.license,) if made and made.license else (),
        messages=tuple((turn.role, turn.content) for turn in file.messages),
    )


def most_output(context: int) -> int:
    """Tokens an editor should leave for the answer, its thinking included."""
    return max(1, min(LARGEST_OUTPUT_TOKENS, context // 4))


def write_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
