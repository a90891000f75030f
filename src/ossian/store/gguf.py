"""Read the head of a GGUF file: what model it is and how large. A file is somebody else's: every count is checked.

The head is read piece by piece and never mapped: a mapped file that somebody shortens would end the whole server.
"""

import math
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ossian.errors import BadRequest

MAGIC = b"GGUF"
VERSIONS = (2, 3)
LARGEST_HEAD_BYTES = 64 << 20  # vocabulary and merges of 262,144 tokens are about 16 MB
LARGEST_COUNT = 1 << 16  # of keys and of tensors; the largest real models have some 2,000
PIECE_BYTES = 1 << 18
KEPT_ARRAY_LENGTH = 64  # longer arrays (tokens, merges, scores) are skipped
DEFAULT_ALIGNMENT = 32
TOKENS = "tokenizer.ggml.tokens"
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
LENGTH = struct.Struct("<Q")
TENSOR_KINDS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 30: "BF16", 39: "MXFP4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """A GGUF's metadata without long arrays, the number of weights, the kind that most weights have, and of tokens."""

    metadata: dict[str, Any]
    parameter_count: int
    quantization: str
    vocabulary: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the head says of one tensor; `offset` is in bytes from where the weights begin, sizes the quickest first."""

    name: str
    kind: int
    sizes: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything the head says: all metadata with its long lists, the tensors by name, and where the weights begin."""

    metadata: dict[str, Any]
    tensors: dict[str, Tensor]
    start: int


def read_header(path: Path) -> Header:
    """Read a GGUF's head. Raises BadRequest, naming the file, when it is no GGUF or is damaged; OSError as `open`."""
    with _reading(path) as reader:
        return reader.header()


def read_layout(path: Path) -> Layout:
    """Read all of a GGUF's head, its vocabulary too. Raises as `read_header`."""
    with _reading(path, kept=LARGEST_HEAD_BYTES) as reader:
        return reader.layout()


@contextmanager
def _reading(path: Path, kept: int = KEPT_ARRAY_LENGTH) -> Iterator["_Reader"]:
    try:
        with path.open("rb") as file:
            yield _Reader(file, path.stat().st_size, kept)
    except (struct.error, ValueError) as error:
        raise BadRequest(f"{path.name} is not a usable GGUF file ({error}).", "Fetch it again.") from error


class _Reader:
    """A position in the file that moves on with each value."""

    def __init__(self, file: BinaryIO, size: int, kept: int) -> None:
        self._file = file
        self._size = size
        self._kept = kept
        self._data = bytearray()
        self._at = 0
        self._vocabulary = 0

    def header(self) -> Header:
        layout = self.layout()
        weights: Counter[int] = Counter()
        for tensor in layout.tensors.values():
            weights[tensor.kind] += math.prod(tensor.sizes)
        most = weights.most_common(1)[0][0] if weights else 0
        return Header(layout.metadata, weights.total(), TENSOR_KINDS.get(most, f"type {most}"), self._vocabulary)

    def layout(self) -> Layout:
        if self._take(len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin with GGUF")
        version, tensor_count, key_count = self._unpack("<IQQ")
        if version not in VERSIONS:
            raise ValueError(f"version {version} is not one of {VERSIONS}")
        pairs = [self._pair() for _ in range(checked(key_count))]
        metadata = {key: value for key, value in pairs if value is not None}
        tensors = [self._tensor() for _ in range(checked(tensor_count))]
        return Layout(metadata, {tensor.name: tensor for tensor in tensors}, self._start_of_weights(metadata, tensors))

    def _start_of_weights(self, metadata: dict[str, Any], tensors: list[Tensor]) -> int:
        """Where the weights begin. Notices a copy that was cut off: the last tensor has to begin inside the file."""
        alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1:
            raise ValueError(f"an alignment of {alignment}")
        start = math.ceil(self._at / alignment) * alignment
        if tensors and start + max(tensor.offset for tensor in tensors) >= self._size:
            raise ValueError("it ends too early")
        return start

    def _pair(self) -> tuple[str, Any]:
        key = self._string()
        (kind,) = self._unpack("<I")
        return key, self._array(key) if kind == ARRAY else self._value(kind)

    def _value(self, kind: int) -> Any:
        """A string or a number; None for a number that JSON cannot say."""
        if kind == STRING:
            return self._string()
        (value,) = self._unpack("<" + scalar(kind))
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def _array(self, key: str) -> list[Any] | None:
        """The array, or None when it is too long to be worth keeping."""
        kind, count = self._unpack("<IQ")
        if key == TOKENS:
            self._vocabulary = count
        if count <= KEPT_ARRAY_LENGTH:
            return [self._value(kind) for _ in range(count)]
        if count <= self._kept:
            return self._strings(count) if kind == STRING else list(self._unpack(f"<{count}{scalar(kind)}"))
        if kind == STRING:
            self._skip_strings(count)
        else:
            self._skip(count * struct.calcsize("<" + scalar(kind)))
        return None

    def _strings(self, count: int) -> list[str]:
        start = self._at
        self._skip_strings(count)
        data, strings, at = bytes(self._data[start : self._at]), [], 0
        for _ in range(count):
            (length,) = LENGTH.unpack_from(data, at)
            at += LENGTH.size + length
            strings.append(data[at - length : at].decode("utf-8", errors="replace"))
        return strings

    def _skip_strings(self, count: int) -> None:
        """The same as taking each; a real vocabulary has half a million, so no call is made for one."""
        if count > LARGEST_HEAD_BYTES // LENGTH.size:
            raise ValueError(f"a list of {count} strings")
        at, data, unpack = self._at, self._data, LENGTH.unpack_from
        for _ in range(count):
            if at + LENGTH.size > len(data):
                self._fill(at + LENGTH.size)
            at += LENGTH.size + unpack(data, at)[0]
        self._skip(at - self._at)

    def _tensor(self) -> Tensor:
        name = self._string()
        (dimensions,) = self._unpack("<I")
        if dimensions > 8:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        sizes = self._unpack(f"<{dimensions}Q")
        kind, offset = self._unpack("<IQ")
        return Tensor(name, kind, sizes, offset)

    def _string(self) -> str:
        (length,) = self._unpack("<Q")
        return self._take(length).decode("utf-8", errors="replace")

    def _unpack(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self._take(struct.calcsize(form)))

    def _take(self, count: int) -> bytes:
        start = self._at
        self._skip(count)
        return bytes(self._data[start : self._at])

    def _skip(self, count: int) -> None:
        self._fill(self._at + count)
        self._at += count

    def _fill(self, end: int) -> None:
        """Have the file in memory up to here."""
        if end > LARGEST_HEAD_BYTES and end <= self._size:
            raise ValueError(f"a head of more than {LARGEST_HEAD_BYTES >> 20} MiB")
        if end > self._size:
            raise ValueError("it ends too early")
        if end > len(self._data):
            self._data += self._file.read(max(end - len(self._data), PIECE_BYTES))
        if end > len(self._data):
            raise ValueError("it ends too early")


def checked(count: int) -> int:
    if count > LARGEST_COUNT:
        raise ValueError(f"a count of {count}")
    return count


def scalar(kind: int) -> str:
    """The form of a number. Raises ValueError, also for an array in an array."""
    if kind not in SCALARS:
        raise ValueError(f"a value of unknown type {kind}")
    return SCALARS[kind]
