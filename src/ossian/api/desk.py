"""What all doors of one server share: its models, its memory of calls, and how a question is put to a model."""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.answer import answer, count
from ossian.api.dialects import Dialect
from ossian.api.metrics import Metrics
from ossian.api.recall import CallMemory, recall, remember_calls
from ossian.api.streams import Reply, StreamResponse, WholeResponse, gather
from ossian.api.turns import check_document_tools
from ossian.api.workflow import Workflow
from ossian.chat import ChatRequest, CompletionRequest, Events, Sources, Text
from ossian.engines.pool import Pool
from ossian.errors import BadRequest, ModelNotFound, NotEnoughMemory
from ossian.rag.cite import write_sources
from ossian.rag.library import Library
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

LONGEST_NAME = 1_024


@dataclass(slots=True)
class Desk:
    """`models` lists what is on this disk; `stopping` is set when the server is to end."""

    settings: Settings
    pool: Pool
    models: Callable[[], Sequence[ModelFile]]
    library: Library
    comment_seconds: float
    calls: CallMemory = field(default_factory=CallMemory)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    metrics: Metrics = field(default_factory=Metrics)
    workflow: Workflow = field(default_factory=Workflow)

    def find(self, name: str) -> ModelFile:
        """The model of this name, with or without collections behind it.

        Raises ModelNotFound, and BadRequest for what cannot be a name.
        """
        if len(name) > LONGEST_NAME or re.search(r"[\x00-\x1f]", name):
            raise BadRequest("invalid model name")
        file = self.pool.find(self.split(name)[0]) if name else None
        if file is None:
            raise ModelNotFound(name)
        return file

    async def listed(self) -> list[ModelFile]:
        """The models of this disk, and each that converses once more with each collection it can answer from."""
        collections = await asyncio.to_thread(self.library.names)
        found = []
        for file in self.models():
            answers = "completion" in file.capabilities and (file.is_gpt_oss or file.has_template)
            able = tuple(name for name in file.capabilities if name != "insert")  # code is filled in without documents
            with_documents = [
                replace(file, name=f"{file.name}+{each}", capabilities=able) for each in collections if answers
            ]
            found += [file, *with_documents]
        return found

    def split(self, name: str) -> tuple[str, tuple[str, ...]]:
        """A model's name, and the collections behind it: gpt-oss:20b+books+notes answers from both."""
        model, *collections = name.split("+")
        with suppress(BadRequest):  # a + may stand in a path, and in no other name of a model
            if not collections or self.pool.find(name):
                return name, ()
        return model, tuple(collections)

    def context_of(self, file: ModelFile) -> int:
        """Tokens of context this model is served with; for one that does not fit here, what it was trained for."""
        try:
            return self.pool.context_of(file)
        except NotEnoughMemory:
            return file.context_length

    async def ask(
        self, request: ChatRequest | CompletionRequest, file: ModelFile, *, list_sources: bool = False
    ) -> Events:
        """The answer of a model, its calls remembered on the way.

        list_sources   the cited passages come as a list under the text: the door has no field for them
        """
        if isinstance(request, ChatRequest):
            check_document_tools(placed := self.place(request), file)
            request = await recall(placed, self.calls, file.digest)
        elif self.split(request.model)[1]:
            raise BadRequest("documents are answered from in conversations: use /api/chat or /v1/chat/completions")
        answered = self.metrics.watch(answer(request, self.pool, self.library))
        kept = remember_calls(self.workflow.watch(request, answered), self.calls, file.digest)
        async with aclosing(kept) as events:
            async for event in events:
                if isinstance(event, Sources) and list_sources:
                    event = Text("" if request.format else write_sources(event.passages))
                yield event

    def place(self, request: ChatRequest) -> ChatRequest:
        """A request with the collections that stand behind its model's name among its documents."""
        model, behind = self.split(request.model)
        return replace(request, model=model, documents=tuple(dict.fromkeys((*request.documents, *behind))))

    async def count(self, request: ChatRequest, file: ModelFile) -> int:
        """Tokens of the prompt that this request would become, with what is remembered of its calls."""
        return await count(await recall(self.place(request), self.calls, file.digest), self.pool, self.library)

    def respond(self, events: Events, reply: Reply, dialect: Dialect, stream: bool) -> Response:
        """The answer on the wire, as a stream or whole."""
        if stream:
            return StreamResponse(events, reply, dialect, self.stopping, self.comment_seconds)

        async def whole() -> dict[str, Any]:
            return reply.write_whole(*await gather(events))

        return WholeResponse(whole, dialect, self.stopping)


def desk_of(request: Request) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk
