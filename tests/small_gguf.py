"""GGUF files of a few hundred bytes, written by hand, so that a test can damage each part of them."""

import struct
from pathlib import Path
from typing import Any

ALIGNMENT = 32
GPT_OSS = {
    "general.architecture": "gpt-oss",
    "general.name": "small",
    "general.license": "apache-2.0",
    "gpt-oss.context_length": 131_072,
    "gpt-oss.block_count": 4,
    "gpt-oss.embedding_length": 256,
    "gpt-oss.attention.head_count": 8,
    "gpt-oss.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": [f"token {i}" for i in range(100)],
    "tokenizer.ggml.scores": [0.5] * 100,
}


def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(given: Any) -> bytes:
    """Type and value, as they stand in a file."""
    match given:
        case str():
            return struct.pack("<I", 8) + string(given)
        case bool():
            return struct.pack("<I?", 7, given)
        case int():
            return struct.pack("<Iq", 11, given)
        case float():
            return struct.pack("<If", 6, given)
        case list():
            items = [value(item) for item in given]
            kind = items[0][:4] if items else struct.pack("<I", 4)
            return struct.pack("<I", 9) + kind + struct.pack("<Q", len(items)) + b"".join(item[4:] for item in items)
    raise TypeError(given)


def gguf_bytes(metadata: dict[str, Any] = GPT_OSS, *, weights: int = 1024, kind: int = 0) -> bytes:
    """A whole file with one tensor of F32 zeros."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(metadata))
    head += b"".join(string(key) + value(given) for key, given in metadata.items())
    head += string("token_embd.weight") + struct.pack("<IQIQ", 1, weights, kind, 0)
    return head + bytes(-len(head) % ALIGNMENT) + bytes(4 * weights)


def write_gguf(path: Path, metadata: dict[str, Any] = GPT_OSS, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gguf_bytes(metadata, **more))
    return path
