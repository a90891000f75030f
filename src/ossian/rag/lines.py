"""Lines of a document as it lies on the disk now, to show a passage in its place."""

import stat
from pathlib import Path

from ossian.errors import BadRequest, Unreadable
from ossian.rag.ingest import digest_file
from ossian.rag.kinds import is_plain, kind_of
from ossian.rag.read_text import lines_of, read_text
from ossian.rag.store import KeptFile

LARGEST_BYTES = 32 << 20


def read_lines(kept: KeptFile, first: int, last: int) -> tuple[list[str], bool]:
    """Lines from `first` to `last`, counted from 1, and whether the file is another now than when it was read.

    Raises BadRequest for a file without lines, Unreadable for one that is gone or too large.
    """
    path = Path(kept.path)
    if not is_plain(kept.kind or kind_of(path)):
        raise BadRequest(f"{path.name} has pages, not lines; its passages hold their text")
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_BYTES:
            raise Unreadable("it is too large to be shown")
        lines = lines_of(read_text(path.read_bytes()))
        return lines[first - 1 : last], digest_file(path) != kept.digest
    except OSError as error:
        raise Unreadable((error.strerror or str(error)).lower()) from error
