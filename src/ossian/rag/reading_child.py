"""The process that reads files for the server, one after another: what a file does to it, the server does not feel.

Each line of its standard input is a question, {"path": …, "memory": bytes, "seconds": …}; its answer, on the standard
output, is eight bytes that say how long it is and then JSON: {"kind", "chunks", "remarks"} or {"why"}; "spent" tells
that it should be replaced. Before it, eight zero bytes say that it has begun.
"""

import json
import os
import resource
import struct
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

from ossian.errors import Unreadable
from ossian.rag.read import find_pages_without_text, read_document
from ossian.rag.split import split

LENGTH = struct.Struct("<Q")
NICENESS = 10  # a running answer goes first


def main() -> None:
    answers = os.dup(1)
    os.dup2(2, 1)  # a library that prints would write between answers
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write
    for line in sys.stdin.buffer:
        question = json.loads(line)
        os.write(answers, LENGTH.pack(0))
        limit(question["memory"], question["seconds"])
        answer(answers, read(Path(question["path"])))


def limit(memory: int, seconds: int) -> None:
    """Bound what this process may have in memory, and how much more of the processor it may use."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory, most))
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, most))


def read(path: Path) -> dict[str, Any]:
    try:
        document = read_document(path)
        chunks = [astuple(chunk) for chunk in split(document)]
    except Unreadable as error:
        return {"why": error.message}
    except MemoryError:
        return {"why": "reading it takes more memory than is allowed", "spent": True}
    empty = find_pages_without_text(document)
    return {"kind": document.kind, "chunks": chunks, "remarks": [str(empty)] if empty else []}


def answer(answers: int, said: dict[str, Any]) -> None:
    data = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    rest = memoryview(LENGTH.pack(len(data)) + data)
    while rest:
        rest = rest[os.write(answers, rest) :]


if __name__ == "__main__":
    main()
