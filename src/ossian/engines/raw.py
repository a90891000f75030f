"""Any GGUF in a runner: raw text, gaps in code, vectors and tokens. Knows nothing of conversations."""

import math
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from ossian.chat import ChatRequest, CompletionRequest, Done, Events, ModelInfo, Sampling, Text
from ossian.engines.finish import Finish
from ossian.engines.hearing import Likely, trim
from ossian.engines.memory import physical_cores, serving_of, spare_memory
from ossian.engines.meter import Meter
from ossian.engines.runner import Runner, RunnerSpec
from ossian.engines.steps import Piece, Timings
from ossian.engines.stops import LoopGuard, StopCutter
from ossian.engines.weigh import weigh
from ossian.errors import ContextTooLong, NotSupported
from ossian.harmony.grammar import text_grammar
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile


def spec_of(file: ModelFile, context: int, settings: Settings) -> RunnerSpec:
    """How the process of a model file is started on this machine."""
    serving = serving_of(file, settings)
    return RunnerSpec(
        model=file.path,
        context=context,
        parallel=serving.parallel,
        together=serving.together,
        threads=settings.threads or physical_cores(),
        embedding="embedding" in file.capabilities,
        reranking="rerank" in file.capabilities,
        template=file.has_template,
        program=settings.llama_server,
        cache=settings.home / "cache",
        cache_bytes=settings.cache_bytes,
        spare=spare_memory(file, context, settings),
    )


class Cutter(Protocol):
    """Lets out the part of a text that belongs somewhere."""

    ended: bool

    def feed(self, text: str) -> str: ...

    def finish(self) -> str: ...


class NoCutter:
    """Lets everything out."""

    ended = False

    def feed(self, text: str) -> str:
        return text

    def finish(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Opening:
    """What is to be gone on from: a prompt, what lets out only what belongs behind it, and the tokens that end it."""

    tokens: list[int]
    cutter: Cutter
    ends: Collection[int] = ()


class RawModel:
    """A model in a runner. Satisfies Model but for conversations; `alive` and `close` are the pool's."""

    usual = Sampling()
    """How tokens are drawn where nothing is asked; unset: as the file says, else as llama.cpp does."""

    def __init__(self, file: ModelFile, runner: Runner) -> None:
        self._file = file
        self._runner = runner

    @property
    def alive(self) -> bool:
        return self._runner.alive

    @property
    def pid(self) -> int:
        """The process that serves it."""
        return self._runner.pid

    @property
    def info(self) -> ModelInfo:
        runner, file = self._runner, self._file
        return ModelInfo(
            file.name, runner.context, runner.memory(), capabilities=file.capabilities, together=runner.spec.seats
        )

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

    async def complete(self, request: CompletionRequest) -> Events:
        """Continue raw text, in which the model's special tokens are read as what they are; or fill a gap in code."""
        opened = await (self._open_gap(request) if request.suffix else self._open_text(request))
        grammar = "" if request.format is None else text_grammar(request.format)
        if request.echo:
            yield await self._read_aloud(request, opened.tokens)
        meter, cutter, likely = Meter(len(opened.tokens)), StopCutter(request.stop), Likely()
        finish = Finish(grammar, meter, self._runner.tokenize) if grammar else None
        async with aclosing(self._steps(opened.tokens, request, meter, grammar)) as pieces:
            async for piece in pieces:
                if piece.token in opened.ends:
                    break
                if finish and not await finish.lets_through(piece.text):
                    break
                likely.take(piece)
                if shown := cutter.feed(opened.cutter.feed(piece.text)):
                    yield Text(shown, likely.give())
                if cutter.stopped or opened.cutter.ended:
                    break
        rest = await finish.write_end() if finish and not cutter.stopped else ""
        if held := cutter.feed(opened.cutter.finish() + rest) + cutter.finish():
            yield Text(held, likely.give())
        yield await self._done(request, meter, cutter.met)

    async def _done(self, request: ChatRequest | CompletionRequest, meter: Meter, stop: str) -> Done:
        tokens = await meter.transcript.tokens(self._runner.tokenize) if request.keep_tokens else ()
        return Done("length" if meter.limit else "stop", meter.usage, stop, tokens)

    async def _open_text(self, request: CompletionRequest) -> Opening:
        prompt = request.prompt
        if isinstance(prompt, str):
            prompt = tuple(await self._runner.tokenize(prompt, special=True, whole=not request.past))
        return Opening([*request.past, *prompt], NoCutter())

    async def _read_aloud(self, request: CompletionRequest, tokens: list[int]) -> Text:
        """The prompt with the log-probabilities of its tokens, without what the model itself wants at the beginning."""
        text = request.prompt
        begun = len(await self._runner.tokenize("", whole=True)) if isinstance(text, str) else 0
        likely = await weigh(self._runner, tokens, begun, request.top_logprobs or 0)
        return Text(text if isinstance(text, str) else await self.detokenize(text), likely)

    async def _open_gap(self, request: CompletionRequest) -> Opening:
        """What is to be filled in between the prompt and its suffix."""
        raise NotSupported(request.model, "insert")

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
        before, latest = meter.written, request.writing_seconds if isinstance(request, CompletionRequest) else None
        meter.begin(tokens, bound)
        timings, late, guard = None, False, LoopGuard()
        try:
            async with aclosing(self._runner.complete(tokens, bound, self._fill(request.sampling), **fields)) as steps:
                async for step in steps:
                    if isinstance(step, Timings):
                        timings = step
                    elif bound > 0:  # llama.cpp writes one token also where none is wanted
                        meter.piece(step)
                        yield trim(step, request.top_logprobs)
                        late = latest is not None and "\n" in step.text and meter.writing_seconds > latest
                        if guard.is_loop(step.token) or late:
                            break
        finally:
            meter.end(timings, loop=guard.repeated, limit=late)
            if bound == 0:
                meter.settle(before, limit=True)

    def _fill(self, sampling: Sampling) -> Sampling:
        """How tokens are drawn, with what is usual where nothing is asked."""
        return replace(self.usual, **{name: value for name, value in asdict(sampling).items() if value is not None})


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors; 0 where one has no length."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0
