"""gpt-oss on this machine: harmony.render → token ids → runner → token ids → harmony.parse → Events."""

import datetime
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from ossian.chat import ChatRequest, CompletionRequest, Event, Events, Sampling
from ossian.engines.call_ids import new_call_id
from ossian.engines.hearing import ENDINGS, Answer
from ossian.engines.memory import wants_native
from ossian.engines.meter import Meter
from ossian.engines.raw import Opening, RawModel, spec_of
from ossian.engines.runner import NotForThisEngine, Runner, RunnerSpec
from ossian.harmony.grammar import answer_grammar
from ossian.harmony.infill import InfillCutter, render_infill
from ossian.harmony.parse import Parser
from ossian.harmony.render import SPECIAL_TOKENS, Order, Prompt, Special, open_final, opening, render
from ossian.harmony.tags import END
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

LOG = logging.getLogger(__name__)
CACHED_TEXTS = 4_096
USUAL = Sampling(temperature=1.0, top_p=1.0, top_k=0, min_p=0.0)  # as OpenAI recommends: nothing cut


async def start_local(file: ModelFile, context: int, settings: Settings) -> "LocalModel":
    """Load a model file into a process of its own. Raises ModelFailed with the reason."""
    spec = spec_of(file, context, settings)
    spec = replace(spec, native=wants_native(settings), guesses=settings.speculation == "auto")
    runner = await start_runner(spec, settings)
    try:
        specials = {name: await runner.special(name) for name in SPECIAL_TOKENS}
    except BaseException:
        await runner.close()
        raise
    return LocalModel(file, runner, specials, order=settings.prompt_order)


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
        order: Order = "official",
    ) -> None:
        super().__init__(file, runner)
        self._ids = specials
        self._names = {token: name for name, token in specials.items()}
        self._today = today
        self._order = order
        self._texts: dict[str, list[int]] = {}

    async def count(self, request: ChatRequest) -> int:
        return len(await self._prompt_tokens(request, self._render(request)))

    async def chat(self, request: ChatRequest) -> Events:
        """Answer in harmony. We open the final channel where the model forgot it."""
        prompt = self._render(request)
        tokens = await self._prompt_tokens(request, prompt)
        answer = Answer(request, Parser.after(prompt, request.tools, new_call_id), Meter(len(tokens)), self._names)
        async with aclosing(self._write(tokens, prompt, answer)) as events:
            async for event in events:
                yield event
        if answer.wants_final:
            reopened = open_final(prompt, answer.thinking)
            answer.parser = Parser.after(reopened, request.tools, new_call_id)
            tokens = await self._prompt_tokens(request, reopened)
            async with aclosing(self._write(tokens, reopened, answer)) as events:
                async for event in events:
                    yield event
        yield await self._done(request, answer.meter, answer.stop)

    async def _open_gap(self, request: CompletionRequest) -> Opening:
        prefix = request.prompt if isinstance(request.prompt, str) else await self.detokenize(request.prompt)
        prompt = render_infill(request.model, prefix, request.suffix, today=self._today())
        return Opening(await self._tokens(prompt), InfillCutter(prefix, request.suffix), self._names)

    def _render(self, request: ChatRequest) -> Prompt:
        """The prompt; tools that may not be called are not shown."""
        shown = replace(request, tools=()) if request.tool_choice == "none" else request
        return render(shown, today=self._today(), order=self._order)

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

    async def _prompt_tokens(self, request: ChatRequest, prompt: Prompt) -> list[int]:
        """A rendered prompt behind the conversation it goes on from, whose last message is ended as a past one is."""
        past = list(request.past)
        if past and self._names.get(past[-1]) in (END, *ENDINGS):
            past.pop()
        return [*past, *([self._ids[END]] if past else []), *await self._tokens(prompt)]

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
