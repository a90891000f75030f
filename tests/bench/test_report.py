"""The table: medians, ratios that say how many times as good, shares of what is possible."""

import json
from pathlib import Path

import pytest

from ossian.bench.contenders import Contender
from ossian.bench.floors import Rates
from ossian.bench.report import Report, Row, write_json, write_markdown
from ossian.store.catalogue import DEMO, read_model

READING = Row(
    "read-512", "reading", "tokens/s", True, {"native": [70, 80, 75], "llama.cpp": [19], "llama-server": [20]}, 150.0
)
CHANGE = Row("change", "read again", "tokens", False, {"native": [3_056], "llama.cpp": [6_000]}, 3_000.0)
LOADING = Row("loading", "loading", "s", False, {"llama.cpp": [24.0]}, None)


@pytest.fixture
def report() -> Report:
    contenders = [Contender("llama.cpp"), Contender("native"), Contender("llama-server", program=Path("x"))]
    rows = [READING, CHANGE, LOADING]
    return Report(read_model("demo", DEMO), contenders, 3, 2, False, Rates(30e9, 640e9), rows)


def test_a_table_in_markdown(report):
    table, _, notes = write_markdown(report).partition("\n\n")
    assert table.splitlines() == [
        "|  | llama.cpp | native | llama-server | ratio | floor | share of it |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| reading, tokens/s | 19.0 | 75.0 (70.0-80.0) | 20.0 | 3.75 | 150 | 50% |",
        "| read again, tokens | 6,000 | 3,056 | - | 1.96 | 3,000 | 98% |",
        "| loading, s | 24.0 | - | - | - | - | - |",
    ]
    assert "- medians of 3 rounds (counts and sizes: one); engines one after another, reloaded for every visit" in notes
    assert "- this run: 30.0 GB/s read from memory, 640 GOP/s of bytes" in notes


def test_programs_get_every_figure(report):
    told = json.loads(write_json(report))
    assert told["engines"] == ["llama.cpp", "native", "llama-server"]
    assert (told["rounds"], told["at_once"]) == (3, False)
    assert (told["memory_bytes_per_second"], told["int8_operations_per_second"]) == (30e9, 640e9)
    assert told["measures"][0] == {
        "name": "read-512",
        "title": "reading",
        "unit": "tokens/s",
        "more_is_better": True,
        "figures": {"native": [70, 80, 75], "llama.cpp": [19], "llama-server": [20]},
        "medians": {"native": 75, "llama.cpp": 19, "llama-server": 20},
        "ratio": 3.75,
        "floor": 150.0,
        "share": 0.5,
    }


def test_without_another_engine_there_is_no_ratio():
    assert READING.ratio("native", []) is None
    assert LOADING.ratio("native", ["llama.cpp"]) is None
