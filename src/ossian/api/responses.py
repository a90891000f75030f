"""OpenAI's newer door: /v1/responses, answers that are kept here and can be gone on from."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import RESPONSES, Refusal, json_response
from ossian.api.responses_items import Item, Placed, read_items
from ossian.api.responses_reply import ResponsesReply, listen
from ossian.api.responses_request import SEALED_THINKING, check_include, read_request, write_request
from ossian.api.responses_tools import write_groups
from ossian.api.shapes import read_body
from ossian.api.shapes_responses import ResponsesCreate, ResponsesPrompt
from ossian.api.streams import StreamResponse, WholeResponse
from ossian.chat import Done, Events
from ossian.errors import BadRequest, StoreFailed
from ossian.store.responses import ResponseStore, StoredResponse

log = logging.getLogger(__name__)

STORE_FILE = "responses.sqlite"
USUAL_PAGE, LARGEST_PAGE = 20, 100
TRUE_WORDS = ("true", "1")


class ResponseNotFound(Refusal):
    status: ClassVar[int] = 404

    def __init__(self, id: str) -> None:
        super().__init__(f"Response with id '{id}' not found.", "response_id")


class PreviousNotFound(Refusal):
    def __init__(self, id: str) -> None:
        super().__init__(
            f"Previous response with id '{id}' not found.", "previous_response_id", "previous_response_not_found"
        )


async def create(request: Request) -> Response:
    """Answer a conversation, as OpenAI's Responses API does."""
    desk = desk_of(request)
    body = await read_body(request, ResponsesCreate)
    if not body.model:
        raise BadRequest("model is required")
    file = desk.find(body.model)
    store = store_of(desk)
    past, own = await asyncio.to_thread(read_conversation, body, store)
    asked = read_request(body, [*past, *own], file)
    reply = ResponsesReply(
        write_request(body, asked),
        write_groups(body.tools),
        one_call=not body.parallel_tool_calls,
        sealed=SEALED_THINKING in body.include,
    )
    events = keep(
        desk.ask(asked, file, list_sources=True), reply, [item for _, item in own], store if body.store else None
    )
    if body.stream:
        return StreamResponse(events, reply, RESPONSES, desk.stopping, desk.comment_seconds)
    return WholeResponse(lambda: listen(events, reply), RESPONSES, desk.stopping)


async def input_tokens(request: Request) -> Response:
    """Count the tokens that a conversation becomes, without answering it."""
    desk = desk_of(request)
    body = await read_body(request, ResponsesPrompt)
    if not body.model:
        raise BadRequest("model is required")
    file = desk.find(body.model)
    past, own = await asyncio.to_thread(read_conversation, body, store_of(desk))
    asked = read_request(body, [*past, *own], file)

    async def count() -> dict[str, Any]:
        return {"object": "response.input_tokens", "input_tokens": await desk.count(asked, file)}

    return WholeResponse(count, RESPONSES, desk.stopping)


async def retrieve(request: Request) -> Response:
    """One answer that was kept."""
    if request.query_params.get("stream", "").lower() in TRUE_WORDS:
        raise Refusal("stream is not supported here: only an answer that has ended is kept", "stream")
    return json_response((await find_stored(request)).response)


async def delete(request: Request) -> Response:
    """Erase an answer and what it answered."""
    id = request.path_params["id"]
    if not await asyncio.to_thread(store_of(desk_of(request)).forget, id):
        raise ResponseNotFound(id)
    return json_response({"id": id, "object": "response", "deleted": True})


async def cancel(request: Request) -> Response:
    """Nothing runs in the background, so nothing can be cancelled: who hangs up stops the model."""
    raise Refusal(
        "Cannot cancel a synchronous response. To stop an answer that is being written, close its connection.",
        "response_id",
    )


async def input_items(request: Request) -> Response:
    """What a kept answer answered, page by page."""
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise Refusal("order must be asc or desc", "order")
    items = (await find_stored(request)).input
    rest = skip(items if order == "asc" else items[::-1], request.query_params.get("after", ""))
    page = rest[: read_limit(request.query_params.get("limit", str(USUAL_PAGE)))]
    return json_response(
        {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(page) < len(rest),
        }
    )


def skip(items: Sequence[Item], after: str) -> Sequence[Item]:
    """The items behind the one that is named."""
    places = [place for place, item in enumerate(items) if item["id"] == after]
    if after and not places:
        raise Refusal(f"after: there is no item '{after}'", "after")
    return items[places[0] + 1 :] if after else items


def read_limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LARGEST_PAGE:
        raise Refusal(f"limit must be between 1 and {LARGEST_PAGE}", "limit")
    return int(text)


def store_of(desk: Desk) -> ResponseStore:
    return ResponseStore(desk.settings.home / STORE_FILE)


async def find_stored(request: Request) -> StoredResponse:
    check_include([*request.query_params.getlist("include"), *request.query_params.getlist("include[]")])
    id = request.path_params["id"]
    found = await asyncio.to_thread(store_of(desk_of(request)).find, id)
    if found is None:
        raise ResponseNotFound(id)
    return found


def read_conversation(body: ResponsesPrompt, store: ResponseStore) -> tuple[list[Placed], list[Placed]]:
    """The items of all answers before, and those of this question."""
    past = [("previous_response_id", item) for item in recollect(body.previous_response_id, store)]
    if body.input is None and past:
        return past, []
    if body.input is None:
        raise Refusal("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    return past, read_items(body.input, store.find_item)


def recollect(id: str, store: ResponseStore) -> list[Mapping[str, Any]]:
    """All that was said up to an answer and with it, the oldest first. One that is missing is never left out."""
    turns: list[list[Mapping[str, Any]]] = []
    while id:
        found = store.find(id)
        if found is None:
            raise PreviousNotFound(id)
        turns.append([*found.input, *found.response["output"]])
        id = found.response["previous_response_id"] or ""
    return [item for turn in reversed(turns) for item in turn]


async def keep(events: Events, reply: ResponsesReply, own: Sequence[Item], store: ResponseStore | None) -> Events:
    """The same events; before the last of them the answer is kept. Where that fails it says `store: false`."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done) and store is not None:
                reply.end(event)
                try:
                    await asyncio.to_thread(store.keep, reply.write_response(), own)
                except StoreFailed as error:
                    log.warning("an answer was not kept: %s", error)
                    reply.asked["store"] = False
            yield event
