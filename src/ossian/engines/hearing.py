"""One answer of gpt-oss while it is being written: pieces of the runner in, events out. Knows nothing of prompts."""

import json
from collections import deque
from dataclasses import replace

from ossian.chat import ChatRequest, Event, Logprob, Text, Thinking, ToolCall
from ossian.engines.finish import Finish, Tokenize
from ossian.engines.meter import Meter
from ossian.engines.steps import Piece
from ossian.engines.stops import LOOP_TOKENS, StopCutter
from ossian.harmony.grammar import call_grammar, callable_tools, must_call, text_grammar
from ossian.harmony.parse import Parser
from ossian.harmony.render import Opening, Prompt, Special
from ossian.harmony.tags import CALL, END, END_OF_TEXT, RETURN, TAGS

ENDINGS = (CALL, RETURN, END_OF_TEXT)
KEPT_TOKENS = 4_096  # of a bound on tokens, half and at most so many are no thought's where a form is asked for


def trim(piece: Piece, likeliest: int | None) -> Piece:
    """A piece with as many likeliest choices as were asked for; llama.cpp gives one at least."""
    kept = tuple(replace(each, likeliest=each.likeliest[:likeliest]) for each in piece.logprobs)
    return replace(piece, logprobs=kept)


class Likely:
    """Log-probabilities that wait for the text of their tokens to be shown."""

    def __init__(self) -> None:
        self._waiting: list[Logprob] = []

    def take(self, piece: Piece) -> None:
        self._waiting += piece.logprobs

    def give(self) -> tuple[Logprob, ...]:
        given, self._waiting = tuple(self._waiting), []
        return given


class Answer:
    """One answer while it is being written: pieces in, events out."""

    def __init__(
        self, request: ChatRequest, parser: Parser, meter: Meter, names: dict[int, str], tokenize: Tokenize
    ) -> None:
        self.request = request
        self._speaks_of_tags = any(tag in json.dumps(request.format, ensure_ascii=False) for tag in TAGS)
        self.begin_again(parser)
        self.meter = meter
        self.called = False
        """A call was the last thing heard, whole: what was heard is a turn."""
        self._thinking = ""
        self._thought_before: deque[int] = deque(maxlen=LOOP_TOKENS)  # letters, as each of the last pieces came
        self._is_stuck = False
        self._cutter = StopCutter(request.stop)
        self._likely = Likely()
        self._closed = False
        self._names = names
        self._tokenize = tokenize
        self._finish: Finish | None = None
        self._must_call = must_call(request)
        self._in_form = self._must_call or request.format is not None

    def begin_again(self, parser: Parser) -> None:
        """Go on behind another prompt, in which what was heard so far stands as far as it counts."""
        self.parser = parser
        self.parser.keeps_tags = self._speaks_of_tags
        self.heard: list[Piece] = []

    @property
    def stopped(self) -> bool:
        """A stop string was met, or the final answer was closed: what comes behind it is not for anybody."""
        return self._cutter.stopped or self._closed

    @property
    def stop(self) -> str:
        """The stop string that was met."""
        return self._cutter.met

    @property
    def wants_more(self) -> bool:
        """It ended before a word for the person: after the analysis, in it for going round in circles."""
        over = self.parser.answered or self.stopped or self.meter.left <= 0
        return not over and (self._is_stuck or not self.meter.limit)

    @property
    def goes_on_in(self) -> Opening:
        """Where an answer that wants more goes on: in the final channel; with tools the model still has the choice."""
        may_call = self._is_stuck and callable_tools(self.request)
        return "header" if may_call or self._must_call else "final"

    @property
    def thinking(self) -> str:
        """What was thought, without the circles at its end."""
        return self._thinking[: self._thought_before[-self.meter.loop]] if self.meter.loop else self._thinking

    @property
    def has_thought_enough(self) -> bool:
        """The rest of the bound is for what was asked for in a form of its own."""
        kept = min(self.meter.bound // 2, KEPT_TOKENS)
        return self._in_form and self.parser.channel == "analysis" and self.meter.left <= kept

    async def has_room_for(self, piece: Piece) -> bool:
        """Whether a format, or a call that must be made, can still be brought to an end behind a piece."""
        name = self._names.get(piece.token)
        if name in ENDINGS or not (self._is_format or (self.parser.recipient and self._must_call)):
            return True
        if self._finish is None:
            called, form = self.parser.recipient and self.parser.called, self.request.format
            grammar = call_grammar(self.request, called) if called else text_grammar(form)
            self._finish = Finish(grammar, self.meter, self._tokenize)
        return await self._finish.lets_through(piece.text or name or "")

    async def end_in_time(self) -> list[Event]:
        """The end of a format or a call that would be cut short."""
        if self._finish is None or self._cutter.stopped:
            return []
        return self._shown(self.parser.feed(None, await self._finish.write_end()))

    def spell_heard(self) -> Prompt:
        """What was heard before the token that ended it, as a prompt has it."""
        spelt: list[Special | str] = []
        for piece in self.heard[:-1]:
            name = self._names.get(piece.token)
            text = piece.text.replace(name, "") if name else piece.text
            if text and spelt and isinstance(spelt[-1], str):
                spelt[-1] += text
            elif text:
                spelt.append(text)
            spelt += [Special(name)] if name else []
        return tuple(spelt)

    def take(self, piece: Piece) -> list[Event]:
        """The events that a piece completes. A control token's own text is never shown."""
        self.heard.append(piece)
        self._thought_before.append(len(self._thinking))
        name = self._names.get(piece.token)
        if self.parser.is_thinking and not name:
            self.meter.thought()
        if name not in ENDINGS and self._is_structured:
            self._likely.take(piece)
            return self._shown(self.parser.feed(None, piece.text or name or ""))
        if name not in (None, END, *ENDINGS) and self._in_form and self.parser.channel == "analysis":
            return []  # llama.cpp lets it through in a free thought, and binds no header that it would begin
        if self.parser.in_final and not name:
            self._likely.take(piece)
        text = piece.text.replace(name, "") if name else piece.text
        self._closed = name == END and self.parser.in_final
        events = self.parser.feed(None, text) if text else []
        closing = self.parser.feed(name, "") if name else []
        self.called = name in ENDINGS and any(isinstance(event, ToolCall) for event in closing)
        return self._shown(events + closing)

    @property
    def _is_structured(self) -> bool:
        """A call or a format is being written: to the grammar a tag is text there, and so it is to us."""
        return bool(self.parser.recipient) or self._is_format

    @property
    def _is_format(self) -> bool:
        return self.parser.in_final and self.request.format is not None

    def finish(self) -> list[Event]:
        """What was held back, when a completion is over."""
        circles = self.meter.loop > 0 and self.parser.channel in (None, "analysis")
        self._is_stuck = circles or self.has_thought_enough
        events = self._shown(self.parser.finish(cut=self.meter.limit))
        held = self._cutter.finish()
        return [*events, Text(held, self._likely.give())] if held else events

    def _shown(self, events: list[Event]) -> list[Event]:
        shown: list[Event] = []
        for event in events:
            match event:
                case Text(text):
                    if kept := self._cutter.feed(text):
                        shown.append(Text(kept, self._likely.give()))
                case Thinking(text):
                    self._thinking += text
                    shown += [event] if self.request.think else []
                case _:
                    shown.append(event)
        return shown
