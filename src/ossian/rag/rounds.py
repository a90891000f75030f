"""Let a model look into documents by itself: its calls of our tools are answered here, and it is asked on.

The caller sees one answer: thinking and words of every round, the passages that were found, one Done. A call of the
caller's own tool ends the turn, as it does without documents.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import astuple, dataclass, field, replace
from typing import TypeGuard

from ossian.chat import ChatRequest, Done, Event, Events, Message, Source, Sources, Text, Thinking, ToolCall, Usage
from ossian.errors import ContextTooLong
from ossian.rag.tools import TOOLS, Tools

MOST_ROUNDS = 8
GAP = "\n\n"  # between the thoughts, or the words, of two rounds
NO_ROOM = "There is no room for this. Answer from what you have."

Ask = Callable[[ChatRequest], Events]


@dataclass(slots=True)
class Heard:
    """One round of the model. `ours` are calls that are answered here."""

    names: frozenset[str]
    thinking: str = ""
    text: str = ""
    ours: list[ToolCall] = field(default_factory=list)
    theirs: list[ToolCall] = field(default_factory=list)
    done: Done | None = None

    def hear(self, event: Event) -> bool:
        """Note an event; tell whether it goes out to the caller as it is."""
        match event:
            case Thinking(text):
                self.thinking += text
            case Text(text):
                self.text += text
            case ToolCall(name=name):
                (self.ours if name in self.names else self.theirs).append(event)
                return name not in self.names
            case Done():
                self.done = event
                return False
        return True


@dataclass(slots=True)
class Rounds:
    """A turn of the model in as many rounds as it looks something up.

    asked   what the next round is asked
    known   all passages so far, by whose numbers the next are counted on
    found   those that the next round has before it, and that the caller has not been told of
    left    how often it may still look up
    looked_up   the tools that were called
    thought, said   whether there was thinking, and words, in the rounds before
    """

    asked: ChatRequest
    tools: Tools
    names: frozenset[str]
    known: list[Source]
    found: tuple[Source, ...] = ()
    usage: Usage = field(default_factory=Usage)
    left: int = MOST_ROUNDS
    looked_up: tuple[str, ...] = ()
    thought: bool = False
    said: bool = False

    async def hear(self, ask: Ask, heard: Heard) -> Events:
        """One round: what goes out to the caller."""
        async with aclosing(ask(self.asked)) as events:
            async for event in events:
                if self.found:
                    yield Sources(self.found)
                    self.found = ()
                if self.begins_anew(event, heard):
                    yield type(event)(GAP)
                if heard.hear(event):
                    yield event

    def begins_anew(self, event: Event, heard: Heard) -> TypeGuard[Thinking | Text]:
        """Whether thinking or words follow upon those of an earlier round."""
        match event:
            case Thinking():
                return self.thought and not heard.thinking
            case Text():
                return self.said and not heard.text
        return False

    def is_over(self, heard: Heard) -> bool:
        """Count what a round cost; tell whether it was the last one."""
        assert heard.done
        self.usage = add(self.usage, heard.done.usage)
        if self.asked.max_tokens is not None:
            room = self.asked.max_tokens - heard.done.usage.completion_tokens
            self.asked = replace(self.asked, max_tokens=max(1, room))
        return not heard.ours or bool(heard.theirs) or heard.done.reason == "length" or not self.left

    async def answer(self, heard: Heard) -> None:
        """Answer the calls of a round, so that the next one can be asked."""
        assert heard.done
        said = Message("assistant", heard.text, heard.thinking, tuple(heard.ours), written=heard.done.written)
        results = []
        for call in heard.ours:
            result = await self.tools.call(call, self.known)
            new = tuple(each for each in result.sources if each not in self.known)
            self.known += new
            self.found += new
            self.looked_up += (call.name,)
            results.append(Message("tool", result.text, call_id=call.id, name=call.name))
        self.asked = replace(self.asked, messages=(*self.asked.messages, said, *results))
        self.thought, self.said = self.thought or bool(heard.thinking), self.said or bool(heard.text)
        self.left -= 1
        if not self.left:
            self.forbid()

    def forbid(self) -> None:
        """From now on it answers: our tools are off the table, and with them the caller's where there are none."""
        self.left = 0
        kept = tuple(tool for tool in self.asked.tools if tool.name not in self.names)
        self.asked = replace(self.asked, tools=kept, tool_choice="auto" if kept else "none")

    def shorten(self) -> None:
        """Take the last results away, for which there was no room."""
        messages = list(self.asked.messages)
        at = len(messages) - 1
        while messages[at].role == "tool":
            messages[at] = replace(messages[at], content=NO_ROOM)
            at -= 1
        self.asked = replace(self.asked, messages=tuple(messages))
        self.found = ()
        self.forbid()


async def look(request: ChatRequest, tools: Tools, given: Sequence[Source], ask: Ask) -> Events:
    """The model's answer, given the tools on documents beside the caller's, which stand where names are the same.

    given: the passages that stand in the request. Raises what `ask` raises.
    """
    ours = tuple(tool for tool in TOOLS if tool.name not in {each.name for each in request.tools})
    names = frozenset(tool.name for tool in ours)
    rounds = Rounds(replace(request, tools=(*request.tools, *ours)), tools, names, list(given))
    while True:
        heard = Heard(names)
        try:
            async with aclosing(rounds.hear(ask, heard)) as events:
                async for event in events:
                    yield event
        except ContextTooLong:
            if not rounds.left or rounds.left == MOST_ROUNDS:
                raise
            rounds.shorten()
            continue
        if rounds.is_over(heard):
            assert heard.done
            written = () if heard.ours else heard.done.written
            yield replace(heard.done, usage=rounds.usage, written=written, looked_up=rounds.looked_up)
            return
        await rounds.answer(heard)


def add(one: Usage, other: Usage) -> Usage:
    """What two rounds cost together."""
    return Usage(*(mine + more for mine, more in zip(astuple(one), astuple(other), strict=True)))
