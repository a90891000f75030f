"""Any other GGUF that converses, through llama.cpp's own chat endpoint and the template in its file."""

from contextlib import aclosing
from typing import Any

from ossian.chat import ChatRequest, CompletionRequest, Events
from ossian.engines.chat_body import write_body
from ossian.engines.chat_stream import ChatStream
from ossian.engines.raw import NoCutter, Opening, RawModel, spec_of
from ossian.engines.runner import Runner
from ossian.errors import NotSupported
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

OPEN_THOUGHT = "<think>"
CLOSED_THOUGHT = "\n</think>\n\n"


async def start_templated(file: ModelFile, context: int, settings: Settings) -> "TemplatedModel":
    """Load a model file into a process of its own. Raises ModelFailed with the reason."""
    return TemplatedModel(file, await Runner(spec_of(file, context, settings), settings.load_timeout).start())


class TemplatedModel(RawModel):
    """A model whose file says how to converse with it. Satisfies Model."""

    async def chat(self, request: ChatRequest) -> Events:
        """Answer by the template. Thinking, calls and formats are what llama.cpp knows of them."""
        body = await self._body(request)
        stream = ChatStream(request)
        async with aclosing(self._runner.chat(body)) as chunks:
            async for chunk in chunks:
                for event in stream.take(chunk):
                    yield event
                if stream.stopped:
                    break
        for event in stream.finish():
            yield event

    async def count(self, request: ChatRequest) -> int:
        prompt = await self._runner.apply_template(await self._body(request))
        return len(await self._runner.tokenize(prompt, special=True, whole=True))

    async def _body(self, request: ChatRequest) -> dict[str, Any]:
        body = write_body(request)
        begun = request.messages[-1].role == "assistant"
        return body if request.think and not begun else await self._close_thought(body, begun)

    async def _close_thought(self, body: dict[str, Any], begun: bool) -> dict[str, Any]:
        """The body with a thought ended that the template itself opens, as DeepSeek-R1's does.

        Nothing else keeps such a model from thinking, and a prefill belongs behind the thought.
        """
        messages = body["messages"]
        turns, prefill = (messages[:-1], messages[-1]) if begun else (messages, {"role": "assistant", "content": ""})
        prompt = await self._runner.apply_template(body | {"messages": turns})
        if not prompt.rstrip().endswith(OPEN_THOUGHT):
            return body
        closed = prefill | {"content": CLOSED_THOUGHT + prefill["content"]}
        return body | {"messages": [*turns, closed]}

    async def _open_gap(self, request: CompletionRequest) -> Opening:
        """The code around a gap between the tokens that the model was taught for it."""
        ids = self._file.gap_tokens
        if ids is None:
            raise NotSupported(request.model, "insert")
        prefix = request.prompt if isinstance(request.prompt, str) else await self.detokenize(request.prompt)
        begin = await self._runner.tokenize("", whole=True)
        before, after = [await self._runner.tokenize(text) for text in (prefix, request.suffix)]
        return Opening([*begin, ids.prefix, *before, ids.suffix, *after, ids.middle], NoCutter())
