"""The whole forward pass: against the reference, and against itself in every company."""

from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray
from reference import Reference
from small_model import SIZES, write_small

from ossian.errors import BadRequest
from ossian.native.model import Batch, KeysAndValues, Left, Model
from ossian.native.weights import NotForUs, open_weights

LENGTH = 200  # more than the window, and than three blocks


def tokens(seed: int = 0, length: int = LENGTH) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(0, SIZES["vocabulary"], length).astype(np.int32)


class Reader:
    """A model and an empty cache of its own."""

    def __init__(self, path: Path, kernels: ModuleType, threads: int = 2) -> None:
        self.model = Model(open_weights(path, kernels), kernels, threads)
        shape, blocks = self.model.shape, 32
        self.cache = KeysAndValues(
            np.zeros((blocks, shape.layers, shape.key_heads, shape.head, 64), np.uint16),
            np.zeros((blocks, shape.layers, shape.key_heads, 64, shape.head), np.uint16),
        )

    def read(self, *parts: tuple[int, NDArray[np.int32], int, int]) -> list[NDArray[np.float32]]:
        """Read tokens[start:end] of each (conversation, tokens, start, end) in one step; the logits of every row."""
        count = sum(end - start for *_, start, end in parts)
        batch = Batch(
            np.concatenate([text[start:end] for _, text, start, end in parts]),
            np.concatenate([np.arange(start, end) for *_, start, end in parts]).astype(np.int32),
            np.concatenate([[index] * (end - start) for index, (*_, start, end) in enumerate(parts)]).astype(np.int32),
            np.array([range(4 * conversation, 4 * conversation + 4) for conversation, *_ in parts], np.int32),
            np.arange(count, dtype=np.int32),
        )
        return np.split(
            self.model.forward(batch, self.cache), np.cumsum([end - start for *_, start, end in parts])[:-1]
        )


def test_logits_are_those_of_the_reference(small: Path, kernels: ModuleType) -> None:
    """Until a rounding falls the other way, and from there on within the noise of rounding to bytes."""
    (logits,) = Reader(small, kernels).read((0, tokens(), 0, LENGTH))
    rounded = Reference(small, rounded=True).logits(list(tokens()))
    first_difference = next((row for row in range(LENGTH) if np.abs(logits[row] - rounded[row]).max() > 1e-3), LENGTH)
    assert first_difference >= 3
    exact = Reference(small).logits(list(tokens()))
    ours, noise = np.sqrt(((logits - exact) ** 2).mean()), np.sqrt(((rounded - exact) ** 2).mean())
    assert ours < 1.3 * noise


def test_pieces_company_and_threads_change_nothing(small: Path, kernels: ModuleType) -> None:
    one, other = tokens(1), tokens(2)
    (whole,) = Reader(small, kernels, threads=1).read((0, one, 0, LENGTH))
    pieces = Reader(small, kernels)
    ends = [0, 1, 14, 78, 79, 150, LENGTH]
    read = [pieces.read((1, one, start, end))[0] for start, end in pairwise(ends)]
    np.testing.assert_array_equal(np.concatenate(read), whole)
    together = Reader(small, kernels)
    first, _ = together.read((0, one, 0, 90), (1, other, 0, 120))
    _, second = together.read((1, other, 120, 121), (0, one, 90, LENGTH))
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def test_ollamas_file_gives_the_same_numbers(small: Path, tmp_path: Path, kernels: ModuleType) -> None:
    write_small(tmp_path / "ollama.gguf", architecture="gptoss")
    (theirs,) = Reader(tmp_path / "ollama.gguf", kernels).read((0, tokens(), 0, 20))
    (published,) = Reader(small, kernels).read((0, tokens(), 0, 20))
    np.testing.assert_array_equal(theirs, published)


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.BF16], ids=lambda kind: kind.name)
def test_matrices_of_floats_are_read(tmp_path: Path, kernels: ModuleType, kind: Kind) -> None:
    write_small(tmp_path / "floats.gguf", matrices=kind)
    (logits,) = Reader(tmp_path / "floats.gguf", kernels).read((0, tokens(), 0, LENGTH))
    rounded = Reference(tmp_path / "floats.gguf", rounded=True).logits(list(tokens()))
    np.testing.assert_allclose(logits[0], rounded[0], rtol=0, atol=1e-3)
    assert np.corrcoef(logits.ravel(), rounded.ravel())[0, 1] > 0.999


def test_whoever_leaves_stops_the_step(small: Path, kernels: ModuleType) -> None:
    reader = Reader(small, kernels)
    zeros = np.zeros(1, np.int32)
    with pytest.raises(Left):
        reader.model.forward(Batch(zeros, zeros, zeros, zeros[None], zeros), reader.cache, stop=lambda: True)


def test_another_architecture_is_for_another_engine(tmp_path: Path, kernels: ModuleType) -> None:
    write_small(tmp_path / "other.gguf", architecture="llama")
    with pytest.raises(NotForUs, match="the architecture is llama, not gpt-oss"):
        open_weights(tmp_path / "other.gguf", kernels)


def test_a_file_that_was_cut_off_is_refused(small: Path, tmp_path: Path, kernels: ModuleType) -> None:
    data = small.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        cut = tmp_path / "cut.gguf"
        cut.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(BadRequest):
            open_weights(cut, kernels)


def test_a_damaged_head_is_refused_or_harmless(small: Path, tmp_path: Path, kernels: ModuleType) -> None:
    """Every byte of the head set to another value, some hundred times: an error, or a model that can be run."""
    data, random = bytearray(small.read_bytes()), np.random.default_rng(5)
    head = open_weights(small, kernels)
    start = data.index(b"token_embd.weight")
    damaged = tmp_path / "damaged.gguf"
    for _ in range(300):
        at = int(random.integers(4, start + 400))
        kept, data[at] = data[at], int(random.integers(0, 256))
        damaged.write_bytes(data)
        data[at] = kept
        try:
            weights = open_weights(damaged, kernels)
        except BadRequest:
            continue
        assert weights.shape.width == head.shape.width
