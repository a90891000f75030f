r"""Code at the cursor: gpt-oss was never taught to fill in the middle, so it is asked in a conversation.

The final channel stands open, and in it the code before the cursor: the model goes on with code and nothing else.
"""

import datetime
import re

from ossian.chat import ChatRequest, Message
from ossian.harmony.render import Prompt, render

CURSOR = "[CURSOR]"
INSTRUCTIONS = (
    "You complete code in an editor. Write the code that belongs at the cursor and nothing else: no explanation, "
    "nothing that stands before or after the cursor already."
)
FENCE = "```"
OPENERS, CLOSERS, QUOTES = "([{", ")]}", "\"'`"
REPEATED_LINES = 12  # of the code before the cursor, said again by the model, so that it goes on from there


def render_infill(model: str, prefix: str, suffix: str, *, today: datetime.date) -> Prompt:
    """The prompt that asks for what stands between two pieces of code."""
    asked = f"Complete this code at {CURSOR}:\n\n{FENCE}\n{prefix}{CURSOR}{suffix}\n{FENCE}"
    started = "".join(prefix.splitlines(keepends=True)[-REPEATED_LINES:]).rstrip(" \t")
    messages = (Message("system", INSTRUCTIONS), Message("user", asked), Message("assistant", f"{FENCE}\n{started}"))
    asked_so = ChatRequest(model, messages, reasoning="low", think=False)
    return render(asked_so, today=today, order="official")  # so short that another order would save nothing


class InfillCutter:
    r"""Lets out what belongs at the cursor: up to the end of the line where code follows on it, else of the block.

    >>> cutter = InfillCutter("def twice(x):\n    ", "\n\nprint(twice(2))\n")
    >>> cutter.feed("    return 2 * x\n\nprint(twi"), cutter.feed("ce(2))\n"), cutter.ended
    ('return 2 * x', '', True)
    """

    def __init__(self, prefix: str, suffix: str) -> None:
        before = prefix.rpartition("\n")[2]
        self._typed = before if not before.strip() else ""  # blanks before the cursor, which the model writes again
        self._depth = depth(before)
        rest, _, below = suffix.partition("\n")
        self._rest = rest if rest.strip() else ""
        self._next = next((line.strip() for line in below.splitlines() if line.strip()), "")
        self._line = ""
        self._gap = ""  # ends of lines, let out when something comes after them
        self._first = True
        self.ended = False

    def feed(self, text: str) -> str:
        """What may be shown now: whole lines."""
        shown = []
        self._line += "" if self.ended else text
        while "\n" in self._line and not self.ended:
            line, self._line = self._line.split("\n", 1)
            shown.append(self._take(line))
            self._gap += "\n"
        return "".join(shown)

    def finish(self) -> str:
        """The last line, when no more comes."""
        line, self._line = self._line, ""
        return "" if self.ended or not line else self._take(line)

    def _take(self, line: str) -> str:
        first, self._first = self._first, False
        if first:
            line = line.removeprefix(self._typed)
        if self._ends_before(line, first):
            self.ended = True
            return ""
        if self._rest:
            self.ended = True
            return drop_overlap(line, self._rest)
        if not line.strip() and not first:
            return ""
        gap, self._gap = self._gap, ""
        return gap + line

    def _ends_before(self, line: str, first: bool) -> bool:
        """A line that is no longer ours: the fence, the code that follows already, or one outside the block."""
        stripped = line.strip()
        if stripped.startswith(FENCE) or (stripped and stripped == self._next and not first):
            return True
        return bool(stripped) and not first and depth(line) < self._depth


def depth(line: str) -> int:
    """Columns of blank before a line's first word."""
    wide = line.expandtabs(4)
    return len(wide) - len(wide.lstrip())


def drop_overlap(line: str, rest: str) -> str:
    """A line without the end of it that the rest of the line says already.

    >>> drop_overlap("a, b)", ") -> int:"), drop_overlap("len(x)", ")"), drop_overlap("or True", "else c")
    ('a, b', 'len(x)', 'or True')
    """
    for size in range(len(rest), 0, -1):
        if line.endswith(rest[:size]) and is_said_twice(line, rest, size):
            return line[:-size]
    return line


def is_said_twice(line: str, rest: str, size: int) -> bool:
    """Whether the line's end is not its own: no part of a word, and no bracket or quote that is opened in the line."""
    end = rest[:size]
    if is_inside_word(line, len(line) - size) or is_inside_word(rest, size):
        return False
    if any(end.count(mark) % 2 and not line.count(mark) % 2 for mark in QUOTES):
        return False
    return count_unopened(end) <= count_unopened(line)


def is_inside_word(text: str, place: int) -> bool:
    return bool(re.search(r"\w\Z", text[:place]) and re.match(r"\w", text[place:]))


def count_unopened(text: str) -> int:
    """Closing brackets that nothing in the text opens.

    >>> count_unopened("f(a))"), count_unopened("f(a)")
    (1, 0)
    """
    unopened = depth = 0
    for sign in text:
        depth += (sign in OPENERS) - (sign in CLOSERS)
        if depth < 0:
            unopened, depth = unopened + 1, 0
    return unopened
