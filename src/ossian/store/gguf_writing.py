"""Write a small GGUF file: metadata and tensors, floats or blocks of eight bits. Knows no model."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy
from numpy.typing import NDArray

from ossian.store.gguf import ARRAY, DEFAULT_ALIGNMENT, MAGIC, STRING

VERSION = 3
UINT32, INT32, FLOAT32, BOOL = 4, 5, 6, 7
F32, Q8_0 = 0, 8  # kinds of tensors, see gguf.TENSOR_KINDS
BLOCK = 32  # weights to a scale in Q8_0

Value = str | bool | int | float | Sequence[str] | Sequence[int]
Floats = NDArray[numpy.float32]


def write_gguf(path: Path, metadata: Mapping[str, Value], tensors: Mapping[str, tuple[Floats, int]]) -> None:
    """Write a file at once. Each tensor comes with its kind, F32 or Q8_0."""
    packed = [(name, array.shape, kind, pack(array, kind)) for name, (array, kind) in tensors.items()]
    with path.open("wb") as file:
        file.write(MAGIC + struct.pack("<IQQ", VERSION, len(packed), len(metadata)))
        for key, value in metadata.items():
            file.write(text_bytes(key) + value_bytes(value))
        offset = 0
        for name, shape, kind, data in packed:
            sizes = shape[::-1]  # the quickest first
            file.write(text_bytes(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset))
            offset += len(data) + padding(len(data))
        pad(file, file.tell())
        for _, _, _, data in packed:
            file.write(data)
            pad(file, len(data))


def pack(array: Floats, kind: int) -> bytes:
    return quantize(array) if kind == Q8_0 else array.astype("<f4").tobytes()


def quantize(array: Floats) -> bytes:
    """Q8_0: each 32 weights as a half-float scale and 32 signed bytes."""
    blocks = array.reshape(-1, BLOCK)
    scales = numpy.abs(blocks).max(axis=1, keepdims=True) / 127
    with numpy.errstate(divide="ignore", invalid="ignore"):
        whole = numpy.where(scales > 0, numpy.rint(blocks / scales), 0).astype(numpy.int8)
    packed = numpy.empty(len(blocks), dtype=[("scale", "<f2"), ("weights", "i1", BLOCK)])
    packed["scale"], packed["weights"] = scales[:, 0], whole
    return packed.tobytes()


def value_bytes(value: Value) -> bytes:
    """A value with its type before it.

    >>> value_bytes(True), value_bytes(7)
    (b'\\x07\\x00\\x00\\x00\\x01', b'\\x04\\x00\\x00\\x00\\x07\\x00\\x00\\x00')
    """
    match value:
        case bool():
            return struct.pack("<I?", BOOL, value)
        case int():
            return struct.pack("<II", UINT32, value)
        case float():
            return struct.pack("<If", FLOAT32, value)
        case str():
            return struct.pack("<I", STRING) + text_bytes(value)
    texts = [text_bytes(item) for item in value if isinstance(item, str)]
    numbers = [struct.pack("<i", item) for item in value if isinstance(item, int)]
    return struct.pack("<IIQ", ARRAY, STRING if texts else INT32, len(value)) + b"".join(texts or numbers)


def text_bytes(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def padding(length: int) -> int:
    return -length % DEFAULT_ALIGNMENT


def pad(file: BinaryIO, length: int) -> None:
    file.write(bytes(padding(length)))
