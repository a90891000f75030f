"""/v1/models, a route that OpenAI and Anthropic both have: each client gets the shape of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import is_anthropics, json_response
from ossian.api.ollama_models import most_output, write_time
from ossian.errors import BadRequest
from ossian.store.catalogue import ModelFile

USUAL_PAGE, LARGEST_PAGE = 20, 1000  # Anthropic's


async def models(request: Request) -> Response:
    """The models on this disk."""
    desk = desk_of(request)
    if is_anthropics(request.headers):
        newest_first = sorted(await desk.listed(), key=lambda file: file.modified_at, reverse=True)
        return json_response(write_page(newest_first, request.query_params, desk))
    return json_response({"object": "list", "data": [write_openai(file, desk) for file in await desk.listed()]})


async def model(request: Request) -> Response:
    """One model."""
    desk = desk_of(request)
    write = write_anthropic if is_anthropics(request.headers) else write_openai
    name = request.path_params["model"]
    file = desk.find(name)
    return json_response(write(replace(file, name="+".join((file.name, *desk.split(name)[1]))), desk))


def write_openai(file: ModelFile, desk: Desk) -> dict[str, Any]:
    context = desk.context_of(file)
    return {
        "id": file.name,
        "object": "model",
        "created": int(file.modified_at.timestamp()),
        "owned_by": "library",
        "context_length": context,
        "max_output_tokens": most_output(context),
    }


def write_anthropic(file: ModelFile, desk: Desk) -> dict[str, Any]:
    context = desk.context_of(file)
    return {
        "type": "model",
        "id": file.name,
        "display_name": file.name,
        "created_at": write_time(file.modified_at),
        "lifecycle": "active",
        "max_input_tokens": context,
        "max_tokens": most_output(context),
    }


def write_page(files: Sequence[ModelFile], asked: Mapping[str, str], desk: Desk) -> dict[str, Any]:
    """So many models behind or before the one that is named."""
    limit = read_limit(asked.get("limit", str(USUAL_PAGE)))
    if before := asked.get("before_id"):
        rest = files[: find_place(before, files, "before_id")]
        page = rest[-limit:]
    else:
        after = asked.get("after_id")
        rest = files[find_place(after, files, "after_id") + 1 :] if after else files
        page = rest[:limit]
    return {
        "data": [write_anthropic(file, desk) for file in page],
        "has_more": len(page) < len(rest),
        "first_id": page[0].name if page else None,
        "last_id": page[-1].name if page else None,
    }


def read_limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LARGEST_PAGE:
        raise BadRequest(f"limit must be between 1 and {LARGEST_PAGE}")
    return int(text)


def find_place(name: str, files: Sequence[ModelFile], field: str) -> int:
    places = [place for place, file in enumerate(files) if file.name == name]
    if not places:
        raise BadRequest(f"{field}: there is no model '{name}'")
    return places[0]
