"""HTML as Markdown: headings, lists, tables and code stay what they are; scripts and styles go."""

import re
from html.parser import HTMLParser

from ossian.rag.read_text import read_text

CHARSET = re.compile(rb"""(?:<meta[^>]{0,99}?charset|<\?xml[^>]{0,99}?encoding)\s*=\s*["']?\s*([\w.:-]{1,40})""", re.I)
HEAD_BYTES = 4_096
UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "math", "select", "iframe", "object"})
BLOCKS = frozenset({
    "p", "div", "section", "article", "main", "header", "footer", "nav", "aside", "ul", "ol", "dl", "dt", "dd", "table",
    "blockquote", "figure", "figcaption", "form", "fieldset", "address", "details", "summary", "hr", "body", "title",
})  # fmt: skip
HEADINGS = {f"h{level}": f"{'#' * level} " for level in range(1, 7)}
BLANK_LINES = re.compile(r"\n[ \t]*\n\s*\n")


def read_html(data: bytes) -> str:
    """The text of a page; its encoding is what its mark or its head says, where that can be true."""
    said = CHARSET.search(data[:HEAD_BYTES])
    return read_markup(read_text(data, said[1].decode("ascii", "ignore") if said else ""))


def read_markup(markup: str) -> str:
    page = Page()
    page.feed(markup)
    page.close()
    return page.text()


class Page(HTMLParser):
    """Gathers what a person would read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.unseen: list[str] = []  # the tags we are inside of that show nothing
        self.verbatim = 0
        self.cells = 0  # of the row so far

    def text(self) -> str:
        return BLANK_LINES.sub("\n\n", "".join(self.pieces)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSEEN:
            self.unseen.append(tag)
        elif tag == "pre":
            self.verbatim += 1
            self.pieces.append("\n\n```\n")
        elif tag == "br":
            self.pieces.append("\n")
        elif tag == "tr":
            self.cells = 0
            self.pieces.append("\n")
        elif tag in ("td", "th"):
            self.pieces.append(" | " if self.cells else "")
            self.cells += 1
        elif tag == "img" and (seen := dict(attrs).get("alt")):
            self.pieces.append(f" {seen} ")
        else:
            self.pieces.append((HEADINGS.get(tag) and f"\n\n{HEADINGS[tag]}") or self.before(tag))

    def before(self, tag: str) -> str:
        return "\n- " if tag == "li" else "\n\n" if tag in BLOCKS else ""

    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            if tag in self.unseen:
                del self.unseen[self.unseen.index(tag) :]
        elif tag == "pre":
            self.verbatim = max(0, self.verbatim - 1)
            self.pieces.append("\n```\n\n")
        elif tag in HEADINGS or tag in BLOCKS:
            self.pieces.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self.unseen:
            return
        if self.verbatim:
            self.pieces.append(data)
        elif words := " ".join(data.split()):
            before = " " if data[0].isspace() else ""
            self.pieces.append(f"{before}{words}{' ' if data[-1].isspace() else ''}")
        elif self.pieces and not self.pieces[-1].endswith(("\n", " ")):
            self.pieces.append(" ")
