"""Passages as the model reads them, and its citations as people click them. Pure.

A citation is checked against what was given: a known number becomes a link that opens the file, an unknown one goes.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from ossian.chat import Source
from ossian.rag.given import Given
from ossian.rag.kinds import is_plain, kind_of

INSTRUCTION = "Answer only from the passages below, cite their numbers like [1], and say so if they do not suffice."
LABEL = "Passages:"
# gpt-oss was trained to cite as 【1†L3-L8】; most write [1], [1, 2] or [1-3], some with a link of their own behind it.
NUMBERS = r"\d{1,6}(?:\s?[,;–-]\s?\d{1,6})*"
CITATION = re.compile(
    rf"\[\[({NUMBERS})\]\](?:\([^()\n]{{0,300}}\))?|\[({NUMBERS})\](?:\([^()\n]{{0,300}}\))?|"
    r"【(\d{1,6})(?:†[^【】\n]{0,60})?】"
)
UNFINISHED = re.compile(
    r"\[{1,2}(?:\d[\d\s,;–-]{0,40}(?:\]{1,2}(?:\([^()\n]{0,300})?)?)?|【(?:\d{1,6}(?:†[^【】\n]{0,60})?)?"
)
# Where a link leads that the model makes up by itself: nobody has checked it.
FILE_TARGET = re.compile(r"\]\(\s*<?file:[^()\n]{0,500}\)", re.IGNORECASE)
UNFINISHED_TARGET = re.compile(r"\](?:\((?:\s*<?(?:f|fi|fil|file|file:[^()\n]{0,500})?)?)?\Z", re.IGNORECASE)
LINK = re.compile(r"\[\[(\d+)\]\]\(file://[^)\s]*(?: \"[^\"]*\")?\)")
MADE_UP = re.compile(r"^(\[\[.*\]\]|\[.*\](?=\(\s*<?file:))\(.*\)$", re.IGNORECASE)
MOST_NUMBERS = 10  # of a range
CHANGED_TITLE = "the file has changed since it was read"
LIST_TITLE = "Sources"
LIST = re.compile(rf"\n*\*\*{LIST_TITLE}\*\*\n(?:\n?- \[\d+\] [^\n]*)+\s*$")
SILENT = "*The documents ({names}) do not cover this; what follows is not from them.*\n\n"
SILENT_SAID = re.compile(r"^\*The documents \([^)\n]*\) do not cover this; what follows is not from them\.\*\n\n")


def write_given(given: Given) -> str:
    """What stands behind a question: the passages with their numbers, byte for byte the same each time."""
    if not given.passages:
        return ""
    passages = "\n\n".join(f"[{each.number}] {write_place(each)}\n{each.text}" for each in given.passages)
    return f"\n\n{INSTRUCTION}\n\n{LABEL}\n{passages}"


def write_place(source: Source) -> str:
    """Where a passage stands, for the eye.

    >>> write_place(Source(1, "books", "/a/b.py", 3, 9, None, ""))
    '/a/b.py:3'
    >>> write_place(Source(1, "books", "/a/b.pdf", 3, 9, 2, ""))
    '/a/b.pdf, page 2'
    """
    if source.page:
        return f"{source.path}, page {source.page}"
    return f"{source.path}:{source.first_line}" if has_lines(source.path) else source.path


def has_lines(path: str) -> bool:
    """Whether the lines of a passage are those of its file, and not, as with Word, of a text that was taken from it."""
    return is_plain(kind_of(Path(path)))


def link_to(source: Source) -> str:
    """An address that opens the file at the passage: editors know #L12, PDF viewers #page=12.

    >>> link_to(Source(1, "books", "/a/b c.py", 3, 9, None, ""))
    'file:///a/b%20c.py#L3'
    """
    line = f"#L{source.first_line}" if has_lines(source.path) else ""
    place = f"#page={source.page}" if source.page else line
    return f"file://{quote(source.path)}{place}"


def write_link(source: Source) -> str:
    title = f' "{CHANGED_TITLE}"' if source.changed else ""
    return f"[[{source.number}]]({link_to(source)}{title})"


def write_sources(sources: Iterable[Source]) -> str:
    """The cited passages as a list under an answer, for doors that have no field for them; empty without any."""
    lines = [
        f"- [{each.number}] [{write_place(each)}]({link_to(each)})" + (f" ({CHANGED_TITLE})" if each.changed else "")
        for each in sources
        if each.cited
    ]
    return f"\n\n**{LIST_TITLE}**\n\n" + "\n".join(lines) if lines else ""


def write_silence(collections: Sequence[str]) -> str:
    """What an answer begins with when the documents have nothing on the question."""
    return SILENT.format(names=", ".join(collections))


def read_said(text: str) -> str:
    """An earlier answer as the model wrote it, without what was put in here: so the cache knows it again.

    >>> read_said("Yes [[2]](file:///a.py#L3).")
    'Yes [2].'
    """
    return LINK.sub(r"[\1]", LIST.sub("", SILENT_SAID.sub("", text)))


class Citer:
    """Checks the citations of one answer while it streams. Code is left alone: `a[1]` is no citation there."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.sources: dict[int, Source] = {}
        self.learn(sources)
        self.cited: set[int] = set()
        self._held = ""
        self._before = ""  # the last character that was let out
        self._code = ""  # the mark that ends the code we are in

    def learn(self, sources: Iterable[Source]) -> None:
        """More passages that may be cited from now on."""
        self.sources.update((source.number, source) for source in sources)

    def feed(self, text: str) -> str:
        """What can be said of the text so far; the beginning of a citation is held back."""
        return self._let_out(self._held + text, ended=False)

    def finish(self) -> str:
        return self._let_out(self._held, ended=True)

    def _let_out(self, text: str, *, ended: bool) -> str:
        said, place = "", 0
        while place < len(text):
            step, length = self._next(text, place, ended)
            if length == 0:
                break
            said, place = said + step, place + length
            self._before = step[-1:] or self._before
        self._held = text[place:]
        return said

    def _next(self, text: str, place: int, ended: bool) -> tuple[str, int]:
        """The next piece to be said, and how much of the text it takes; 0: more must come first."""
        sign = text[place]
        if sign in "`~":
            return self._pass_mark(text, place, ended)
        if sign == "\n" and self._code in ("`", "``"):
            self._code = ""  # code within a line ends with it
        if sign == "]" and not self._code:
            if not ended and UNFINISHED_TARGET.match(text, place):
                return "", 0
            target = FILE_TARGET.match(text, place)
            return ("] ", len(target[0])) if target else (sign, 1)  # or what follows would be its target
        if self._code or sign not in " [【":
            return sign, 1
        start = place
        while start < len(text) and text[start] == " ":
            start += 1
        if not ended and self._may_go_on(text, start):
            return "", 0
        if found := CITATION.match(text, start):
            return self._cite(found, text[place:start])
        length = max(1, start - place)
        return text[place : place + length], length

    def _may_go_on(self, text: str, start: int) -> bool:
        """Whether what stands here may be a citation, or a longer one, once more has come."""
        found = UNFINISHED.match(text, start)
        return start == len(text) or bool(found and found.end() == len(text))

    def _pass_mark(self, text: str, place: int, ended: bool) -> tuple[str, int]:
        """A run of ` or ~ as it is: it may begin or end code."""
        run = re.match(r"`+|~+", text[place:])
        assert run
        if run.end() == len(text) - place and not ended:
            return "", 0
        mark = run[0]
        at_start = self._before in ("", "\n")
        if self._code:
            ends = mark.startswith(self._code) if len(self._code) > 2 else mark == self._code
            self._code = "" if ends else self._code
        elif mark.startswith("`") or (len(mark) > 2 and at_start):
            self._code = mark
        return mark, len(mark)

    def _cite(self, found: re.Match[str], space: str) -> tuple[str, int]:
        """Links in the place of a citation. One that nothing was given for goes, with the space before it."""
        taken = len(space) + found.end() - found.start()
        numbers = read_numbers(found[1] or found[2] or found[3])
        known = [self.sources[number] for number in numbers if number in self.sources]
        self.cited.update(source.number for source in known)
        if known:
            return space + "".join(map(write_link, known)), taken
        attached = not space and (self._before.isalnum() or self._before in ("_", ")", "]"))
        # Behind a word without a space it is an index, as in scores[0]; and nothing is ever numbered 0.
        return (space + MADE_UP.sub(r"\1 ", found[0]), taken) if attached or numbers == [0] else ("", taken)


def read_numbers(text: str) -> list[int]:
    """
    >>> read_numbers("1"), read_numbers("2, 5"), read_numbers("1-3")
    ([1], [2, 5], [1, 2, 3])
    """
    numbers: list[int] = []
    for part in re.split(r"[,;]", text):
        first, *last = (int(number) for number in re.split(r"[–-]", part.replace(" ", "")) if number)
        numbers += range(first, min(last[-1], first + MOST_NUMBERS - 1) + 1) if last else [first]
    return numbers
