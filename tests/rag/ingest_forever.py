"""Put files into a library until somebody ends this process; after each, its number is written to standard output.

python ingest_forever.py LIBRARY FIRST
"""

import sys
from itertools import count
from pathlib import Path

from small_library import read

from ossian.rag.shelf import open_shelf
from ossian.rag.store import Reading

FILES, CHUNKS = 12, 40


def texts_of(number: int) -> list[str]:
    """Each chunk says which file and which writing of it it belongs to: half of an older file would be seen."""
    return [f"writing{number} of file{number % FILES} chunk{place} {'filling ' * 40}" for place in range(CHUNKS)]


def file_of(number: int) -> Reading:
    return read(f"{number % FILES}.md", *texts_of(number), symbols=(f"symbol{number}",))


if __name__ == "__main__":
    shelf = open_shelf(sys.argv[1], Path())
    for number in count(int(sys.argv[2])):
        reading = file_of(number)
        shelf.keep("c", [reading])
        shelf.keep_vectors("mini", {chunk.text: [1.0, 0.0] for chunk in reading.chunks[:3]})
        print(number, flush=True)
