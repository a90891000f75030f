"""A zip file full of XML, as Word, PowerPoint and EPUB are: bounded, whatever it claims to be."""

import posixpath
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Self
from xml.etree.ElementTree import Element
from zipfile import BadZipFile, ZipFile

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ossian.errors import Unreadable

MOST_BYTES_UNPACKED = 400 << 20  # of all parts that are read
MOST_PARTS = 50_000
OLD_OFFICE = b"\xd0\xcf\x11\xe0"  # also how Office encrypts its newer files
RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


class Package:
    """An open package. What its parts unpack to is counted, and too much of it is refused before it is unpacked."""

    def __init__(self, data: bytes) -> None:
        if data.startswith(OLD_OFFICE):
            raise Unreadable("encrypted, or in the format of before 2007")
        try:
            self.zip = ZipFile(BytesIO(data))
        except BadZipFile as error:
            raise Unreadable("damaged, or not what its name says: it is no zip file") from error
        if len(self.zip.infolist()) > MOST_PARTS:
            raise Unreadable(f"it has {len(self.zip.infolist()):,} parts, and at most {MOST_PARTS:,} are looked at")
        self.left = MOST_BYTES_UNPACKED

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self.zip.NameToInfo

    def count(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Unreadable(f"it unpacks to more than {MOST_BYTES_UNPACKED >> 20} MB, as a zip bomb does")

    def count_all(self) -> None:
        """Refuse what is too much as a whole, before a library unpacks it that does not count."""
        self.count(sum(info.file_size for info in self.zip.infolist()))

    def part(self, name: str) -> bytes:
        """The bytes of a part. zipfile itself gives never more than the part says it has."""
        try:
            info = self.zip.getinfo(name)
            self.count(info.file_size)
            return self.zip.read(info)
        except KeyError as error:
            raise Unreadable(f"damaged: it has no {name}") from error
        except (BadZipFile, zlib.error, EOFError) as error:
            raise Unreadable(f"damaged: {name} cannot be unpacked") from error
        except (RuntimeError, NotImplementedError) as error:  # so zipfile says that a password is wanted
            raise Unreadable("encrypted: it wants a password") from error

    def walk(self, name: str) -> Iterator[tuple[str, Element]]:
        """The tags of a part, ("start" or "end", element), without recursion and with entities refused."""
        try:
            yield from iterparse(BytesIO(self.part(name)), ("start", "end"), forbid_dtd=False)
        except DefusedXmlException as error:
            raise Unreadable(f"{name} declares entities, as an XML bomb does") from error

    def relations(self, name: str) -> dict[str, str]:
        """What a part calls its others by: id -> the part's name, as Office writes it in a .rels beside it."""
        folder, file = posixpath.split(name)
        beside = f"{folder}/_rels/{file}.rels"
        if beside not in self:
            return {}
        targets = {
            element.get("Id", ""): element.get("Target", "")
            for event, element in self.walk(beside)
            if event == "end" and element.tag == RELATION and element.get("TargetMode") != "External"
        }
        return {key: resolve(folder, target) for key, target in targets.items()}


def resolve(folder: str, target: str) -> str:
    """
    >>> resolve("ppt/slides", "../media/a.png"), resolve("ppt", "/ppt/slides/slide1.xml")
    ('ppt/media/a.png', 'ppt/slides/slide1.xml')
    """
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")


def local(tag: str) -> str:
    """A tag's name without its namespace, of which strict and common files use different ones."""
    return tag.rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """An attribute's value by its local name; "" where it is missing."""
    return next((value for key, value in element.items() if local(key) == name), "")
