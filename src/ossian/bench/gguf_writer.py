"""Write the head of a GGUF file: what `store/gguf.py` reads. Knows nothing of what the tensors mean."""

import struct
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from ossian.store.gguf import ARRAY, DEFAULT_ALIGNMENT, MAGIC, SCALARS, STRING, VERSIONS, Tensor

UINT32, INT32, FLOAT32, BOOL = 4, 5, 6, 7
Value = bool | int | float | str | Sequence[int] | Sequence[str]


def write_head(file: BinaryIO, metadata: Mapping[str, Value], tensors: Sequence[Tensor]) -> None:
    """Everything before the weights, padded to where they begin."""
    file.write(MAGIC + struct.pack("<IQQ", max(VERSIONS), len(tensors), len(metadata)))
    for key, value in metadata.items():
        file.write(pack_string(key) + pack_value(value))
    for tensor in tensors:
        sizes = struct.pack(f"<I{len(tensor.sizes)}Q", len(tensor.sizes), *tensor.sizes)
        file.write(pack_string(tensor.name) + sizes + struct.pack("<IQ", tensor.kind, tensor.offset))
    file.write(bytes(padding(file.tell())))


def padding(size: int) -> int:
    """Bytes up to the next place where weights may begin.

    >>> padding(33), padding(64)
    (31, 0)
    """
    return -size % DEFAULT_ALIGNMENT


def pack_value(value: Value) -> bytes:
    """A value behind the number of its type."""
    match value:
        case bool():
            return pack_number(BOOL, value)
        case int():
            return pack_number(UINT32, value)
        case float():
            return pack_number(FLOAT32, value)
        case str():
            return struct.pack("<I", STRING) + pack_string(value)
        case _:
            return pack_list(value)


def pack_number(kind: int, value: float) -> bytes:
    return struct.pack("<I" + SCALARS[kind], kind, value)


def pack_list(values: Sequence[int] | Sequence[str]) -> bytes:
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if isinstance(value, int)]
    head = struct.pack("<IIQ", ARRAY, STRING if texts else INT32, len(values))
    return head + b"".join(map(pack_string, texts)) + struct.pack(f"<{len(numbers)}i", *numbers)


def pack_string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data
