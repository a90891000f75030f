"""One answer of llama.cpp's chat endpoint while it is being written: its chunks in, our events out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ossian.chat import ChatRequest, Done, Event, Logprob, Text, Thinking, ToolCall, Usage
from ossian.engines.call_ids import new_call_id
from ossian.engines.hearing import Likely, trim
from ossian.engines.meter import Meter
from ossian.engines.steps import Piece, read_logprob, read_timings
from ossian.engines.stops import LoopGuard, StopCutter
from ossian.harmony.arguments import is_object, repair_arguments

Chunk = dict[str, Any]


@dataclass(slots=True)
class OpenCall:
    """A call that is being written."""

    id: str
    name: str
    written: list[str] = field(default_factory=list)


class ChatStream:
    """One answer: chunks in, events out. A call comes out whole."""

    def __init__(self, request: ChatRequest, context: int) -> None:
        self.meter = Meter(0)
        self._request = request
        self._context = context
        self._tools = {tool.name: tool for tool in request.tools}
        self._cutter = StopCutter(request.stop)
        self._likely = Likely()
        self._guard = LoopGuard()
        self._call: OpenCall | None = None
        self._number = -1
        self._thought = False
        self._thoughts = 0  # chunks, of a token each
        self._loops = False
        self._called = False  # as often as it may: llama.cpp's grammar allows more, whatever it is told (tried)
        self._timings: dict[str, Any] = {}
        self.has_spoken = False
        """Something has come out: a thought, a word or a call."""

    @property
    def stopped(self) -> bool:
        """A stop string was met, the one call was made, or the model says the same again and again."""
        return self._cutter.stopped or self._loops or self._called

    def measure(self, chunk: Chunk) -> str:
        """Count what a chunk brings before it is taken; the text of the answer in it."""
        if timings := chunk.get("timings"):
            self._timings = timings
            room = self._context - timings["cache_n"] - timings["prompt_n"]
            most = self._request.max_tokens
            self.meter.note(timings["predicted_n"], room if most is None else min(room, most))
        return chunk["choices"][0]["delta"].get("content") or ""

    def take(self, chunk: Chunk) -> Iterator[Event]:
        """The events that a chunk completes."""
        choice = chunk["choices"][0]
        delta = choice["delta"]
        said = delta.get("reasoning_content") or delta.get("content") or read_arguments(delta)
        self._loops = bool(said) and self._guard.is_loop(said)
        self.meter.limit = self._loops or choice["finish_reason"] == "length"
        for event in self._read(choice):
            self.has_spoken = True
            yield event

    def _read(self, choice: Chunk) -> Iterator[Event]:
        delta = choice["delta"]
        yield from self._think(delta.get("reasoning_content") or "")
        yield from self._say(delta.get("content") or "", read_likely(choice, self._request.top_logprobs))
        for call in delta.get("tool_calls") or ():
            yield from self._write_call(call)

    def finish(self, rest: str = "") -> Iterator[Event]:
        """What was held back, the `rest` that we write ourselves, and the end."""
        yield from self._end_call()
        if held := self._cutter.feed(rest) + self._cutter.finish():
            yield Text(held, self._likely.give())
        yield Done("length" if self.meter.limit else "stop", self._usage, self._cutter.met)

    def _think(self, text: str) -> Iterator[Event]:
        """Thinking without the blank lines it opens with; none where none was asked for."""
        self._thoughts += bool(text)
        shown = text if self._thought else text.lstrip()
        self._thought = self._thought or bool(shown)
        if shown and self._request.think:
            yield Thinking(shown)

    def _say(self, text: str, likely: tuple[Logprob, ...]) -> Iterator[Event]:
        if text:
            self._likely.take(Piece(-1, text, likely))
        if shown := self._cutter.feed(text):
            yield Text(shown, self._likely.give())

    def _write_call(self, delta: dict[str, Any]) -> Iterator[Event]:
        function = delta.get("function", {})
        self._called = self._request.one_call and delta["index"] > 0
        if self._called:
            return
        if self._call is None or delta["index"] != self._number:
            yield from self._end_call()
            self._number = delta["index"]
            self._call = OpenCall(delta.get("id") or new_call_id(), function.get("name", ""))
        self._call.written.append(function.get("arguments") or "")

    def _end_call(self) -> Iterator[Event]:
        """The call as an event; as text when its arguments cannot be understood. One that was cut short is none."""
        call, self._call = self._call, None
        if call is None:
            return
        written = "".join(call.written)
        if self.meter.limit and not is_object(written):
            return
        arguments = repair_arguments(written, self._tools.get(call.name))
        yield Text(written) if arguments is None else ToolCall(call.id, call.name, arguments)

    @property
    def _usage(self) -> Usage:
        if not self._timings:
            return Usage()
        timings = read_timings(self._timings, limit=self.meter.limit)
        return Usage(
            prompt_tokens=timings.prompt_tokens,
            cached_tokens=timings.cached_tokens,
            completion_tokens=self.meter.written,
            thinking_tokens=self._thoughts,
            prompt_seconds=timings.prompt_seconds,
            completion_seconds=timings.completion_seconds,
        )


def read_arguments(delta: Chunk) -> str:
    """What a chunk adds to the arguments of calls."""
    return "".join(call.get("function", {}).get("arguments") or "" for call in delta.get("tool_calls") or ())


def read_likely(choice: dict[str, Any], likeliest: int | None) -> tuple[Logprob, ...]:
    """The log-probabilities of a chunk, with as many likeliest choices as were asked for."""
    entries = (choice.get("logprobs") or {}).get("content") or ()
    return trim(Piece(-1, "", tuple(map(read_logprob, entries))), likeliest).logprobs
