"""What stands where in a prompt: as the official renderer has it, or so that what was read once need not be read again.

An engine goes on from the longest beginning that it has read before. In the order "cache" all that is the same in every
chat comes first, tools and instructions; what differs between chats follows, each line word for word; and what
the model thought before its calls stays, since taking it out would change all that follows it.
"""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from ossian.chat import ChatRequest, Message

Order = Literal["cache", "official"]

UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
LONG_RUN = r"(?<![0-9A-Za-z])(?=(?:[A-Za-z]*[0-9]){4})[0-9A-Za-z]{16,}(?![0-9A-Za-z])"
LONG_NUMBER = r"(?<![0-9.])[0-9]{10,}(?![0-9.])"
CHATS_OWN = re.compile(f"{UUID}|{LONG_RUN}|{LONG_NUMBER}")
"""What a program makes up anew for each chat: ids, hashes, times in seconds or milliseconds."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = rf"(?P<month>{'|'.join(MONTHS)})[a-z]*"
DATES = (
    re.compile(r"(?<!\d)(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?!\d)"),
    re.compile(rf"\b{MONTH}\.? (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.? {MONTH}\.?,? (?P<year>\d{{4}})\b", re.IGNORECASE),
)
DAYS_OF_A_CHAT = 31  # a date this near to today is the chat's; any other one, say of an API's version, is a fixed word
MOST_LINES = 8  # a text with more of them holds data, whose lines belong together
FENCE = "```"


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a prompt.

    dated           the date stands in the system message
    tools_first     tools stand before the instructions, not behind them
    instructions    what the developer message says beside the tools
    closing         the end of that message: what differs between chats
    turns           all that follows, developer messages among it
    """

    turns: tuple[Message, ...]
    instructions: tuple[str, ...] = ()
    closing: str = ""
    dated: bool = True
    tools_first: bool = False


def arrange(
    request: ChatRequest, messages: Sequence[Message], today: datetime.date, order: Order, *, lean: bool
) -> Layout:
    """Lay the messages of a request out. lean: forget also those thoughts that only the cache wants kept."""
    if order == "cache":
        return arrange_for_cache(forget(messages) if lean else forget_answered(messages), bool(request.tools), today)
    said = tuple(message.content for message in messages if is_instruction(message) and message.content)
    turns = (replace(message, written=()) for message in forget(messages) if not is_instruction(message))
    return Layout(tuple(turns), said)


def arrange_for_cache(messages: Sequence[Message], has_tools: bool, today: datetime.date) -> Layout:
    """Tools, instructions, then what changes: behind a first message that another one of the person follows at once.

    Editors describe the project in such a message, and it is the same in each of its chats.
    """
    first = list(takewhile(is_instruction, messages))
    turns = tuple(messages[len(first) :])
    parted = [part(message.content, today) for message in first]
    instructions = tuple(stays for stays, _ in parted if stays.strip())
    if not (instructions or has_tools):
        return Layout(tuple(messages))
    closing = "\n".join([*(goes for _, goes in parted if goes), f"Current date: {today.isoformat()}"])
    if len(turns) > 1 and turns[0].role == turns[1].role == "user":
        turns = (turns[0], Message("developer", closing), *turns[1:])
        closing = ""
    return Layout(turns, instructions, closing, dated=False, tools_first=True)


def part(text: str, today: datetime.date) -> tuple[str, str]:
    r"""A text without the lines that are another chat's by their ids or dates, and those lines.

    >>> part("Be kind.\nLog: /tmp/31c3efb1-4073-48e3-9bfd-f577132006cc\nBye.", datetime.date(2026, 11, 22))
    ('Be kind.\nBye.', 'Log: /tmp/31c3efb1-4073-48e3-9bfd-f577132006cc')
    """
    stays: list[str] = []
    goes: list[str] = []
    is_code = False
    for line in text.split("\n"):
        is_code ^= line.lstrip().startswith(FENCE)
        (goes if not is_code and is_changing(line, today) else stays).append(line)
    return ("\n".join(stays), "\n".join(goes)) if len(goes) <= MOST_LINES else (text, "")


def is_changing(line: str, today: datetime.date) -> bool:
    return bool(CHATS_OWN.search(line)) or any(
        abs(date - today) <= datetime.timedelta(DAYS_OF_A_CHAT) for date in find_dates(line)
    )


def find_dates(line: str) -> Iterator[datetime.date]:
    """The days a line names, in figures or with the month's English name."""
    for match in (match for pattern in DATES for match in pattern.finditer(line)):
        named = match["month"][:3].lower()
        month = MONTHS.index(named) + 1 if named in MONTHS else int(match["month"])
        try:
            yield datetime.date(int(match["year"]), month, int(match["day"]))
        except ValueError:
            continue


def is_instruction(message: Message) -> bool:
    return message.role in ("system", "developer")


def is_final(message: Message) -> bool:
    return message.role == "assistant" and bool(message.content) and not message.calls


def forget(messages: Sequence[Message]) -> list[Message]:
    """The messages without any thought that a final answer follows, as harmony's guide has it."""
    answered = count_answered(messages)
    return [without_thoughts(message) for message in messages[:answered]] + list(messages[answered:])


def forget_answered(messages: Sequence[Message]) -> list[Message]:
    """The messages without the thoughts behind final answers; those before a call are kept."""
    answered = count_answered(messages)
    past = [message if message.calls else without_thoughts(message) for message in messages[:answered]]
    return past + list(messages[answered:])


def count_answered(messages: Sequence[Message]) -> int:
    """How many messages there are up to the last final answer."""
    return max((index + 1 for index, message in enumerate(messages) if is_final(message)), default=0)


def without_thoughts(message: Message) -> Message:
    return replace(message, thinking="", written=())
