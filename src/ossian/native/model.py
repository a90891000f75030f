"""The forward pass of gpt-oss, to be read next to the model card. Knows nothing of text, files or conversations' ends.

Rows are tokens, of one conversation or of many: `Batch` says where each stands. Everything that costs time happens in
the kernels (`kernels/*.h`); what is written here in numpy is small.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ossian.native.weights import Array, Layer, Linear, Shape, Weights

Numbers = NDArray[np.int32]

FAST_TURNS, SLOW_TURNS = 32, 1  # YaRN's beta: pairs that turn more often are kept, those that turn less are stretched


@dataclass(frozen=True, slots=True)
class Batch:
    """The tokens of one step. Row i is `tokens[i]`, at `positions[i]` of conversation `conversations[i]`.

    `tables[conversation]` lists the blocks in which its keys and values lie. `wanted` are the rows whose next token is
    asked for.
    """

    tokens: Numbers
    positions: Numbers
    conversations: Numbers
    tables: Numbers
    wanted: Numbers


@dataclass(frozen=True, slots=True)
class KeysAndValues:
    """What has been read: half-precision numbers, `[blocks, layers, key heads, …]`, in blocks of 64 positions."""

    keys: NDArray[np.uint16]
    values: NDArray[np.uint16]


class Left(Exception):
    """Whoever the step was for went away; nothing of it counts."""


class Model:
    """The weights of a file and the threads that multiply with them."""

    def __init__(self, weights: Weights, kernels: ModuleType, threads: int) -> None:
        self.shape = weights.shape
        self._weights = weights
        self._kernels = kernels
        self._pool = kernels.Pool(threads)
        self._turns, self._magnitude = stretch_rotation(weights.shape)

    def forward(self, batch: Batch, cache: KeysAndValues, stop: Callable[[], bool] = lambda: False) -> Array:
        """Read a batch, remember its keys and values, and give the logits `[wanted, vocabulary]`.

        Raises Left between two layers when `stop` says so.
        """
        weights = self._weights
        angles = self._angles(batch.positions)
        x = self._embed(batch.tokens)
        for index, layer in enumerate(weights.layers):
            if stop():
                raise Left
            self._attend(x, index, layer, batch, cache, angles)
            self._think(x, layer)
        rows = np.ascontiguousarray(x[batch.wanted])
        return self._multiply(self._norm(rows, weights.norm), weights.output)

    def _attend(
        self, x: Array, index: int, layer: Layer, batch: Batch, cache: KeysAndValues, angles: tuple[Array, Array]
    ) -> None:
        """x += what attention finds. Even layers see a window, odd ones everything."""
        h = self._norm(x, layer.attention_norm)
        query, key, value = (self._multiply(h, part) for part in (layer.query, layer.key, layer.value))
        for turned in (query, key):
            self._kernels.rotate(self._pool, turned, self.shape.head, *angles)
        found = np.empty_like(query)
        window = self.shape.window if index % 2 == 0 else 0
        places = batch.positions, batch.conversations, batch.tables
        self._kernels.attend(
            self._pool, query, key, value, layer.sinks, cache.keys, cache.values, index, *places, window, found
        )
        self._multiply(found, layer.output, onto=x)

    def _think(self, x: Array, layer: Layer) -> None:
        """x += the weighted answers of the few experts that the router chooses for each token."""
        h = self._norm(x, layer.expert_norm)
        chosen, shares = choose(self._multiply(h, layer.router), self.shape.chosen)
        parts = (part for linear in (layer.gate, layer.up, layer.down) for part in (linear.matrix, linear.bias))
        self._kernels.mix(self._pool, h, chosen, shares, *parts, x)

    def _embed(self, tokens: Numbers) -> Array:
        x = np.empty((len(tokens), self.shape.width), np.float32)
        self._kernels.embed(self._pool, self._weights.embedding.matrix, tokens, x)
        return x

    def _norm(self, x: Array, weight: Array) -> Array:
        h = np.empty_like(x)
        self._kernels.norm(self._pool, x, weight, self.shape.epsilon, h)
        return h

    def _multiply(self, x: Array, linear: Linear, onto: Array | None = None) -> Array:
        out = np.empty((len(x), linear.matrix.rows), np.float32) if onto is None else onto
        self._kernels.linear(self._pool, x, linear.matrix, linear.bias, out, onto is not None)
        return out

    def _angles(self, positions: Numbers) -> tuple[Array, Array]:
        """Cosine and sine of each position's angle for each pair, `[rows, head / 2]`."""
        angle = positions.astype(np.float64)[:, None] * self._turns
        cosine, sine = np.cos(angle) * self._magnitude, np.sin(angle) * self._magnitude
        return cosine.astype(np.float32), sine.astype(np.float32)


def choose(logits: Array, count: int) -> tuple[Numbers, Array]:
    """The `count` experts with the largest logits, and a softmax over those only.

    >>> choose(np.array([[0.0, 5.0, 5.0, 1.0]], np.float32), 2)
    (array([[1, 2]], dtype=int32), array([[0.5, 0.5]], dtype=float32))
    """
    chosen = np.argsort(-logits, axis=1, kind="stable")[:, :count]
    best = np.take_along_axis(logits, chosen, axis=1)
    raised = np.exp(best - best[:, :1])
    return chosen.astype(np.int32), raised / raised.sum(axis=1, keepdims=True)


def stretch_rotation(shape: Shape) -> tuple[NDArray[np.float64], float]:
    """YaRN: the angle per position of each pair, and what cosine and sine are multiplied by (arXiv:2309.00071)."""
    pairs = np.arange(shape.head // 2, dtype=np.float64)
    turns = shape.rope_base ** (-2 * pairs / shape.head)
    if shape.rope_factor == 1:
        return turns, 1.0

    def pair_that_turns(times: float) -> float:
        """Which pair turns so many times over the original context."""
        return shape.head * math.log(shape.rope_context / (times * 2 * math.pi)) / (2 * math.log(shape.rope_base))

    low = max(0, math.floor(pair_that_turns(FAST_TURNS)))
    high = min(shape.head - 1, math.ceil(pair_that_turns(SLOW_TURNS)))
    kept = 1 - np.clip((pairs - low) / max(0.001, high - low), 0, 1)
    return turns / shape.rope_factor * (1 - kept) + turns * kept, 1 + 0.1 * math.log(shape.rope_factor)
