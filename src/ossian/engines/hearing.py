"""One answer of gpt-oss while it is being written: pieces of the runner in, events out. Knows nothing of prompts."""

from collections import deque
from dataclasses import replace

from ossian.chat import ChatRequest, Event, Logprob, Text, Thinking
from ossian.engines.meter import Meter
from ossian.engines.steps import Piece
from ossian.engines.stops import LOOP_TOKENS, StopCutter
from ossian.harmony.grammar import callable_tools
from ossian.harmony.parse import Parser
from ossian.harmony.render import Opening
from ossian.harmony.tags import CALL, END, END_OF_TEXT, RETURN

ENDINGS = (CALL, RETURN, END_OF_TEXT)


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

    def __init__(self, request: ChatRequest, parser: Parser, meter: Meter, names: dict[int, str]) -> None:
        self.request = request
        self.parser = parser
        self.meter = meter
        self._thinking = ""
        self._thought_before: deque[int] = deque(maxlen=LOOP_TOKENS)  # letters, as each of the last pieces came
        self._is_stuck = False
        self._cutter = StopCutter(request.stop)
        self._likely = Likely()
        self._closed = False
        self._names = names

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
        return not (self.parser.answered or self.stopped) and (self._is_stuck or not self.meter.limit)

    @property
    def goes_on_in(self) -> Opening:
        """Where an answer that wants more goes on: in the final channel; with tools the model still has the choice."""
        return "header" if self._is_stuck and callable_tools(self.request) else "final"

    @property
    def thinking(self) -> str:
        """What was thought, without the circles at its end."""
        return self._thinking[: self._thought_before[-self.meter.loop]] if self.meter.loop else self._thinking

    def take(self, piece: Piece) -> list[Event]:
        """The events that a piece completes. A control token's own text is never shown."""
        self._thought_before.append(len(self._thinking))
        name = self._names.get(piece.token)
        if name not in ENDINGS and self._is_structured:
            self._likely.take(piece)
            return self._shown(self.parser.feed(None, piece.text or name or ""))
        if self.parser.in_final and not name:
            self._likely.take(piece)
        text = piece.text.replace(name, "") if name else piece.text
        self._closed = name == END and self.parser.in_final
        events = self.parser.feed(None, text) if text else []
        return self._shown(events + (self.parser.feed(name, "") if name else []))

    @property
    def _is_structured(self) -> bool:
        """A call or a format is being written: to the grammar a tag is text there, and so it is to us."""
        return bool(self.parser.recipient) or (self.parser.in_final and self.request.format is not None)

    def finish(self) -> list[Event]:
        """What was held back, when a completion is over."""
        self._is_stuck = self.meter.loop > 0 and self.parser.channel in (None, "analysis")
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
