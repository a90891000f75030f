"""gpt-oss in float64 numpy, written down as the model card says it: slow, plain, and the judge of every kernel."""

import math
from pathlib import Path

import gguf
import numpy as np
from gguf import GGUFReader
from numpy.typing import NDArray

Array = NDArray[np.float64]


def read_tensors(path: Path) -> dict[str, Array]:
    """All tensors of a file as float64, `[…, out, in]`."""
    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
        for tensor in GGUFReader(path).tensors
    }


def read_number(reader: GGUFReader, key: str) -> float:
    return float(reader.fields[f"gpt-oss.{key}"].contents())


def round_to_bytes(x: Array) -> Array:
    """What is left of activations when 32 of them share a scale and become whole numbers up to 127, as in kernels."""
    blocks = x.astype(np.float32).reshape(*x.shape[:-1], -1, 32)
    scale = np.abs(blocks).max(-1, keepdims=True) / np.float32(127)
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)
    return (np.rint(blocks * inverse) * scale.astype(np.float64)).reshape(x.shape)


class Reference:
    """A whole model; `logits` reads one conversation from its start.

    rounded: activations are rounded before they meet quantized weights, and keys and values to half precision. Then
    nothing but the order of sums may differ from the kernels.
    """

    def __init__(self, path: Path, *, rounded: bool = False) -> None:
        reader = GGUFReader(path)
        self.rounded = rounded
        self.quantized = {tensor.name for tensor in reader.tensors if tensor.tensor_type.name in ("Q8_0", "MXFP4")}
        self.tensors = read_tensors(path)
        self.layers = int(read_number(reader, "block_count"))
        self.query_heads = int(read_number(reader, "attention.head_count"))
        self.key_heads = int(read_number(reader, "attention.head_count_kv"))
        self.head = int(read_number(reader, "attention.key_length"))
        self.chosen = int(read_number(reader, "expert_used_count"))
        self.window = int(read_number(reader, "attention.sliding_window"))
        self.epsilon = read_number(reader, "attention.layer_norm_rms_epsilon")
        self.base = read_number(reader, "rope.freq_base")
        self.factor = read_number(reader, "rope.scaling.factor")
        self.original = read_number(reader, "rope.scaling.original_context_length")

    def logits(self, tokens: list[int]) -> Array:
        """The logits after each token, `[tokens, vocabulary]`."""
        x = self.tensors["token_embd.weight"][tokens]
        for layer in range(self.layers):
            x = x + self.attend(self.norm(x, f"blk.{layer}.attn_norm"), f"blk.{layer}", windowed=layer % 2 == 0)
            x = x + self.mix(self.norm(x, f"blk.{layer}.post_attention_norm"), f"blk.{layer}")
        return self.activate(self.norm(x, "output_norm"), "output.weight") @ self.tensors["output.weight"].T

    def activate(self, x: Array, weight: str) -> Array:
        return round_to_bytes(x) if self.rounded and weight in self.quantized else x

    def norm(self, x: Array, name: str) -> Array:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon) * self.tensors[f"{name}.weight"]

    def linear(self, x: Array, name: str) -> Array:
        return self.activate(x, f"{name}.weight") @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def attend(self, h: Array, block: str, *, windowed: bool) -> Array:
        count = len(h)
        q = self.rotate(self.linear(h, f"{block}.attn_q").reshape(count, self.query_heads, self.head))
        k = self.rotate(self.linear(h, f"{block}.attn_k").reshape(count, self.key_heads, self.head))
        v = self.linear(h, f"{block}.attn_v").reshape(count, self.key_heads, self.head)
        if self.rounded:
            k, v = k.astype(np.float16).astype(np.float64), v.astype(np.float16).astype(np.float64)
        distance = np.arange(count)[:, None] - np.arange(count)[None, :]
        seen = (distance >= 0) & (distance < self.window if windowed else True)
        found = np.empty_like(q)
        for head in range(self.query_heads):
            group = head // (self.query_heads // self.key_heads)
            scores = np.where(seen, q[:, head] @ k[:, group].T / math.sqrt(self.head), -np.inf)
            sink = np.full((count, 1), self.tensors[f"{block}.attn_sinks.weight"][head])
            weights = np.concatenate([scores, sink], axis=1)
            weights = np.exp(weights - weights.max(axis=1, keepdims=True))
            found[:, head] = (weights / weights.sum(axis=1, keepdims=True))[:, :-1] @ v[:, group]
        return self.linear(found.reshape(count, -1), f"{block}.attn_output")

    def rotate(self, x: Array) -> Array:
        half = self.head // 2
        pair = np.arange(half)
        frequency = self.base ** (-2 * pair / self.head)
        low, high = (
            self.head * math.log(self.original / (times * 2 * math.pi)) / (2 * math.log(self.base)) for times in (32, 1)
        )
        ramp = np.clip((pair - math.floor(low)) / (math.ceil(high) - math.floor(low)), 0, 1)
        frequency = frequency * (1 - ramp) + frequency / self.factor * ramp
        angle = np.arange(len(x))[:, None] * frequency
        scale = 1 + 0.1 * math.log(self.factor)
        cosine, sine = (np.cos(angle) * scale)[:, None], (np.sin(angle) * scale)[:, None]
        first, second = x[..., :half], x[..., half:]
        return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)

    def mix(self, h: Array, block: str) -> Array:
        logits = self.linear(h, f"{block}.ffn_gate_inp")
        out = np.zeros_like(h)
        for row, scores in enumerate(logits):
            chosen = np.argsort(-scores, kind="stable")[: self.chosen]
            shares = np.exp(scores[chosen] - scores[chosen].max())
            for expert, share in zip(chosen, shares / shares.sum(), strict=True):
                out[row] += share * self.expert(h[row], block, expert)
        return out

    def expert(self, h: Array, block: str, expert: int) -> Array:
        def part(x: Array, name: str) -> Array:
            weight, bias = self.tensors[f"{block}.{name}.weight"][expert], self.tensors[f"{block}.{name}.bias"][expert]
            return weight @ self.activate(x, f"{block}.{name}.weight") + bias

        gate, up = np.minimum(part(h, "ffn_gate_exps"), 7), np.clip(part(h, "ffn_up_exps"), -7, 7)
        return part(gate / (1 + np.exp(-1.702 * gate)) * (up + 1), "ffn_down_exps")
