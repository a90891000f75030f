"""Passages of documents in the words of the doors."""

from collections.abc import Iterable
from typing import Any

from ossian.chat import Source
from ossian.rag.cite import link_to

Words = dict[str, Any]


def write_passages(sources: Iterable[Source]) -> Words:
    """The field of an answer that tells what it was given, where it was given anything."""
    written = [write_source(source) for source in sources]
    return {"sources": written} if written else {}


def write_source(source: Source) -> Words:
    return {
        "number": source.number,
        "collection": source.collection,
        "path": source.path,
        "first_line": source.first_line,
        "last_line": source.last_line,
        "page": source.page,
        "text": source.text,
        "changed": source.changed,
        "cited": source.cited,
        "link": link_to(source),
    }
