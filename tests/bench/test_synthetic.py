"""The synthetic model: a file that others read as we mean it, and what its tokens cost."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from ossian.bench.floors import work_of
from ossian.bench.gguf_writer import write_head
from ossian.bench.synthetic import SHAPES, metadata_of, place, size_of, write_synthetic
from ossian.store.catalogue import read_model

TINY = SHAPES["tiny"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "folder" / "tiny.gguf"
    write_synthetic(path, TINY)
    return path


def rounded(value: object) -> object:
    """A number as the file keeps it."""
    return float(np.float32(value)) if type(value) is float else value


def write_hollow(path: Path, shape: str) -> Path:
    """A file that says all of itself and has no weights: sparse, so gigabytes of them take no room."""
    tensors = place(SHAPES[shape])
    with path.open("wb") as file:
        write_head(file, metadata_of(SHAPES[shape]), tensors)
        file.truncate(file.tell() + size_of(SHAPES[shape]))
    return path


def test_the_official_reader_finds_what_we_wrote(tiny):
    reader = gguf.GGUFReader(tiny)
    said = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    meant = {
        key: float(np.float32(value)) if type(value) is float else value for key, value in metadata_of(TINY).items()
    }
    assert said == meant
    found = [(t.name, int(t.tensor_type), tuple(int(size) for size in t.shape)) for t in reader.tensors]
    assert found == [(t.name, t.kind, t.sizes) for t in place(TINY)]
    scales = next(t.data for t in reader.tensors if t.name == "blk.3.ffn_down_exps.weight").reshape(-1, 17)[:, 0]
    assert set(scales) == {120}


def test_no_half_file_is_left_beside_it(tiny):
    assert [path.name for path in tiny.parent.iterdir()] == ["tiny.gguf"]
    assert size_of(TINY) < tiny.stat().st_size < size_of(TINY) + 300_000


def test_what_a_token_costs_is_counted_from_the_tensors(tiny):
    work = work_of(read_model("tiny", tiny))
    attention, router, experts = 2 * 256 * 512 + 2 * 256 * 128, 256 * 8, 3 * 256 * 256
    assert work.operations == 2 * 4 * (attention + router + 2 * experts)
    assert work.expert_bytes == 4 * 8 * (experts // 32 * 17 + 3 * 256 * 4)
    quantized = 4_096 * 256 + 4 * attention
    floats = 256 + 4 * (2 * 256 + 512 + 2 * 128 + 256 + 8 + router + 8)
    assert work.bytes == quantized // 32 * 34 + 4 * floats
    assert (work.experts, work.chosen) == (8, 2)


def test_gpt_oss_20b_costs_what_the_log_says(tmp_path):
    work = work_of(read_model("big", write_hollow(tmp_path / "big.gguf", "20b")))
    assert work.operations / 1e9 == pytest.approx(6.06, abs=0.01)
    assert work.bytes_for(1) / 1e9 == pytest.approx(2.57, abs=0.02)


def test_several_callers_meet_more_experts_but_never_more_than_there_are(tiny):
    work = work_of(read_model("tiny", tiny))
    assert work.bytes_for(1) == pytest.approx(work.bytes + work.expert_bytes * 2 / 8)
    assert work.bytes_for(2) == pytest.approx(work.bytes + work.expert_bytes * (1 - 0.75**2))
    assert work.bytes_for(1_000) == pytest.approx(work.bytes + work.expert_bytes)
