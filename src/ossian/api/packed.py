"""Bodies that come packed: by Codex with zstd, by scripts with gzip. Never unpacks more than a bound."""

import gzip
import io
import zlib
from collections.abc import Callable
from typing import BinaryIO, ClassVar

import zstandard
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from ossian.errors import BadRequest

LARGEST_WINDOW_BYTES = 8 * 1024 * 1024  # RFC 9659 allows no more over HTTP


class PackingUnknown(BadRequest):
    status: ClassVar[int] = 415

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f'the Content-Encoding "{encoding}" is not known;', f"send one of {', '.join(OPENERS)}, or none"
        )


def open_gzip(body: BinaryIO) -> BinaryIO:
    return gzip.GzipFile(fileobj=body)  # type: ignore[return-value]


def open_zstd(body: BinaryIO) -> BinaryIO:
    unpacker = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW_BYTES)
    return unpacker.stream_reader(body, read_across_frames=True)


OPENERS: dict[str, Callable[[BinaryIO], BinaryIO]] = {"gzip": open_gzip, "x-gzip": open_gzip, "zstd": open_zstd}


def unpack(body: bytes, encoding: str, limit: int, too_large: Callable[[], BadRequest]) -> bytes:
    """What was packed, or a BadRequest; of a bomb only `limit` bytes ever come to be."""
    if encoding not in OPENERS:
        raise PackingUnknown(encoding)
    try:
        with OPENERS[encoding](io.BytesIO(body)) as opened:
            found = opened.read(limit + 1)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise BadRequest(f"the body is not {encoding}: {error}") from None
    if body and not found:  # zstandard says nothing of a frame that is cut
        raise BadRequest(f"the body is not {encoding}: it ends too early")
    if len(found) > limit:
        raise too_large()
    return found


def is_packed(encoding: str) -> bool:
    """Whether a Content-Encoding means that a body must be unpacked, which happens in memory."""
    return encoding.strip().lower() not in ("", "identity")


def unpacked(receive: Receive, encoding: str, limit: int, too_large: Callable[[], BadRequest]) -> Receive:
    """The same body, unpacked when it is first asked for; what comes after it is passed on."""
    if not is_packed(encoding):
        return receive
    packed = encoding.strip().lower()
    taken = False

    async def take() -> Message:
        nonlocal taken
        if taken:
            return await receive()
        taken = True
        body = await collect(receive)
        return {"type": "http.request", "body": unpack(body, packed, limit, too_large), "more_body": False}

    return take


async def collect(receive: Receive) -> bytes:
    pieces = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)
