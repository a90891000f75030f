"""Any other GGUF that converses, through llama.cpp's own chat endpoint and the template in its file."""

import logging
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from ossian.chat import ChatRequest, CompletionRequest, Events
from ossian.engines.chat_body import write_body
from ossian.engines.chat_stream import ChatStream
from ossian.engines.finish import Finish
from ossian.engines.hearing import KEPT_TOKENS
from ossian.engines.raw import NoCutter, Opening, RawModel, spec_of
from ossian.engines.runner import Runner
from ossian.engines.steps import Unreadable
from ossian.engines.thought_grammar import Thought, find_tags, format_grammar
from ossian.errors import NotSupported
from ossian.harmony.grammar import must_call, text_grammar
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

LOG = logging.getLogger(__name__)
BACKGROUND_NICE = 10


async def start_templated(
    file: ModelFile, context: int, settings: Settings, *, in_background: bool = False
) -> "TemplatedModel":
    """Load a model file into a process of its own. Raises ModelFailed with the reason."""
    spec = spec_of(file, context, settings)
    if in_background:
        spec = replace(spec, threads=1, parallel=1, nice=BACKGROUND_NICE)
    return TemplatedModel(file, await Runner(spec, settings.load_timeout).start())


class TemplatedModel(RawModel):
    """A model whose file says how to converse with it. Satisfies Model."""

    def __init__(self, file: ModelFile, runner: Runner) -> None:
        super().__init__(file, runner)
        self._tags = find_tags(file.template)

    async def chat(self, request: ChatRequest) -> Events:
        """Answer by the template. Thinking, calls and formats are what llama.cpp knows of them."""
        body = await self._body(request)
        stream = ChatStream(request, self._runner.context)
        try:
            async with aclosing(self._converse(request, body, stream)) as events:
                async for event in events:
                    yield event
        except Unreadable as error:
            LOG.warning("%s: %s", request.model, error)
            async with aclosing(self._speak_plainly(request, body, stream)) as events:
                async for event in events:
                    yield event

    async def _converse(self, request: ChatRequest, body: dict[str, Any], stream: ChatStream) -> Events:
        format = request.format
        finish = None if format is None else Finish(text_grammar(format), stream.meter, self._runner.tokenize)
        async with aclosing(self._runner.chat(body)) as chunks:
            async for chunk in chunks:
                said = stream.measure(chunk)
                if finish and said and not await finish.lets_through(said):
                    break
                for event in stream.take(chunk):
                    yield event
                if stream.stopped:
                    break
        for event in stream.finish(await finish.write_end() if finish else ""):
            yield event

    async def _speak_plainly(self, request: ChatRequest, body: dict[str, Any], stream: ChatStream) -> Events:
        """What is left to do where llama.cpp cannot read its model: end here, or ask anew for the words as they are."""
        if stream.has_spoken:
            stream.meter.limit = True
            for event in stream.finish():
                yield event
            return
        plain = CompletionRequest(
            request.model,
            await self._runner.apply_template(body),
            max_tokens=request.max_tokens,
            stop=request.stop,
            sampling=request.sampling,
            format=request.format,
            top_logprobs=request.top_logprobs,
        )
        async with aclosing(self.complete(plain)) as events:
            async for event in events:
                yield event

    async def count(self, request: ChatRequest) -> int:
        return await self._count_prompt(await self._body(request))

    async def _body(self, request: ChatRequest) -> dict[str, Any]:
        """The request for llama.cpp. A thought that the template itself opens is ended where none may come.

        DeepSeek-R1's template does so; nothing else keeps such a model from thinking, and a prefill belongs behind it.
        """
        body = write_body(request)
        begun = request.messages[-1].role == "assistant"
        thinks = request.think and not begun
        if thinks and (request.format is not None or must_call(request)):
            body["thinking_budget_tokens"] = await self._share_of_thinking(body, request.max_tokens)
        if thinks and request.format is None:
            return body
        opened = await self._opens_thought(body, begun)
        if self._tags and opened and not thinks:
            body["messages"] = begin_with(f"\n{self._tags[1]}\n\n", body["messages"], begun)
        if request.format is not None:
            thought: Thought = "none" if not thinks else "is open" if opened else "may come"
            body["grammar"] = format_grammar(request.format, self._tags, thought)
        return body

    async def _share_of_thinking(self, body: dict[str, Any], most: int | None) -> int:
        """Of the tokens that may be written, those that are no thought's are kept for the form that is asked for."""
        room = self._runner.context - await self._count_prompt(body)
        bound = max(0, room if most is None else min(room, most))
        return bound - min(bound // 2, KEPT_TOKENS)

    async def _count_prompt(self, body: dict[str, Any]) -> int:
        prompt = await self._runner.apply_template(body)
        return len(await self._runner.tokenize(prompt, special=True, whole=True))

    async def _opens_thought(self, body: dict[str, Any], begun: bool) -> bool:
        """Whether the prompt ends within a thought. `begun`: the last turn is what the answer begins with."""
        if self._tags is None:
            return False
        turns = body["messages"][:-1] if begun else body["messages"]
        prompt = await self._runner.apply_template(body | {"messages": turns})
        return prompt.rstrip().endswith(self._tags[0])

    async def _open_gap(self, request: CompletionRequest) -> Opening:
        """The code around a gap between the tokens that the model was taught for it."""
        ids = self._file.gap_tokens
        if ids is None:
            raise NotSupported(request.model, "insert")
        prefix = request.prompt if isinstance(request.prompt, str) else await self.detokenize(request.prompt)
        begin = await self._runner.tokenize("", whole=True)
        before, after = [await self._runner.tokenize(text) for text in (prefix, request.suffix)]
        return Opening([*begin, ids.prefix, *before, ids.suffix, *after, ids.middle], NoCutter())


def begin_with(text: str, messages: list[dict[str, Any]], begun: bool) -> list[dict[str, Any]]:
    """The turns with a text that the answer begins with, before what it began with already."""
    turns, last = (messages[:-1], messages[-1]) if begun else (messages, {"role": "assistant", "content": ""})
    return [*turns, last | {"content": text + last["content"]}]
