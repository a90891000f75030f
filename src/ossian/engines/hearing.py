"""One answer of gpt-oss while it is being written: pieces of the runner in, events out. Knows nothing of prompts."""

from dataclasses import replace

from ossian.chat import ChatRequest, Event, Logprob, Text, Thinking, ToolCall
from ossian.engines.meter import Meter
from ossian.engines.steps import Piece
from ossian.engines.stops import StopCutter
from ossian.harmony.parse import Parser
from ossian.harmony.render import Prompt, Special
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
        self.thinking = ""
        self.heard: list[Piece] = []
        self.called = False
        """A call was the last thing heard, whole: what was heard is a turn."""
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
    def wants_final(self) -> bool:
        """It ended before a word for the person: after the analysis, or where a format takes over."""
        return not (self.parser.answered or self.stopped or self.meter.limit)

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
        name = self._names.get(piece.token)
        if self.parser.is_thinking and not name:
            self.meter.thought()
        if name not in ENDINGS and self._is_structured:
            self._likely.take(piece)
            return self._shown(self.parser.feed(None, piece.text or name or ""))
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
        return bool(self.parser.recipient) or (self.parser.in_final and self.request.format is not None)

    def finish(self) -> list[Event]:
        """What was held back, when a completion is over."""
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
                    self.thinking += text
                    shown += [event] if self.request.think else []
                case _:
                    shown.append(event)
        return shown
