"""The weights of a gpt-oss file, used where they lie: the file is mapped, nothing is copied but what is small.

Two files are known: the published one (`gpt-oss`) and Ollama's (`gptoss`), which has other names.
"""

import math
import mmap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ossian.errors import BadRequest
from ossian.store.gguf import Layout, Tensor, read_layout

Array = NDArray[np.float32]

F32, F16, Q8_0, BF16, MXFP4 = 0, 1, 8, 30, 39
BLOCK = 32  # weights that share a scale
BYTES = {
    F32: (1, 4),
    F16: (1, 2),
    BF16: (1, 2),
    Q8_0: (BLOCK, 34),
    MXFP4: (BLOCK, 17),
}  # of so many weights, so many bytes
ARCHITECTURES = ("gpt-oss", "gptoss")
OLLAMA_NAMES = {"attn_output": "attn_out", "attn_sinks.weight": "attn_sinks", "post_attention_norm": "ffn_norm"}
LARGEST_SIZE = 1 << 22
LARGEST_LAYERS = 512


@dataclass(frozen=True, slots=True)
class Shape:
    """Every number that the architecture leaves open. `window` is what even layers see."""

    layers: int
    width: int
    query_heads: int
    key_heads: int
    head: int
    experts: int
    chosen: int
    deep: int  # the width inside an expert
    vocabulary: int
    window: int
    context: int
    epsilon: float
    rope_base: float
    rope_factor: float
    rope_context: int


@dataclass(frozen=True, slots=True)
class Linear:
    """A matrix of the kernels and what is added to its products."""

    matrix: Any
    bias: Array | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's weights, in the order in which they are used."""

    attention_norm: Array
    query: Linear
    key: Linear
    value: Linear
    sinks: Array
    output: Linear
    expert_norm: Array
    router: Linear
    gate: Linear
    up: Linear
    down: Linear


@dataclass(frozen=True, slots=True)
class Weights:
    """A whole model."""

    shape: Shape
    embedding: Linear
    layers: tuple[Layer, ...]
    norm: Array
    output: Linear
    metadata: dict[str, Any]


class NotForUs(BadRequest):
    """The file is a model that this engine does not run; another one may."""


def open_weights(path: Path, kernels: ModuleType) -> Weights:
    """Map a file. Raises NotForUs for another architecture or other kinds of numbers, BadRequest for a damaged file."""
    layout = read_layout(path)
    with path.open("rb") as file:
        mapped = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    try:
        return _Opener(layout, mapped, kernels).weights()
    except (ValueError, TypeError, OverflowError) as error:
        raise BadRequest(f"{path.name} is not a usable gpt-oss file ({error}).", "Fetch it again.") from error


class _Opener:
    """Finds tensors in a layout, and checks each against the shape before anything reads it."""

    def __init__(self, layout: Layout, mapped: NDArray[np.uint8], kernels: ModuleType) -> None:
        self._layout, self._mapped, self._kernels = layout, mapped, kernels
        self._architecture = str(layout.metadata.get("general.architecture"))
        if self._architecture not in ARCHITECTURES:
            raise NotForUs(f"the architecture is {self._architecture}, not gpt-oss")
        self._shape = self._read_shape()

    def weights(self) -> Weights:
        shape = self._shape
        embedding = self._matrix("token_embd", shape.vocabulary, shape.width)
        output = self._matrix("output", shape.vocabulary, shape.width) if self._has("output.weight") else embedding
        layers = tuple(self._layer(f"blk.{index}.") for index in range(shape.layers))
        norm = self._floats("output_norm.weight", shape.width)
        return Weights(shape, embedding, layers, norm, output, self._layout.metadata)

    def _layer(self, block: str) -> Layer:
        shape = self._shape
        queries, keys = shape.query_heads * shape.head, shape.key_heads * shape.head
        return Layer(
            attention_norm=self._floats(f"{block}attn_norm.weight", shape.width),
            query=self._linear(f"{block}attn_q", queries, shape.width),
            key=self._linear(f"{block}attn_k", keys, shape.width),
            value=self._linear(f"{block}attn_v", keys, shape.width),
            sinks=self._floats(f"{block}attn_sinks.weight", shape.query_heads),
            output=self._linear(f"{block}attn_output", shape.width, queries),
            expert_norm=self._floats(f"{block}post_attention_norm.weight", shape.width),
            router=self._linear(f"{block}ffn_gate_inp", shape.experts, shape.width),
            gate=self._experts(f"{block}ffn_gate_exps", shape.deep, shape.width),
            up=self._experts(f"{block}ffn_up_exps", shape.deep, shape.width),
            down=self._experts(f"{block}ffn_down_exps", shape.width, shape.deep),
        )

    def _linear(self, name: str, rows: int, columns: int) -> Linear:
        return Linear(self._matrix(name, rows, columns).matrix, self._floats(f"{name}.bias", rows))

    def _matrix(self, name: str, rows: int, columns: int) -> Linear:
        tensor, data = self._find(f"{name}.weight", columns, rows)
        return Linear(self._kernels.Matrix(data, tensor.kind, 1, rows, columns))

    def _experts(self, name: str, rows: int, columns: int) -> Linear:
        experts = self._shape.experts
        tensor, data = self._find(f"{name}.weight", columns, rows, experts)
        if tensor.kind not in (MXFP4, Q8_0):
            raise NotForUs(f"experts are of kind {tensor.kind}, not MXFP4 or Q8_0")
        matrix = self._kernels.Matrix(data, tensor.kind, experts, rows, columns)
        return Linear(matrix, self._floats(f"{name}.bias", rows, experts))

    def _floats(self, name: str, *sizes: int) -> Array:
        tensor, data = self._find(name, *sizes)
        if tensor.kind != F32:
            raise NotForUs(f"{name} is of kind {tensor.kind}, not F32")
        return data.view(np.float32).reshape(sizes[::-1])

    def _has(self, name: str) -> bool:
        return self._real_name(name) in self._layout.tensors

    def _real_name(self, name: str) -> str:
        if self._architecture == "gptoss":
            for published, ollamas in OLLAMA_NAMES.items():
                name = name.replace(published, ollamas)
        return name

    def _find(self, name: str, *sizes: int) -> tuple[Tensor, NDArray[np.uint8]]:
        """A tensor of just these sizes, and its bytes. Raises ValueError where the file has another or too little."""
        tensor = self._layout.tensors.get(self._real_name(name))
        if tensor is None:
            raise ValueError(f"it has no {self._real_name(name)}")
        if tensor.sizes != sizes:
            raise ValueError(f"{tensor.name} has the sizes {tensor.sizes}, not {sizes}")
        if tensor.kind not in BYTES:
            raise NotForUs(f"{tensor.name} is of kind {tensor.kind}, which is not among F32, F16, BF16, Q8_0 and MXFP4")
        together, size = BYTES[tensor.kind]
        if sizes[0] % together:
            raise ValueError(f"{tensor.name} has rows of {sizes[0]}, which is no multiple of {together}")
        start, length = self._layout.start + tensor.offset, math.prod(sizes) // together * size
        if start + length > len(self._mapped):
            raise ValueError(f"{tensor.name} ends behind the end of the file")
        return tensor, self._mapped[start : start + length]

    def _number(self, key: str, default: float | None = None) -> float:
        value = self._layout.metadata.get(f"{self._architecture}.{key}", default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{key} is {value!r}")
        return value

    def _count(self, key: str, most: int = LARGEST_SIZE, default: int | None = None) -> int:
        value = self._number(key, default)
        if value != int(value) or not 0 < value <= most:
            raise ValueError(f"{key} is {value!r}")
        return int(value)

    def _read_shape(self) -> Shape:
        gates = self._layout.tensors.get("blk.0.ffn_gate_exps.weight")
        table = self._layout.tensors.get("token_embd.weight")
        if gates is None or table is None or len(gates.sizes) != 3 or len(table.sizes) != 2:
            raise ValueError("it has no experts or no embedding")
        shape = Shape(
            layers=self._count("block_count", LARGEST_LAYERS),
            width=self._count("embedding_length"),
            query_heads=self._count("attention.head_count"),
            key_heads=self._count("attention.head_count_kv"),
            head=self._count("attention.key_length"),
            experts=self._count("expert_count"),
            chosen=self._count("expert_used_count"),
            deep=gates.sizes[1],
            vocabulary=table.sizes[1],
            window=self._count("attention.sliding_window"),
            context=self._count("context_length"),
            epsilon=self._number("attention.layer_norm_rms_epsilon"),
            rope_base=self._number("rope.freq_base"),
            rope_factor=self._number("rope.scaling.factor", 1.0),
            rope_context=self._count("rope.scaling.original_context_length", default=4096),
        )
        if shape.head % BLOCK or shape.query_heads % shape.key_heads or shape.chosen > shape.experts:
            raise NotForUs(f"heads of {shape.head}, {shape.query_heads} for {shape.key_heads}")
        return shape
