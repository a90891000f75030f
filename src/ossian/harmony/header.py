"""Read the header of a message as a model writes it, mistakes included. Knows nothing of what the message says.

A header should be `assistant<|channel|>commentary to=functions.x <|constrain|>json<|message|>`. Met in the wild:
the recipient before the channel or stuck to it, words without their tag, no `<|message|>` at all. So words are read
one by one; the first that no header has is where the message begins.
"""

import re
from dataclasses import dataclass, replace

from ossian.harmony.tags import CHANNEL, CONSTRAIN, MESSAGE, START, TAG_BEGINNINGS, TAGS

CHANNELS = ("analysis", "commentary", "final")
ROLES = ("assistant", "user", "system", "developer", "tool")
CONTENT_TYPES = ("json", "code", "text", "python")
HEADER_WORDS = (*CHANNELS, *ROLES, *CONTENT_TYPES, "to=", "functions.")

LONGEST_WORD = 200
LONGEST_HEADER = 1_000

TAG = re.compile("|".join(map(re.escape, TAGS)))
WORD = re.compile(r"[A-Za-z0-9_.$:/=-]+")
SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says. `awaits` is what the next word has to be: "role", "channel", "recipient", "type" or ""."""

    role: str = "assistant"
    channel: str = ""
    recipient: str = ""
    awaits: str = ""

    @property
    def is_ours(self) -> bool:
        """False for a turn of somebody else, such as a tool's result, that the model makes up."""
        return self.role == "assistant" or (self.role not in ROLES and self.recipient != "assistant")


@dataclass(frozen=True, slots=True)
class Reading:
    """A header that was read to its end, and where in the text the message begins."""

    header: Header
    begins: int


def read_header(text: str, *, ended: bool = False) -> Reading | None:
    """Read a header; None while more has to come. `ended`: nothing will, give back what is not a header's.

    >>> read_header("<|channel|>comment")
    >>> read_header("<|channel|>analysisWe need")
    Reading(header=Header(role='assistant', channel='analysis', recipient='', awaits=''), begins=19)
    """
    reader = HeaderReader(text, ended or len(text) > LONGEST_HEADER)
    while reader.begins is None:
        if not reader.read_next():
            return None
    return Reading(reader.header, reader.begins)


class HeaderReader:
    """Goes through a text word by word. What it decides never depends on text still to come."""

    def __init__(self, text: str, ended: bool) -> None:
        self.header = Header()
        self.begins: int | None = None
        self._text = text
        self._ended = ended
        self._at = 0
        # A word that may be a header's or the first one of the message: where it stands, and the header without it.
        self._doubt: tuple[int, Header] | None = None

    def read_next(self) -> bool:
        """Read one tag or word; False when it is not yet whole."""
        self._skip_space()
        rest = self._text[self._at :]
        if not rest:
            return self._ended and self._end()
        if tag := TAG.match(rest):
            return self._take_tag(tag[0])
        if rest in TAG_BEGINNINGS:
            return self._ended and self._end()
        word = WORD.match(rest)
        length = len(word[0]) if word else 0
        if 0 < length == len(rest) and length <= LONGEST_WORD and not self._ended:
            return False
        if word is None or length > LONGEST_WORD:
            return self._begin(self._at)
        return self._take_words(word[0])

    def _skip_space(self) -> None:
        space = SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _take_tag(self, tag: str) -> bool:
        self._at += len(tag)
        self._doubt = None
        match tag:
            case _ if tag == MESSAGE:
                self.begins = self._at
            case _ if tag == START:
                self.header = Header(awaits="role")
            case _ if tag == CHANNEL:
                self.header = replace(self.header, channel="", awaits="channel")
            case _ if tag == CONSTRAIN:
                self.header = replace(self.header, awaits="type")
        return True

    def _take_words(self, run: str) -> bool:
        """Take a run of letters, in which several words may be stuck together."""
        start, end = self._at, self._at + len(run)
        while self._at < end:
            known = self._find_known(self._text[self._at : end])
            if not known:
                return self._take_other(self._text[self._at : end], stuck=self._at > start)
            self._take_known(known, alone=known == run)
            self._at += len(known)
        return True

    def _find_known(self, rest: str) -> str:
        """The channel or role that the rest of a run begins with; "finally" does not begin with "final"."""
        for word in self._known_now():
            after = rest.removeprefix(word)
            is_whole = not after or not re.match(r"[a-z_.-]", after) or after.startswith(("to=", *CHANNELS, *ROLES))
            if after != rest and (is_whole or self.header.awaits == "channel"):
                return word
        return ""

    def _known_now(self) -> tuple[str, ...]:
        if self.header.awaits == "role":
            return ROLES + CHANNELS
        return CHANNELS if self.header.channel else (*CHANNELS, "assistant")

    def _take_known(self, word: str, alone: bool) -> None:
        before = self.header
        expected = before.awaits == ("role" if word in ROLES else "channel") or before.recipient
        if alone and not expected and self._doubt is None:
            self._doubt = (self._at, before)  # "final answer: 4" may be an answer.
        if word in ROLES:
            self.header = replace(before, role=word, awaits="")
            return
        self.header = replace(before, channel=word, awaits="type" if before.recipient else "")

    def _take_other(self, word: str, stuck: bool) -> bool:
        """Take a recipient, a content type, or a word that only its place may explain."""
        header = self.header
        if word.startswith(("to=", "functions.")) or header.awaits == "recipient":
            recipient = word.removeprefix("to=")
            role = word if header.awaits == "role" and recipient == word else header.role
            self.header = replace(header, role=role, recipient=recipient, awaits="type" if recipient else "recipient")
            self._doubt = None
        elif header.awaits == "type" and word.casefold() in CONTENT_TYPES:
            self.header = replace(header, awaits="")
            self._doubt = None
        elif header.awaits and not stuck and self._doubt is None:
            self._doubt = (self._at, header)
            self.header = self._explain(word)
        else:
            return self._begin(self._at)
        self._at += len(word)
        return True

    def _explain(self, word: str) -> Header:
        header = replace(self.header, awaits="")
        match self.header.awaits:
            case "role":
                return replace(header, role=word)
            case "channel":
                return replace(header, channel=word.lower())
            case _:
                return header

    def _begin(self, at: int) -> bool:
        """The message begins here, or with the word that was in doubt."""
        self.begins = at
        if self._doubt is not None:
            self.begins, self.header = self._doubt
        return True

    def _end(self) -> bool:
        """The text stops in the header: a word in doubt is given back, unless a header's word was being written."""
        self.begins = len(self._text)
        if self._doubt is not None:
            at, header = self._doubt
            word = self._text[at:].split("<")[0].strip()
            if not any(known.startswith(word) for known in HEADER_WORDS):
                self.begins, self.header = at, header
        return True
