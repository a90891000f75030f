"""EPUB: the chapters of a book in the order of its spine."""

import posixpath
from urllib.parse import unquote

from ossian.errors import Unreadable
from ossian.rag.package import Package, local, resolve
from ossian.rag.read_html import read_html

CONTAINER = "META-INF/container.xml"
RIGHTS = "META-INF/encryption.xml"


def read_epub(data: bytes) -> str:
    with Package(data) as package:
        chapters = [read_html(package.part(name)) for name in read_spine(package) if name in package]
        text = "\n\n".join(chapters)
        if RIGHTS in package and not text.strip():
            raise Unreadable("encrypted: its chapters are locked (DRM)")
        return text


def read_spine(package: Package) -> list[str]:
    """The names of the chapters, in order."""
    roots = [element.get("full-path") for _, element in package.walk(CONTAINER) if local(element.tag) == "rootfile"]
    if not roots or not roots[0]:
        raise Unreadable(f"damaged: {CONTAINER} names no book")
    names: dict[str, str] = {}
    order: list[str] = []
    for event, element in package.walk(roots[0]):
        if event == "end" and local(element.tag) == "item":
            names[element.get("id", "")] = element.get("href", "")
        elif event == "end" and local(element.tag) == "itemref":
            order.append(element.get("idref", ""))
    folder = posixpath.dirname(roots[0])
    return [resolve(folder, unquote(names[key])) for key in order if key in names]
