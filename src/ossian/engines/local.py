"""gpt-oss on this machine: harmony.render → token ids → runner → token ids → harmony.parse → Events."""

import datetime
import logging
import math
import secrets
import string
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from ossian.chat import ChatRequest, CompletionRequest, Done, Event, Events, ModelInfo, Text
from ossian.engines.hearing import Answer, Likely, trim
from ossian.engines.memory import physical_cores
from ossian.engines.meter import Meter
from ossian.engines.runner import NotForThisEngine, Piece, Runner, RunnerSpec, Timings
from ossian.engines.stops import LoopGuard, StopCutter
from ossian.errors import ContextTooLong, NotSupported
from ossian.harmony.grammar import answer_grammar, text_grammar
from ossian.harmony.infill import InfillCutter, render_infill
from ossian.harmony.parse import Parser
from ossian.harmony.render import SPECIAL_TOKENS, Prompt, Special, open_final, opening, render
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

LOG = logging.getLogger(__name__)
CACHED_TEXTS = 4_096
CALL_ID_LETTERS = string.ascii_lowercase + string.digits


def new_call_id() -> str:
    """A call's id as Ollama makes them: call_ and eight letters or digits."""
    return "call_" + "".join(secrets.choice(CALL_ID_LETTERS) for _ in range(8))


async def start_local(file: ModelFile, context: int, settings: Settings) -> "LocalModel":
    """Load a model file into a process of its own. Raises ModelFailed with the reason."""
    spec = RunnerSpec(
        model=file.path,
        context=context,
        parallel=max(1, settings.num_parallel),
        threads=settings.threads or physical_cores(),
        embedding="embedding" in file.capabilities,
        reranking="rerank" in file.capabilities,
        program=settings.llama_server,
        native=file.is_gpt_oss and wants_native(settings),
        cache=settings.home / "cache",
        cache_bytes=settings.cache_bytes,
    )
    runner = await start_runner(spec, settings)
    try:
        specials = {name: await runner.special(name) for name in SPECIAL_TOKENS} if file.is_gpt_oss else {}
    except BaseException:
        await runner.close()
        raise
    return LocalModel(file, runner, specials)


def wants_native(settings: Settings) -> bool:
    """Whether our own engine is to be tried first; whoever names a llama-server wants that."""
    return settings.engine == "native" or (settings.engine == "auto" and settings.llama_server is None)


async def start_runner(spec: RunnerSpec, settings: Settings) -> Runner:
    """Start an engine: our own, or llama.cpp's where ours cannot run the file and was not insisted on."""
    try:
        return await Runner(spec, settings.load_timeout).start()
    except NotForThisEngine as error:
        if settings.engine == "native":
            raise
        LOG.warning("llama.cpp serves %s: %s", spec.model.name, error)
    return await Runner(replace(spec, native=False), settings.load_timeout).start()


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap in code: how the model is asked to fill it, and what lets out only what belongs there."""

    prompt: Prompt
    cutter: InfillCutter


class LocalModel:
    """A model in a runner. Satisfies Model; `alive` and `close` are the pool's."""

    def __init__(
        self,
        file: ModelFile,
        runner: Runner,
        specials: dict[str, int],
        today: Callable[[], datetime.date] = datetime.date.today,
    ) -> None:
        self._file = file
        self._runner = runner
        self._ids = specials
        self._names = {token: name for name, token in specials.items()}
        self._today = today
        self._texts: dict[str, list[int]] = {}

    @property
    def alive(self) -> bool:
        return self._runner.alive

    @property
    def pid(self) -> int:
        """The process that serves it."""
        return self._runner.pid

    @property
    def info(self) -> ModelInfo:
        size = self._runner.memory()
        return ModelInfo(self._file.name, self._runner.context, size, capabilities=self._file.capabilities)

    async def close(self) -> None:
        await self._runner.close()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await self._runner.embed(texts)

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """A reranking model's own scores; an embedding model's cosine between query and text."""
        if "rerank" in self._file.capabilities:
            return await self._runner.rerank(query, texts)
        if "embedding" not in self._file.capabilities:
            raise NotSupported(self._file.name, "rerank")
        asked, *vectors = await self._runner.embed([query, *texts])
        return [cosine(asked, vector) for vector in vectors]

    async def tokenize(self, text: str) -> list[int]:
        return await self._runner.tokenize(text, special=True)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return await self._runner.detokenize(tokens)

    async def count(self, request: ChatRequest) -> int:
        return len(await self._tokens(self._render(request)))

    async def chat(self, request: ChatRequest) -> Events:
        """Answer in harmony. We open the final channel where the model forgot it."""
        prompt = self._render(request)
        tokens = await self._tokens(prompt)
        answer = Answer(request, Parser.after(prompt, request.tools, new_call_id), Meter(len(tokens)), self._names)
        async with aclosing(self._write(tokens, prompt, answer)) as events:
            async for event in events:
                yield event
        if answer.wants_final:
            reopened = open_final(prompt, answer.thinking)
            answer.parser = Parser.after(reopened, request.tools, new_call_id)
            async with aclosing(self._write(await self._tokens(reopened), reopened, answer)) as events:
                async for event in events:
                    yield event
        yield Done("length" if answer.meter.limit else "stop", answer.meter.usage, answer.stop)

    async def complete(self, request: CompletionRequest) -> Events:
        """Continue raw text, in which the model's special tokens are read as what they are; or fill a gap in code."""
        gap = await self._find_gap(request) if request.suffix else None
        tokens = await self._tokens(gap.prompt) if gap else await self._raw_tokens(request.prompt)
        grammar = "" if request.format is None else text_grammar(request.format)
        meter, cutter, likely = Meter(len(tokens)), StopCutter(request.stop), Likely()
        async with aclosing(self._steps(tokens, request, meter, grammar)) as pieces:
            async for piece in pieces:
                if gap and piece.token in self._names:
                    break
                likely.take(piece)
                if shown := cutter.feed(gap.cutter.feed(piece.text) if gap else piece.text):
                    yield Text(shown, likely.give())
                if cutter.stopped or (gap and gap.cutter.ended):
                    break
        if held := cutter.feed(gap.cutter.finish() if gap else "") + cutter.finish():
            yield Text(held, likely.give())
        yield Done("length" if meter.limit else "stop", meter.usage, cutter.met)

    async def _raw_tokens(self, prompt: str | tuple[int, ...]) -> list[int]:
        return await self.tokenize(prompt) if isinstance(prompt, str) else list(prompt)

    async def _find_gap(self, request: CompletionRequest) -> Gap:
        """What is to be filled in between the prompt and its suffix."""
        if not self._file.is_gpt_oss:
            raise NotSupported(request.model, "insert")
        prefix = request.prompt if isinstance(request.prompt, str) else await self.detokenize(request.prompt)
        prompt = render_infill(request.model, prefix, request.suffix, today=self._today())
        return Gap(prompt, InfillCutter(prefix, request.suffix))

    def _render(self, request: ChatRequest) -> Prompt:
        """The prompt; tools that may not be called are not shown."""
        if not self._file.is_gpt_oss:
            raise NotSupported(request.model, "chat")
        shown = replace(request, tools=()) if request.tool_choice == "none" else request
        return render(shown, today=self._today())

    async def _write(self, tokens: list[int], prompt: Prompt, answer: Answer) -> AsyncGenerator[Event, None]:
        """One completion as events, bound by the grammar of what was asked."""
        grammar = answer_grammar(answer.request, opening(prompt))
        async with aclosing(self._steps(tokens, answer.request, answer.meter, grammar)) as pieces:
            async for piece in pieces:
                for event in answer.take(piece):
                    yield event
                if answer.stopped:
                    break
        for event in answer.finish():
            yield event

    async def _steps(
        self, tokens: list[int], request: ChatRequest | CompletionRequest, meter: Meter, grammar: str
    ) -> AsyncGenerator[Piece, None]:
        """The pieces of one completion, metered, within the context and the bound that was asked for."""
        room = self._runner.context - len(tokens)
        if room <= 0:
            raise ContextTooLong(len(tokens), self._runner.context)
        bound = room if request.max_tokens is None else max(0, min(room, request.max_tokens - meter.written))
        fields: dict[str, Any] = {"grammar": grammar} if grammar else {}
        if request.top_logprobs is not None:
            fields["n_probs"] = max(1, request.top_logprobs)
        meter.begin()
        timings, loops, guard = None, False, LoopGuard()
        try:
            async with aclosing(self._runner.complete(tokens, bound, request.sampling, **fields)) as steps:
                async for step in steps:
                    if isinstance(step, Timings):
                        timings = step
                    else:
                        meter.piece()
                        yield trim(step, request.top_logprobs)
                        if loops := guard.is_loop(step.token):
                            break
        finally:
            meter.end(timings, limit=loops)

    async def _tokens(self, prompt: Prompt) -> list[int]:
        """Token ids of a rendered prompt. Texts that come again, such as an editor's tools, are tokenised once."""
        tokens: list[int] = []
        for part in prompt:
            if isinstance(part, Special):
                tokens.append(self._ids[part.name])
                continue
            if part not in self._texts:
                if len(self._texts) >= CACHED_TEXTS:
                    self._texts.clear()
                self._texts[part] = await self._runner.tokenize(part)
            tokens += self._texts[part]
        return tokens


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors; 0 where one has no length."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0
