"""Word: paragraphs, headings and tables of a .docx as Markdown, its notes at the end."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ossian.rag.package import Package, attribute, local

DOCUMENT = "word/document.xml"
STYLES = "word/styles.xml"
NOTES = ("word/footnotes.xml", "word/endnotes.xml")
HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
DEEPEST = 6
SPACES = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def read_word(data: bytes) -> str:
    with Package(data) as package:
        levels = read_levels(package) if STYLES in package else {}
        parts = (DOCUMENT, *(name for name in NOTES if name in package))
        return "\n\n".join(block for name in parts for block in Blocks(levels).read(package, name))


def read_levels(package: Package) -> dict[str, int]:
    """Which styles are headings. Their ids are translated ("berschrift1"), their names are not ("heading 1")."""
    levels, style = {}, ""
    for event, element in package.walk(STYLES):
        tag = local(element.tag)
        if event == "start" and tag == "style":
            style = attribute(element, "styleId")
        elif event == "end" and tag == "name":
            name = attribute(element, "val")
            if match := HEADING.fullmatch(name):
                levels[style] = int(match[1])
            elif name.lower() == "title":
                levels[style] = 1
    return levels


class Blocks:
    """Gathers the text of one part, tag by tag."""

    def __init__(self, levels: dict[str, int]) -> None:
        self.levels = levels
        self.texts: list[str] = []  # of the paragraph
        self.level = 0  # of the paragraph, if it is a heading
        self.cells: list[str] = []  # of the table's row
        self.cell: list[str] = []
        self.rows: list[str] = []
        self.tables = 0  # how many we are inside of
        self.listed = False

    def read(self, package: Package, name: str) -> Iterator[str]:
        for event, element in package.walk(name):
            tag = local(element.tag)
            if event == "start":
                self.begin(tag)
            elif (block := self.end(tag, element)).strip():
                yield block

    def begin(self, tag: str) -> None:
        if tag == "p":
            self.level, self.listed = 0, False
        elif tag == "tbl":
            self.tables += 1

    def end(self, tag: str, element: Element) -> str:
        """What an ending tag adds; a block when one is complete."""
        match tag:
            case "t":
                self.texts.append(element.text or "")
            case "tab" | "br" | "cr" | "noBreakHyphen":
                self.texts.append(SPACES[tag])
            case "pStyle":
                self.level = self.levels.get(attribute(element, "val"), self.level)
            case "outlineLvl":
                self.level = self.level or int(attribute(element, "val") or 9) % 9 + 1
            case "numPr":
                self.listed = True
            case "p":
                element.clear()
                return self.end_paragraph()
            case "tc":
                self.cells.append(" ".join(self.cell))
                self.cell = []
            case "tr":
                self.rows.append(f"| {' | '.join(self.cells)} |")
                self.cells = []
                element.clear()
            case "tbl":
                element.clear()
                return self.end_table()
        return ""

    def end_paragraph(self) -> str:
        text, self.texts = "".join(self.texts).strip(), []
        if self.tables:
            self.cell += [text.replace("\n", " ")] if text else []
            return ""
        if self.level and text:
            return f"{'#' * min(self.level, DEEPEST)} {' '.join(text.split())}"
        return f"- {text}" if self.listed and text else text

    def end_table(self) -> str:
        self.tables -= 1
        if self.tables:
            return ""
        rows, self.rows = self.rows, []
        return "\n".join(rows)
