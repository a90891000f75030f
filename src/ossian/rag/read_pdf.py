"""PDF, page by page, with pypdf. A page without text stays as an empty one, so that numbers are right."""

import logging
import re
from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import DependencyError

from ossian.errors import Unreadable

BROKEN_WORD = re.compile(r"(?<=[a-zß-ÿ])[-\u00ad]\n(?=[a-zß-ÿ])")


def read_pdf(data: bytes) -> list[str]:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it remarks on each small fault
    return [mend(page.extract_text()) for page in open_pdf(data).pages]


def open_pdf(data: bytes) -> PdfReader:
    """Many files are locked with an empty password against changes only; those are read."""
    try:
        reader = PdfReader(BytesIO(data))
        opened = not reader.is_encrypted or reader.decrypt("")
    except (DependencyError, NotImplementedError) as error:
        raise Unreadable("encrypted in a way that cannot be opened here") from error
    if not opened:
        raise Unreadable("encrypted: it wants a password")
    return reader


def mend(text: str) -> str:
    """A page whose words are not broken at the ends of lines.

    >>> mend("the wheel of inter-\\nnational trade")
    'the wheel of international trade'
    """
    return BROKEN_WORD.sub("", text)
