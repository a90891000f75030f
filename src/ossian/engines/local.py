"""gpt-oss on this machine: harmony.render → token ids → runner → token ids → harmony.parse → Events."""

import datetime
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from ossian.chat import ChatRequest, CompletionRequest, Event, Events, Sampling
from ossian.engines.call_ids import new_call_id
from ossian.engines.hearing import ENDINGS, Answer
from ossian.engines.memory import wants_native
from ossian.engines.meter import Meter
from ossian.engines.raw import Opening, RawModel, spec_of
from ossian.engines.runner import NotForThisEngine, Runner, RunnerSpec
from ossian.harmony.grammar import answer_grammar
from ossian.harmony.infill import InfillCutter, render_infill
from ossian.harmony.order import Order
from ossian.harmony.parse import Parser
from ossian.harmony.render import (
    SPECIAL_TOKENS,
    Prompt,
    Special,
    Written,
    end_thought,
    opening,
    render_opening,
    render_past,
)
from ossian.harmony.tags import CALL, END
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

LOG = logging.getLogger(__name__)
CACHED_TEXTS = 4_096
LEAST_ROOM = 8  # one in so many tokens of the context is left for the answer, before old thoughts are
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
    return LocalModel(file, runner, specials, settings.prompt_order)


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
class Asked:
    """A request as the engine reads it: `past` of its tokens are what was said, the others open the answer."""

    prompt: Prompt
    tokens: list[int]
    past: int


class LocalModel(RawModel):
    """gpt-oss in a runner. Satisfies Model."""

    usual = USUAL

    def __init__(
        self,
        file: ModelFile,
        runner: Runner,
        specials: dict[str, int],
        order: Order = "cache",
        today: Callable[[], datetime.date] = datetime.date.today,
    ) -> None:
        super().__init__(file, runner)
        self._ids = specials
        self._names = {token: name for name, token in specials.items()}
        self._order = order
        self._today = today
        self._texts: dict[str, list[int]] = {}

    async def count(self, request: ChatRequest) -> int:
        return len((await self._lay_out(request)).tokens)

    async def chat(self, request: ChatRequest) -> Events:
        """Answer in harmony. Where the model forgot the final channel, or thinks in circles, we open it."""
        asked = await self._lay_out(request)
        parser = Parser.after(asked.prompt, request.tools, new_call_id)
        answer = Answer(request, parser, Meter(len(asked.tokens)), self._names, self._runner.tokenize)
        grammar = answer_grammar(request, opening(asked.prompt))
        async with aclosing(self._write(asked.tokens, grammar, answer)) as events:
            async for event in events:
                yield event
        if answer.wants_more:
            prompt = end_thought(asked.prompt, answer.thinking, answer.goes_on_in)
            asked = Asked(prompt, [*self._before(request), *await self._tokens(prompt)], asked.past)
            answer.meter.limit = len(asked.tokens) >= self._runner.context
        if answer.wants_more and not answer.meter.limit:
            grammar = answer_grammar(replace(request, think=False), opening(asked.prompt))
            answer.begin_again(Parser.after(asked.prompt, request.tools, new_call_id))
            async with aclosing(self._write(asked.tokens, grammar, answer)) as events:
                async for event in events:
                    yield event
        done = await self._done(request, answer.meter, answer.stop)
        yield replace(done, written=await self._find_written(asked, answer))

    async def _open_gap(self, request: CompletionRequest) -> Opening:
        prefix = request.prompt if isinstance(request.prompt, str) else await self.detokenize(request.prompt)
        prompt = render_infill(request.model, prefix, request.suffix, today=self._today())
        return Opening(await self._tokens(prompt), InfillCutter(prefix, request.suffix), self._names)

    async def _lay_out(self, request: ChatRequest) -> Asked:
        """The prompt; tools that may not be called are not shown, and where room is short old thoughts go."""
        shown = replace(request, tools=()) if request.tool_choice == "none" else request
        asked = await self._put_together(shown, lean=False)
        is_tight = len(asked.tokens) > self._runner.context * (LEAST_ROOM - 1) // LEAST_ROOM
        return await self._put_together(shown, lean=True) if is_tight else asked

    async def _put_together(self, request: ChatRequest, *, lean: bool) -> Asked:
        past = render_past(request, today=self._today(), order=self._order, lean=lean)
        opened = render_opening(request)
        tokens = [*self._before(request), *await self._tokens(past)]
        return Asked(past + opened, tokens + await self._tokens(opened), len(tokens))

    async def _find_written(self, asked: Asked, answer: Answer) -> tuple[int, ...]:
        """The ids of a turn that calls tools, with those that opened it; () of any other one.

        However the model ended it: in a prompt it ends as a call does.
        """
        if not answer.called:
            return ()
        # llama.cpp tells no id of a token that ends within a character.
        if len(answer.heard) == answer.meter.written:
            heard = [piece.token for piece in answer.heard[:-1]]
        else:
            heard = await self._tokens(answer.spell_heard())
        return (*asked.tokens[asked.past :], *heard, self._ids[CALL])

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

    def _before(self, request: ChatRequest) -> list[int]:
        """The conversation that a request goes on from, whose last message is ended as a past one is."""
        past = list(request.past)
        if past and self._names.get(past[-1]) in (END, *ENDINGS):
            past.pop()
        return [*past, self._ids[END]] if past else []

    async def _tokens(self, prompt: Prompt) -> list[int]:
        """Token ids of a rendered prompt. Texts that come again, such as an editor's tools, are tokenised once."""
        tokens: list[int] = []
        for part in prompt:
            if isinstance(part, Special):
                tokens.append(self._ids[part.name])
                continue
            if isinstance(part, Written):
                tokens += part.tokens
                continue
            if part not in self._texts:
                if len(self._texts) >= CACHED_TEXTS:
                    self._texts.clear()
                self._texts[part] = await self._runner.tokenize(part)
            tokens += self._texts[part]
        return tokens
