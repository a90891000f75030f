"""Heads of GGUF files, whole and damaged: nothing but BadRequest, whatever the bytes are."""

import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossian.errors import BadRequest
from ossian.store.catalogue import read_model
from ossian.store.gguf import Header, read_header
from small_gguf import GPT_OSS, gguf_bytes, string, value, write_gguf

WHOLE = gguf_bytes()
MIB = 1 << 20
BEGINNING = b"GGUF" + struct.pack("<I", 3)


def head(tensors: int, keys: int, rest: bytes = b"") -> bytes:
    return BEGINNING + struct.pack("<QQ", tensors, keys) + rest


def list_of(kind: int, count: int, rest: bytes = b"") -> bytes:
    """A head whose only key is a list that claims to be this long."""
    return head(0, 1, string("k") + struct.pack("<IIQ", 9, kind, count) + rest)


def read_bytes(path: Path, data: bytes) -> Header | None:
    """The header, or None where it was refused; anything else is a failure."""
    path.write_bytes(data)
    try:
        return read_header(path)
    except BadRequest as error:
        assert path.name in error.message
        return None


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("gguf") / "some.gguf"


def test_a_head_is_read_without_its_long_lists(path):
    header = read_bytes(path, gguf_bytes(weights=4096))
    short = {key: given for key, given in GPT_OSS.items() if not isinstance(given, list)}
    assert header == Header(short, 4096, "F32", 100)


def test_short_lists_are_kept_and_numbers_that_json_cannot_say_are_not(path):
    header = read_bytes(path, gguf_bytes({"a": [1, 2], "b": float("nan"), "c": [], "d": True, "e": ["x", "ü"]}))
    assert header.metadata == {"a": [1, 2], "c": [], "d": True, "e": ["x", "ü"]}


def test_the_kind_of_most_weights_is_the_quantization(path):
    assert read_bytes(path, gguf_bytes(kind=39)).quantization == "MXFP4"
    assert read_bytes(path, gguf_bytes(kind=999)).quantization == "type 999"


def test_a_file_cut_off_anywhere_is_refused(path):
    weights_begin = len(WHOLE) - 4 * 1024
    assert [end for end in range(0, weights_begin + 1, 7) if read_bytes(path, WHOLE[:end])] == []


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(path, data):
    assert read_bytes(path, data) is None


@given(st.binary(max_size=300))
def test_random_bytes_behind_the_magic_never_crash(path, data):
    read_bytes(path, BEGINNING + data)


@given(st.integers(0, len(WHOLE) - 4097), st.binary(min_size=1, max_size=12))
def test_damage_anywhere_never_crashes(path, place, damage):
    path.write_bytes(WHOLE[:place] + damage + WHOLE[place + len(damage) :])
    try:
        file = read_model("damaged", path)
    except BadRequest:
        return
    assert file.context_length >= 0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(head(1 << 63, 0), id="tensors without end"),
        pytest.param(head(0, 1 << 63), id="keys without end"),
        pytest.param(head(0, 1, struct.pack("<Q", 1 << 63)), id="a key as long as the world"),
        pytest.param(head(0, 1, string("k") + struct.pack("<IQ", 8, 1 << 40)), id="a string of a terabyte"),
        pytest.param(list_of(8, 1 << 62), id="strings without end"),
        pytest.param(list_of(8, 1 << 20, bytes(1000)), id="a million strings that are not there"),
        pytest.param(list_of(4, 1 << 62), id="numbers without end"),
        pytest.param(list_of(99, 1), id="a kind that nobody knows"),
        pytest.param(list_of(9, 1, struct.pack("<IQ", 9, 1) * 5000), id="lists in lists in lists"),
        pytest.param(list_of(9, 1 << 20), id="many lists in a list"),
        pytest.param(head(1, 0, string("t") + struct.pack("<I", 1 << 30)), id="a tensor of many dimensions"),
        pytest.param(gguf_bytes({"general.alignment": 0}), id="no alignment"),
        pytest.param(gguf_bytes({"general.alignment": "wide"}), id="an alignment that is a word"),
        pytest.param(b"GGUF" + struct.pack(">I", 3) + bytes(100), id="written for another processor"),
        pytest.param(b"GGUF" + struct.pack("<I", 1) + bytes(100), id="the first version"),
    ],
)
def test_a_head_that_lies_costs_nothing(path, data):
    path.write_bytes(data)
    begin = time.monotonic()
    tracemalloc.start()
    with pytest.raises(BadRequest, match="is not a usable GGUF file"):
        read_header(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * MIB
    assert time.monotonic() - begin < 1


def test_a_head_that_fills_a_huge_file_is_given_up(path):
    """A sparse file of 20 GB whose one string is as long as it says."""
    with path.open("wb") as file:
        file.write(head(0, 1, string("k") + struct.pack("<IQ", 8, 19 << 30)))
        file.truncate(20 << 30)
    with pytest.raises(BadRequest, match="64 MiB"):
        read_header(path)


def test_a_huge_list_of_empty_strings_is_given_up(path):
    with path.open("wb") as file:
        file.write(list_of(8, 8 << 20))
        file.truncate(20 << 30)
    with pytest.raises(BadRequest):
        read_header(path)


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param({"gpt-oss.context_length": "long"}, id="a word for a number"),
        pytest.param({"gpt-oss.context_length": -1}, id="below zero"),
        pytest.param({"gpt-oss.context_length": [1, 2]}, id="two contexts"),
        pytest.param({"gpt-oss.attention.head_count": 0}, id="no heads"),
        pytest.param({"gpt-oss.block_count": 1 << 40}, id="more layers than can be"),
        pytest.param({"gpt-oss.attention.head_count_kv": []}, id="a list of nothing"),
    ],
)
def test_sizes_that_cannot_be_meant_are_refused(tmp_path, numbers):
    path = write_gguf(tmp_path / "odd.gguf", {**GPT_OSS, **numbers})
    with pytest.raises(BadRequest, match=next(iter(numbers))):
        read_model("odd", path)


def test_values_of_every_kind_are_written_as_they_are_read(path):
    for given_value in ("x", True, -5, 0.5, [1, 2, 3]):
        assert read_bytes(path, head(0, 1, string("k") + value(given_value))).metadata == {"k": given_value}
