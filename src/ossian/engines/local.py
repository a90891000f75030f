"""gpt-oss on this machine: harmony.render → token ids → runner → token ids → harmony.parse → Events."""

import datetime
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from ossian.chat import ChatRequest, CompletionRequest, Done, Event, Events, Sampling
from ossian.engines.call_ids import new_call_id
from ossian.engines.hearing import Answer
from ossian.engines.meter import Meter
from ossian.engines.raw import Opening, RawModel, spec_of
from ossian.engines.runner import NotForThisEngine, Runner, RunnerSpec
from ossian.harmony.grammar import answer_grammar
from ossian.harmony.infill import InfillCutter, render_infill
from ossian.harmony.parse import Parser
from ossian.harmony.render import SPECIAL_TOKENS, Prompt, Special, end_thought, opening, render
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

LOG = logging.getLogger(__name__)
CACHED_TEXTS = 4_096
USUAL = Sampling(temperature=1.0, top_p=1.0, top_k=0, min_p=0.0)  # as OpenAI recommends: nothing cut


async def start_local(file: ModelFile, context: int, settings: Settings) -> "LocalModel":
    """Load a model file into a process of its own. Raises ModelFailed with the reason."""
    spec = spec_of(file, context, settings)
    native = replace(spec, native=True, cache=settings.home / "cache", cache_bytes=settings.cache_bytes)
    runner = await start_runner(native if wants_native(settings) else spec, settings)
    try:
        specials = {name: await runner.special(name) for name in SPECIAL_TOKENS}
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


class LocalModel(RawModel):
    """gpt-oss in a runner. Satisfies Model."""

    usual = USUAL

    def __init__(
        self,
        file: ModelFile,
        runner: Runner,
        specials: dict[str, int],
        today: Callable[[], datetime.date] = datetime.date.today,
    ) -> None:
        super().__init__(file, runner)
        self._ids = specials
        self._names = {token: name for name, token in specials.items()}
        self._today = today
        self._texts: dict[str, list[int]] = {}

    async def count(self, request: ChatRequest) -> int:
        return len(await self._tokens(self._render(request)))

    async def chat(self, request: ChatRequest) -> Events:
        """Answer in harmony. Where the model forgot the final channel, or thinks in circles, we open it."""
        prompt = self._render(request)
        tokens = await self._tokens(prompt)
        parser = Parser.after(prompt, request.tools, new_call_id)
        answer = Answer(request, parser, Meter(len(tokens)), self._names, self._runner.tokenize)
        grammar = answer_grammar(request, opening(prompt))
        async with aclosing(self._write(tokens, grammar, answer)) as events:
            async for event in events:
                yield event
        if answer.wants_more:
            prompt = end_thought(prompt, answer.thinking, answer.goes_on_in)
            tokens = await self._tokens(prompt)
            answer.meter.limit = len(tokens) >= self._runner.context
        if answer.wants_more and not answer.meter.limit:
            grammar = answer_grammar(replace(request, think=False), opening(prompt))
            answer.parser = Parser.after(prompt, request.tools, new_call_id)
            async with aclosing(self._write(tokens, grammar, answer)) as events:
                async for event in events:
                    yield event
        yield Done("length" if answer.meter.limit else "stop", answer.meter.usage, answer.stop)

    async def _open_gap(self, request: CompletionRequest) -> Opening:
        prefix = request.prompt if isinstance(request.prompt, str) else await self.detokenize(request.prompt)
        prompt = render_infill(request.model, prefix, request.suffix, today=self._today())
        return Opening(await self._tokens(prompt), InfillCutter(prefix, request.suffix), self._names)

    def _render(self, request: ChatRequest) -> Prompt:
        """The prompt; tools that may not be called are not shown."""
        shown = replace(request, tools=()) if request.tool_choice == "none" else request
        return render(shown, today=self._today())

    async def _write(self, tokens: list[int], grammar: str, answer: Answer) -> AsyncGenerator[Event, None]:
        """One completion as events, bound by a grammar."""
        async with aclosing(self._steps(tokens, answer.request, answer.meter, grammar)) as pieces:
            async for piece in pieces:
                if not await answer.has_room_for(piece):
                    break
                for event in answer.take(piece):
                    yield event
                if answer.stopped or answer.has_thought_enough:
                    break
        for event in (*await answer.end_in_time(), *answer.finish()):
            yield event

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
