"""Read the head of a GGUF file: what model it is and how large. A file is somebody else's: every count is checked."""

import mmap
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ossian.errors import BadRequest

MAGIC = b"GGUF"
VERSIONS = (2, 3)
LARGEST_COUNT = 1 << 24  # of keys, tensors or elements; the largest real vocabulary is below 2^20
KEPT_ARRAY_LENGTH = 64  # longer arrays (tokens, merges, scores) are skipped
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
TENSOR_KINDS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 30: "BF16", 39: "MXFP4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """A GGUF's metadata without long arrays, the number of weights, and the kind that most weights have."""

    metadata: dict[str, Any]
    parameter_count: int
    quantization: str


def read_header(path: Path) -> Header:
    """Read a GGUF's head. Raises BadRequest, naming the file, when it is no GGUF or is damaged."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).header()
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path.name} is not a usable GGUF file ({error}).", "Fetch it again.") from error


class _Reader:
    """A position in the file that moves on with each value."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def header(self) -> Header:
        if self._take(4) != MAGIC:
            raise ValueError("it does not begin with GGUF")
        version, tensors, keys = self._unpack("<IQQ")
        if version not in VERSIONS:
            raise ValueError(f"version {version} is not one of {VERSIONS}")
        pairs = (self._pair() for _ in range(self._checked(keys)))
        metadata = {key: value for key, value in pairs if value is not None}
        weights: Counter[int] = Counter()
        for _ in range(self._checked(tensors)):
            kind, count = self._tensor()
            weights[kind] += count
        most = weights.most_common(1)[0][0] if weights else 0
        return Header(metadata, weights.total(), TENSOR_KINDS.get(most, f"type {most}"))

    def _pair(self) -> tuple[str, Any]:
        key = self._string()
        (kind,) = self._unpack("<I")
        return key, self._value(kind)

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            return self._array()
        return self._unpack("<" + self._scalar(kind))[0]

    def _array(self) -> list[Any] | None:
        """The array, or None when it is too long to be worth keeping."""
        kind, count = self._unpack("<IQ")
        self._checked(count)
        if count <= KEPT_ARRAY_LENGTH:
            return [self._value(kind) for _ in range(count)]
        if kind == STRING:
            for _ in range(count):
                (length,) = self._unpack("<Q")
                self._skip(length)
        elif kind == ARRAY:
            raise ValueError("an array of arrays")
        else:
            self._skip(count * struct.calcsize("<" + self._scalar(kind)))
        return None

    def _tensor(self) -> tuple[int, int]:
        self._string()
        (dimensions,) = self._unpack("<I")
        if dimensions > 8:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        count = 1
        for size in self._unpack(f"<{dimensions}Q"):
            count *= size
        kind, _offset = self._unpack("<IQ")
        return kind, count

    def _string(self) -> str:
        (length,) = self._unpack("<Q")
        return self._take(length).decode("utf-8", errors="replace")

    def _scalar(self, kind: int) -> str:
        if kind not in SCALARS:
            raise ValueError(f"a value of unknown type {kind}")
        return SCALARS[kind]

    def _unpack(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self._take(struct.calcsize(form)))

    def _take(self, count: int) -> bytes:
        start = self._at
        self._skip(count)
        return self._data[start : self._at]

    def _skip(self, count: int) -> None:
        if count > len(self._data) - self._at:
            raise ValueError("it ends too early")
        self._at += count

    def _checked(self, count: int) -> int:
        if count > LARGEST_COUNT:
            raise ValueError(f"a count of {count}")
        return count
