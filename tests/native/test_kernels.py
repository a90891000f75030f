"""Each kernel against float64 numpy, for every instruction set that this processor has."""

from types import ModuleType

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray
from reference import round_to_bytes

KINDS = (Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.MXFP4)
TOKENS = (1, 2, 5, 6, 12, 13, 40)  # around what the kernels multiply at once


def floats(random: np.random.Generator, *sizes: int, scale: float = 1.0) -> NDArray[np.float32]:
    return (random.standard_normal(sizes) * scale).astype(np.float32)


def quantized(weights: NDArray[np.float32], kind: Kind) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The bytes of a matrix in a file, and the numbers they mean."""
    data = np.ascontiguousarray(gguf.quants.quantize(weights, kind))
    return data.view(np.uint8).reshape(-1), gguf.quants.dequantize(data, kind).astype(np.float64)


def halved(numbers: NDArray[np.float32]) -> NDArray[np.float64]:
    """What is left of keys and values in half precision."""
    return numbers.astype(np.float16).astype(np.float64)


@pytest.mark.parametrize("tokens", TOKENS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_products_are_those_of_the_rounded_activations(kernels: ModuleType, kind: Kind, tokens: int) -> None:
    random = np.random.default_rng(tokens)
    data, weights = quantized(floats(random, 96, 320, scale=0.2), kind)
    x, bias, out = floats(random, tokens, 320), floats(random, 96), floats(random, tokens, 96)
    seen = round_to_bytes(x) if kind in (Kind.Q8_0, Kind.MXFP4) else x.astype(np.float64)
    matrix = kernels.Matrix(data, int(kind), 1, 96, 320)
    before = out.copy()
    kernels.linear(kernels.Pool(2), x, matrix, bias, out, True)
    np.testing.assert_allclose(out, before + seen @ weights.T + bias, rtol=0, atol=2e-4)
    kernels.linear(kernels.Pool(1), x, matrix, None, out, False)
    np.testing.assert_allclose(out, seen @ weights.T, rtol=0, atol=2e-4)


def test_extreme_bytes_do_not_saturate(kernels: ModuleType) -> None:
    """Weights of -128 and activations of ±127, whose pairs of products do not fit 16 bits unless one is halved."""
    weights = np.full((32, 34), 0x80, np.uint8)
    weights[:, :2] = np.frombuffer(np.float16(1.0).tobytes(), np.uint8)
    x, out = np.full((3, 32), -127.0, np.float32), np.empty((3, 32), np.float32)
    kernels.linear(kernels.Pool(1), x, kernels.Matrix(weights.reshape(-1), int(Kind.Q8_0), 1, 32, 32), None, out, False)
    assert np.all(out == 32 * 128 * 127)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_embedding_is_a_row_of_the_matrix(kernels: ModuleType, kind: Kind) -> None:
    data, weights = quantized(floats(np.random.default_rng(1), 64, 96), kind)
    out = np.empty((3, 96), np.float32)
    kernels.embed(kernels.Pool(1), kernels.Matrix(data, int(kind), 1, 64, 96), np.array([63, 0, 7], np.int32), out)
    np.testing.assert_array_equal(out, weights[[63, 0, 7]].astype(np.float32))


def test_a_norm_divides_by_the_root_of_the_mean_square(kernels: ModuleType) -> None:
    random = np.random.default_rng(2)
    x, weight, out = floats(random, 5, 96, scale=30), floats(random, 96), np.empty((5, 96), np.float32)
    kernels.norm(kernels.Pool(2), x, weight, 1e-5, out)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(out, wide / np.sqrt((wide**2).mean(1, keepdims=True) + 1e-5) * weight, rtol=1e-5)


@pytest.mark.parametrize("window", [0, 1, 5, 128])
@pytest.mark.parametrize(("heads", "key_heads", "size"), [(8, 2, 64), (2, 2, 32), (6, 2, 32)])
def test_attention_sees_what_it_may_and_its_sink(
    kernels: ModuleType, heads: int, key_heads: int, size: int, window: int
) -> None:
    """Two conversations of 150 and 70 tokens in scattered blocks, read in one go."""
    random = np.random.default_rng(heads + window)
    lengths, rows = (150, 70), 220
    queries, keys, values = (
        floats(random, rows, heads * size),
        floats(random, rows, key_heads * size),
        floats(random, rows, key_heads * size),
    )
    sinks, out = floats(random, heads), np.empty((rows, heads * size), np.float32)
    positions = np.concatenate([np.arange(length) for length in lengths]).astype(np.int32)
    conversations = np.repeat([0, 1], lengths).astype(np.int32)
    cache_keys, cache_values = (
        np.full((8, 3, key_heads, size, 64), 0x7E00, np.uint16),
        np.full((8, 3, key_heads, 64, size), 0x7E00, np.uint16),
    )
    tables = np.array([[6, 1, 4], [2, 7, 0]], np.int32)
    kernels.attend(
        kernels.Pool(2),
        queries,
        keys,
        values,
        sinks,
        cache_keys,
        cache_values,
        1,
        positions,
        conversations,
        tables,
        window,
        out,
    )

    start = 0
    for length in lengths:
        part = slice(start, start + length)
        q, k, v = (
            queries[part].reshape(length, heads, size),
            halved(keys[part]).reshape(length, key_heads, size),
            halved(values[part]).reshape(length, key_heads, size),
        )
        distance = np.arange(length)[:, None] - np.arange(length)[None, :]
        seen = (distance >= 0) & (distance < (window or length))
        for head in range(heads):
            group = head // (heads // key_heads)
            scores = np.exp(np.where(seen, q[:, head].astype(np.float64) @ k[:, group].T / np.sqrt(size), -np.inf))
            wanted = scores @ v[:, group] / (scores.sum(1, keepdims=True) + np.exp(np.float64(sinks[head])))
            np.testing.assert_allclose(out[part, head * size : (head + 1) * size], wanted, rtol=0, atol=3e-5)
        start += length


def test_experts_are_mixed_by_weight(kernels: ModuleType) -> None:
    random = np.random.default_rng(4)
    tokens, width, deep, experts = 29, 64, 96, 5
    parts = [(deep, width), (deep, width), (width, deep)]
    made = [quantized(floats(random, experts * out, into, scale=0.3), Kind.MXFP4) for out, into in parts]
    biases = [floats(random, experts, out) for out, _ in parts]
    h, x = floats(random, tokens, width, scale=4), floats(random, tokens, width)
    chosen = np.stack([random.permutation(experts)[:2] for _ in range(tokens)]).astype(np.int32)
    weights = random.dirichlet([1, 1], tokens).astype(np.float32)
    before, seen = x.astype(np.float64), round_to_bytes(h)
    matrices = [
        kernels.Matrix(data, int(Kind.MXFP4), experts, *shape) for (data, _), shape in zip(made, parts, strict=True)
    ]
    arguments = [each for pair in zip(matrices, biases, strict=True) for each in pair]
    kernels.mix(kernels.Pool(2), h, chosen, weights, *arguments, x)
    gates, ups, downs = (numbers.reshape(experts, *shape) for (_, numbers), shape in zip(made, parts, strict=True))
    for token in range(tokens):
        for expert, weight in zip(chosen[token], weights[token], strict=True):
            gate = np.minimum(gates[expert] @ seen[token] + biases[0][expert], 7)
            up = np.clip(ups[expert] @ seen[token] + biases[1][expert], -7, 7)
            middle = gate / (1 + np.exp(-1.702 * gate)) * (up + 1)
            before[token] += weight * (downs[expert] @ round_to_bytes(middle) + biases[2][expert])
    # A middle value that lies between two bytes may be rounded either way: one step of 1/127 of its block's largest.
    np.testing.assert_allclose(x, before, rtol=0, atol=np.abs(before).max() * 2e-3)


def test_shapes_that_do_not_fit_are_refused(kernels: ModuleType) -> None:
    pool, data = kernels.Pool(1), np.zeros(32 * 34, np.uint8)
    matrix = kernels.Matrix(data, 8, 1, 32, 32)
    x, out = np.zeros((2, 32), np.float32), np.zeros((2, 32), np.float32)
    for wrong in (
        lambda: kernels.Matrix(data, 8, 1, 64, 32),
        lambda: kernels.Matrix(data, 8, 2, 32, 32),
        lambda: kernels.Matrix(data, 3, 1, 32, 32),
        lambda: kernels.Matrix(data, 8, 1, 2**40, 2**40),
        lambda: kernels.Matrix(data, 8, -1, 32, 32),
        lambda: kernels.linear(pool, x, matrix, None, out[:1].copy(), False),
        lambda: kernels.linear(pool, x[:, :16].copy(), matrix, None, out, False),
        lambda: kernels.linear(pool, x, matrix, np.zeros(31, np.float32), out, False),
        lambda: kernels.embed(pool, matrix, np.array([0, 32], np.int32), out),
        lambda: kernels.embed(pool, matrix, np.array([0, -1], np.int32), out),
        lambda: kernels.rotate(pool, x, 5, np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)),
    ):
        with pytest.raises((ValueError, TypeError)):
            wrong()
