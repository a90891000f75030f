"""PowerPoint: the slides in the order they are shown, each a page, with its title as a heading and its notes."""

from ossian.rag.package import Package, attribute, local

PRESENTATION = "ppt/presentation.xml"
TITLES = ("title", "ctrTitle")
RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
STRICT_RELATION_ID = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
NOT_CONTENT = ("sldNum", "dt", "ftr", "hdr", "sldImg")  # page numbers, dates, what stands on every slide


def read_powerpoint(data: bytes) -> list[str]:
    with Package(data) as package:
        relations = package.relations(PRESENTATION)
        ids = [
            element.get(RELATION_ID) or element.get(STRICT_RELATION_ID) or ""
            for event, element in package.walk(PRESENTATION)
            if event == "end" and local(element.tag) == "sldId"
        ]
        return [read_slide(package, relations[key]) for key in ids if key in relations]


def read_slide(package: Package, name: str) -> str:
    if name not in package:
        return ""
    lines = read_shapes(package, name)
    for target in package.relations(name).values():
        if "/notesSlides/" in target and target in package and (notes := read_shapes(package, target)):
            lines += ["Notes:", *notes]
    return "\n\n".join(lines)


def read_shapes(package: Package, name: str) -> list[str]:
    """The paragraphs of all shapes, a table's cells among them."""
    lines: list[str] = []
    texts: list[str] = []
    place = ""  # what the shape is there for
    for event, element in package.walk(name):
        match event, local(element.tag):
            case "start", "sp":
                place = ""
            case "end", "ph":
                place = attribute(element, "type")
            case "end", "t":
                texts.append(element.text or "")
            case "end", "br":
                texts.append(" ")
            case "end", "p":
                text, texts = "".join(texts).strip(), []
                element.clear()
                if text and place not in NOT_CONTENT:
                    lines.append(f"# {text}" if place in TITLES else text)
    return lines
