"""Write a GGUF of architecture gpt-oss with random weights: real shapes, so real speed; no meaning in its words.

    python benchmarks/synthetic.py /tmp/gpt-oss-20b.gguf              12.1 GB, the shapes of gpt-oss-20b
    python benchmarks/synthetic.py /tmp/tiny.gguf --shape tiny        a few MB, for trying things

Needs `gguf` and `numpy` (the dev extra brings them). Delete the big one when done.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray

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
MXFP4_BLOCK, MXFP4_BYTES, MXFP4_SCALE = 32, 17, 120  # 2^(120-127): weights of about 0.01
Q8_0_BLOCK, Q8_0_BYTES, Q8_0_SCALE = 32, 34, 2e-4


@dataclass(frozen=True, slots=True)
class Shape:
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
    "20b": Shape(24, 2880, 64, 8, 64, 32, 4, 2880, 201_088),
    "tiny": Shape(4, 256, 8, 2, 64, 8, 2, 256, 4_096),
}


def byte_alphabet() -> list[str]:
    """The printable stand-in of each byte, as GPT-2's vocabulary writes them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    table = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [table[byte] for byte in range(256)]


def vocabulary(size: int) -> tuple[list[str], list[int], list[str]]:
    """Tokens, their types and merges: bytes, then pairs and triples of letters, then fillers and harmony's tokens."""
    letters = [*"etaoinshrdlucmfwypvbgkjxqz", "Ġ"]
    pairs = [(a, b) for a in letters for b in letters if b != "Ġ"]
    triples = [(a + b, c) for a, b in pairs for c in letters if c != "Ġ"]
    merges = (pairs + triples)[: min(size - 300, 20_000)]
    tokens = byte_alphabet() + [a + b for a, b in merges]
    types = [int(gguf.TokenType.NORMAL)] * len(tokens)
    tokens += [f"<|filler_{i}|>" for i in range(len(tokens), size)]
    types += [int(gguf.TokenType.UNUSED)] * (size - len(types))
    first = 0 if size > max(HARMONY_IDS.values()) else HARMONY_IDS["<|startoftext|>"] - (size - 16)
    for name, published in HARMONY_IDS.items():
        tokens[published - first], types[published - first] = name, int(gguf.TokenType.CONTROL)
    return tokens, types, [f"{a} {b}" for a, b in merges]


class Noise:
    """Quantized random tensors, cut from one block of random bytes so that gigabytes cost seconds."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.bytes = self.random.integers(0, 256, 32 * 1024 * 1024, dtype=np.uint8)

    def mxfp4(self, *shape: int) -> NDArray[np.uint8]:
        blocks = self._blocks(shape, MXFP4_BLOCK, MXFP4_BYTES)
        blocks[:, 0] = MXFP4_SCALE
        return blocks.reshape(*shape[:-1], shape[-1] // MXFP4_BLOCK * MXFP4_BYTES)

    def q8_0(self, *shape: int) -> NDArray[np.uint8]:
        blocks = self._blocks(shape, Q8_0_BLOCK, Q8_0_BYTES)
        blocks[:, :2] = np.frombuffer(np.float16(Q8_0_SCALE).tobytes(), np.uint8)
        return blocks.reshape(*shape[:-1], shape[-1] // Q8_0_BLOCK * Q8_0_BYTES)

    def f32(self, *shape: int) -> NDArray[np.float32]:
        return (self.random.standard_normal(shape) * 0.02).astype(np.float32)

    def _blocks(self, shape: tuple[int, ...], block: int, size: int) -> NDArray[np.uint8]:
        count = int(np.prod(shape)) // block
        return np.resize(self.bytes, count * size).reshape(count, size)


def tensors(shape: Shape, noise: Noise) -> Iterator[tuple[str, NDArray[np.generic], Kind | None]]:
    """Name, data and quantized kind of each tensor, made one at a time."""
    query, key = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    yield "token_embd.weight", noise.q8_0(shape.vocabulary, shape.width), Kind.Q8_0
    yield "output.weight", noise.q8_0(shape.vocabulary, shape.width), Kind.Q8_0
    yield "output_norm.weight", np.ones(shape.width, np.float32), None
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        for name in ("attn_norm", "post_attention_norm"):
            yield f"{block}{name}.weight", np.ones(shape.width, np.float32), None
        for name, out, into in (
            ("attn_q", query, shape.width),
            ("attn_k", key, shape.width),
            ("attn_v", key, shape.width),
            ("attn_output", shape.width, query),
        ):
            yield f"{block}{name}.weight", noise.q8_0(out, into), Kind.Q8_0
            yield f"{block}{name}.bias", noise.f32(out), None
        yield f"{block}attn_sinks.weight", noise.f32(shape.heads), None
        yield f"{block}ffn_gate_inp.weight", noise.f32(shape.experts, shape.width), None
        yield f"{block}ffn_gate_inp.bias", noise.f32(shape.experts), None
        for name, out, into in (
            ("ffn_gate_exps", shape.expert_width, shape.width),
            ("ffn_up_exps", shape.expert_width, shape.width),
            ("ffn_down_exps", shape.width, shape.expert_width),
        ):
            yield f"{block}{name}.weight", noise.mxfp4(shape.experts, out, into), Kind.MXFP4
            yield f"{block}{name}.bias", noise.f32(shape.experts, out), None


def write_metadata(writer: gguf.GGUFWriter, shape: Shape) -> None:
    tokens, types, merges = vocabulary(shape.vocabulary)
    writer.add_name("gpt-oss synthetic")
    writer.add_block_count(shape.layers)
    writer.add_context_length(131_072)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.expert_width)
    writer.add_expert_feed_forward_length(shape.expert_width)
    writer.add_expert_count(shape.experts)
    writer.add_expert_used_count(shape.experts_used)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_sliding_window(128)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(150_000)
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(32.0)
    writer.add_rope_scaling_orig_ctx_len(4_096)
    writer.add_file_type(int(gguf.LlamaFileType.MOSTLY_MXFP4_MOE))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|startoftext|>"))
    writer.add_eos_token_id(tokens.index("<|return|>"))
    writer.add_add_bos_token(False)


def write(path: Path, shape: Shape, seed: int = 1) -> None:
    """Write the file tensor by tensor; never more than one tensor is in memory."""
    writer = gguf.GGUFWriter(path, "gpt-oss")
    write_metadata(writer, shape)
    for name, data, kind in tensors(shape, Noise(seed)):
        writer.add_tensor_info(name, data.shape, data.dtype, data.nbytes, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, data, _ in tensors(shape, Noise(seed)):
        writer.write_tensor_data(data)
    writer.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("path", type=Path)
    arguments.add_argument("--shape", choices=SHAPES, default="20b")
    given = arguments.parse_args()
    write(given.path, SHAPES[given.shape])
    print(f"wrote {given.path}, {given.path.stat().st_size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
