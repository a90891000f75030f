"""A GGUF of architecture gpt-oss with random weights: real shapes, so real speed; no meaning in its words."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ossian.bench.gguf_writer import Value, padding, write_head
from ossian.native.weights import BYTES, F32, MXFP4, Q8_0
from ossian.store.gguf import Tensor

NAME = "gpt-oss synthetic"
HARMONY_IDS = {
    "<|startoftext|>": 199998,
    "<|endoftext|>": 199999,
    "<|return|>": 200002,
    "<|constrain|>": 200003,
    "<|channel|>": 200005,
    "<|start|>": 200006,
    "<|end|>": 200007,
    "<|message|>": 200008,
    "<|call|>": 200012,
}
MXFP4_SCALE, Q8_0_SCALE = 120, 2e-4  # 2^(120-127): weights of about 0.01
NOISE_BYTES = 32 << 20
NORMAL_TOKEN, CONTROL_TOKEN, UNUSED_TOKEN = 1, 3, 5  # llama.cpp's types of tokens
MOSTLY_MXFP4 = 38  # llama.cpp's type of file


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a model. `vocabulary` holds harmony's tokens at the published ids or, where small, at its end."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    experts: int
    experts_used: int
    expert_width: int
    vocabulary: int


SHAPES = {
    "20b": Sizes(24, 2880, 64, 8, 64, 32, 4, 2880, 201_088),
    "tiny": Sizes(4, 256, 8, 2, 64, 8, 2, 256, 4_096),
}


Vocabulary = tuple[list[str], list[int], list[str]]


def write_synthetic(path: Path, sizes: Sizes, seed: int = 1, words: Vocabulary | None = None) -> None:
    """Write the file tensor by tensor; never more than one is in memory, and no half file is left.

    words   tokens, their types and merges, where the made-up ones will not do
    """
    beside = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with beside.open("wb") as file:
            tensors, noise = place(sizes), Noise(seed)
            write_head(file, metadata_of(sizes, words), tensors)
            for tensor in tensors:
                data = noise.fill(tensor)
                file.write(data.data)
                file.write(bytes(padding(data.nbytes)))
        beside.rename(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def size_of(sizes: Sizes) -> int:
    """Bytes of the weights, which are nearly all of the file."""
    return sum(map(bytes_of, list_tensors(sizes)))


def bytes_of(tensor: Tensor) -> int:
    together, size = BYTES[tensor.kind]
    return math.prod(tensor.sizes) // together * size


def place(sizes: Sizes) -> list[Tensor]:
    """The tensors one behind the other, each where it may begin."""
    tensors = list(list_tensors(sizes))
    lengths = [bytes_of(tensor) + padding(bytes_of(tensor)) for tensor in tensors]
    offsets = accumulate(lengths[:-1], initial=0)
    return [replace(tensor, offset=offset) for tensor, offset in zip(tensors, offsets, strict=True)]


def list_tensors(sizes: Sizes) -> Iterator[Tensor]:
    """Name, kind and sizes of every tensor, without its place."""

    def tensor(name: str, kind: int, *wide: int) -> Tensor:
        return Tensor(name, kind, wide, 0)

    query, key = sizes.heads * sizes.head_size, sizes.kv_heads * sizes.head_size
    yield tensor("token_embd.weight", Q8_0, sizes.width, sizes.vocabulary)
    yield tensor("output.weight", Q8_0, sizes.width, sizes.vocabulary)
    yield tensor("output_norm.weight", F32, sizes.width)
    for layer in range(sizes.layers):
        block = f"blk.{layer}."
        for name in ("attn_norm", "post_attention_norm"):
            yield tensor(f"{block}{name}.weight", F32, sizes.width)
        for name, into, out in (
            ("attn_q", sizes.width, query),
            ("attn_k", sizes.width, key),
            ("attn_v", sizes.width, key),
            ("attn_output", query, sizes.width),
        ):
            yield tensor(f"{block}{name}.weight", Q8_0, into, out)
            yield tensor(f"{block}{name}.bias", F32, out)
        yield tensor(f"{block}attn_sinks.weight", F32, sizes.heads)
        yield tensor(f"{block}ffn_gate_inp.weight", F32, sizes.width, sizes.experts)
        yield tensor(f"{block}ffn_gate_inp.bias", F32, sizes.experts)
        for name, into, out in (
            ("ffn_gate_exps", sizes.width, sizes.expert_width),
            ("ffn_up_exps", sizes.width, sizes.expert_width),
            ("ffn_down_exps", sizes.expert_width, sizes.width),
        ):
            yield tensor(f"{block}{name}.weight", MXFP4, into, out, sizes.experts)
            yield tensor(f"{block}{name}.bias", F32, out, sizes.experts)


class Noise:
    """Random weights; the quantized ones are cut from one block of random bytes, so that gigabytes cost seconds."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._bytes = self._random.integers(0, 256, NOISE_BYTES, dtype=np.uint8)

    def fill(self, tensor: Tensor) -> NDArray[np.generic]:
        """The numbers of a tensor, as they lie in the file."""
        if tensor.name.endswith("norm.weight"):
            return np.ones(tensor.sizes, np.float32)
        if tensor.kind == F32:
            return (self._random.standard_normal(tensor.sizes) * 0.02).astype(np.float32)
        return self._quantized(tensor)

    def _quantized(self, tensor: Tensor) -> NDArray[np.uint8]:
        blocks = np.resize(self._bytes, bytes_of(tensor)).reshape(-1, BYTES[tensor.kind][1])
        if tensor.kind == MXFP4:
            blocks[:, 0] = MXFP4_SCALE
        else:
            blocks[:, :2] = np.frombuffer(np.float16(Q8_0_SCALE).tobytes(), np.uint8)
        return blocks


def byte_alphabet() -> list[str]:
    """The printable stand-in of each byte, as GPT-2's vocabulary writes them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    table = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [table[byte] for byte in range(256)]


def vocabulary(size: int) -> Vocabulary:
    """Tokens, their types and merges: bytes, then pairs and triples of letters, then fillers and harmony's tokens."""
    letters = [*"etaoinshrdlucmfwypvbgkjxqz", "Ġ"]
    pairs = [(a, b) for a in letters for b in letters if b != "Ġ"]
    triples = [(a + b, c) for a, b in pairs for c in letters if c != "Ġ"]
    merges = (pairs + triples)[: min(size - 300, 20_000)]
    tokens = byte_alphabet() + [a + b for a, b in merges]
    return fill_up(tokens, size, [f"{a} {b}" for a, b in merges])


def fill_up(tokens: list[str], size: int, merges: list[str]) -> Vocabulary:
    """A vocabulary of this size: these tokens, then fillers, and harmony's tokens at their places."""
    types = [NORMAL_TOKEN] * len(tokens)
    tokens = tokens + [f"<|filler_{i}|>" for i in range(len(tokens), size)]
    types += [UNUSED_TOKEN] * (size - len(types))
    first = 0 if size > max(HARMONY_IDS.values()) else HARMONY_IDS["<|startoftext|>"] - (size - 16)
    for name, published in HARMONY_IDS.items():
        tokens[published - first], types[published - first] = name, CONTROL_TOKEN
    return tokens, types, merges


def metadata_of(sizes: Sizes, words: Vocabulary | None = None) -> dict[str, Value]:
    """What the published file says of itself, with these sizes and words."""
    tokens, types, merges = words or vocabulary(sizes.vocabulary)
    model: dict[str, Value] = {
        "block_count": sizes.layers,
        "context_length": 131_072,
        "embedding_length": sizes.width,
        "feed_forward_length": sizes.expert_width,
        "expert_feed_forward_length": sizes.expert_width,
        "expert_count": sizes.experts,
        "expert_used_count": sizes.experts_used,
        "attention.head_count": sizes.heads,
        "attention.head_count_kv": sizes.kv_heads,
        "attention.key_length": sizes.head_size,
        "attention.value_length": sizes.head_size,
        "attention.sliding_window": 128,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 150_000.0,
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": 32.0,
        "rope.scaling.original_context_length": 4_096,
    }
    tokenizer: dict[str, Value] = {
        "model": "gpt2",
        "pre": "gpt-4o",
        "tokens": tokens,
        "token_type": types,
        "merges": merges,
        "bos_token_id": tokens.index("<|startoftext|>"),
        "eos_token_id": tokens.index("<|return|>"),
        "add_bos_token": False,
    }
    return {
        "general.architecture": "gpt-oss",
        "general.name": NAME,
        "general.file_type": MOSTLY_MXFP4,
        **{f"gpt-oss.{key}": value for key, value in model.items()},
        **{f"tokenizer.ggml.{key}": value for key, value in tokenizer.items()},
    }
