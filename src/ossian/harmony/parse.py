"""Read what gpt-oss writes, piece by piece, into Thinking, Text and ToolCall. Knows nothing of token ids.

Thinking and Text leave as soon as they are known to hold no tag; a ToolCall leaves whole, when its message ends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ossian.chat import Event, Text, Thinking, Tool, ToolCall
from ossian.harmony.arguments import is_object, repair_arguments
from ossian.harmony.header import Header, read_header
from ossian.harmony.render import Opening, Prompt, opening
from ossian.harmony.tags import CALL, CHANNEL, CONSTRAIN, END, END_OF_TEXT, MESSAGE, RETURN, START, TagFilter
from ossian.harmony.tools import tool_names

STUCK_WORDS = ("json", "code", "commentary", "analysis")
BETWEEN_MESSAGES = "\n\n"


@dataclass(slots=True)
class OpenMessage:
    """The message that is being written."""

    header: Header
    tags: TagFilter = field(default_factory=TagFilter)
    arguments: list[str] = field(default_factory=list)
    has_spoken: bool = False

    @property
    def recipient(self) -> str:
        """The tool's name as the model knows it; "" when the message is for the person."""
        name = self.header.recipient.removeprefix("functions.")
        return "" if name in ("all", "user", "assistant") else name


class Parser:
    """Reads one answer.

    >>> parser = Parser(new_id=lambda: "call_1")
    >>> parser.feed("<|channel|>", ""), parser.feed(None, "final"), parser.feed("<|message|>", "")
    ([], [], [])
    >>> parser.feed(None, "Hi")
    [Text(text='Hi', logprobs=())]
    """

    def __init__(self, tools: Sequence[Tool] = (), *, new_id: Callable[[], str], where: Opening = "header") -> None:
        self._names = tool_names(tools)
        self._tools = {tool.name: tool for tool in tools}
        self._new_id = new_id
        self._header = ""
        self._message = None if where == "header" else OpenMessage(Header(channel=where))
        self._spoken: set[type[Text] | type[Thinking]] = set()
        self._over = False
        self.keeps_tags = False
        """Tags that are spelled in the final answer are what was asked for."""
        self.answered = False
        """A word of Text or a ToolCall has come."""

    @classmethod
    def after(cls, prompt: Prompt, tools: Sequence[Tool], new_id: Callable[[], str]) -> "Parser":
        """A parser for what is written behind a prompt."""
        return cls(tools, new_id=new_id, where=opening(prompt))

    @property
    def channel(self) -> str | None:
        """The channel of the open message ("" when it named none); None within a header."""
        return self._message.header.channel if self._message else None

    @property
    def recipient(self) -> str:
        """The tool that is being called, by the name the model sees; "" when none is."""
        return self._message.recipient if self._message else ""

    @property
    def called(self) -> str:
        """The tool that is being called, by the client's name."""
        return self._client_name(self.recipient)

    @property
    def in_final(self) -> bool:
        """The final answer is being written: now a format binds."""
        return self.channel == "final" and not self.recipient

    @property
    def is_thinking(self) -> bool:
        """The analysis is being written."""
        return self.channel == "analysis" and not self.recipient

    def feed(self, token: str | None, text: str) -> list[Event]:
        """Take one piece: a special token by its name, or (None) ordinary text."""
        if self._over:
            return []
        if token is None:
            return self._write(text)
        match token:
            case _ if token in (CHANNEL, CONSTRAIN, MESSAGE):
                return self._take_header_tag(token)
            case _ if token == START:
                events = self._close()
                self._header = START
                return events
            case _ if token in (END, CALL, RETURN, END_OF_TEXT):
                self._over = token in (RETURN, END_OF_TEXT)
                return self._close(is_call=token == CALL)
        return []

    def finish(self, *, cut: bool = False) -> list[Event]:
        """No more comes: give out what was held back. A call that was `cut` short is none, and no text either."""
        if cut and self._message and self.recipient and not is_object("".join(self._message.arguments)):
            self._message = None
        events = self._close()
        self._over = True
        return events

    def _take_header_tag(self, tag: str) -> list[Event]:
        if self._message is None:
            return self._write(tag)
        if tag != CHANNEL:
            return []
        events = self._close()  # The model forgot to end the message before.
        return events + self._write(CHANNEL)

    def _write(self, text: str) -> list[Event]:
        if self._message is not None:
            return self._say(self._message, text)
        self._header += text
        reading = read_header(self._header)
        if reading is None:
            return []
        text, self._header = self._header[reading.begins :], ""
        self._message = OpenMessage(reading.header)
        return self._say(self._message, text)

    def _say(self, message: OpenMessage, text: str) -> list[Event]:
        """Text of an open message: shown, or kept for the call."""
        if not message.header.is_ours:
            return []
        if message.recipient:
            message.arguments.append(text)
            return []
        return self._show(message, text if self.keeps_tags and self.in_final else message.tags.feed(text))

    def _show(self, message: OpenMessage, text: str) -> list[Event]:
        if not text:
            return []
        kind = Thinking if message.header.channel == "analysis" and not message.recipient else Text
        apart = BETWEEN_MESSAGES if kind in self._spoken and not message.has_spoken else ""
        message.has_spoken = True
        self._spoken.add(kind)
        self.answered |= kind is Text and bool(text.strip())
        return [kind(apart + text)]

    def _close(self, *, is_call: bool = False) -> list[Event]:
        """End the open message, or the header that stops short of one."""
        events: list[Event] = []
        if self._message is None:
            reading = read_header(self._header, ended=True)
            text = self._header[reading.begins :] if reading else ""
            self._header = ""
            if reading is None or not (text or (is_call and reading.header.recipient)):
                return []
            self._message = OpenMessage(reading.header)
            events = self._say(self._message, text)
        message, self._message = self._message, None
        if message.recipient and message.header.is_ours:
            return events + self._call(message)
        return events + self._show(message, message.tags.finish())

    def _call(self, message: OpenMessage) -> list[Event]:
        """The call as an event; as text when its arguments cannot be understood, so that nothing is lost."""
        written = "".join(message.arguments)
        name = self._client_name(message.recipient)
        arguments = repair_arguments(written, self._tools.get(name))
        if arguments is None:
            return self._show(message, message.tags.feed(written) + message.tags.finish())
        self.answered = True
        return [ToolCall(self._new_id(), name, arguments)]

    def _client_name(self, recipient: str) -> str:
        """The client's name of a tool. One that was not offered goes out all the same: the client knows what to say."""
        if recipient in self._names or recipient in self._tools:
            return self._names.get(recipient, recipient)
        cut = (recipient.removesuffix(word) for word in STUCK_WORDS if recipient.endswith(word))
        return next((self._names[name] for name in cut if name in self._names), recipient)
