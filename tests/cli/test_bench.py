"""`ossian bench`: real engines, measured on very small models. That figures come, never how large they are."""

import json
import shutil
import signal

import psutil
import pytest

from ossian.bench.measures import QUICK
from ossian.bench.synthetic import SHAPES, write_synthetic
from ossian.native.instruction_sets import KernelsMissing, load_kernels
from small_embedder import write_embedder

PATIENCE_SECONDS = 120


def kernels_missing() -> bool:
    try:
        load_kernels()
    except KernelsMissing:
        return True
    return False


ENGINES = ["llama.cpp"] if kernels_missing() else ["native", "llama.cpp"]
needs_kernels = pytest.mark.skipif(kernels_missing(), reason="the kernels were not compiled")


def test_the_quick_measures_of_the_demo_model(start, home):
    process = start("bench", "demo", "--quick", "--json", "--repeat", "2")
    data, talk = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, talk
    told = json.loads(data)
    assert (told["model"], told["rounds"], told["engines"]) == ("demo", 2, ENGINES)
    assert [measure["name"] for measure in told["measures"]] == [*QUICK, "loading"]
    for measure in told["measures"]:
        assert sorted(measure["figures"]) == sorted(ENGINES)
        assert all(len(figures) == 2 and min(figures) > 0 for figures in measure["figures"].values())
    assert told["memory_bytes_per_second"] > 0
    assert "round 2 of 2\n" in talk
    assert list(home.iterdir()) == [], "the temporary cache is still there"


@needs_kernels
def test_a_synthetic_model_is_made_once_and_measured(tell, tmp_path):
    path = tmp_path / "models" / "tiny.gguf"
    words = ("bench", "--synthetic", str(path), "--shape", "tiny", "--engine", "native", "--repeat", "1", "--json")
    told = tell(*words, "--only", "change", "--only", "write-1", "--only", "write-4")
    assert f"{path} is not there. It will be written with random weights: 7.1 MB." in told.talk
    measures = {measure["name"]: measure for measure in json.loads(told.data)["measures"]}
    assert list(measures) == ["write-1", "change", "write-4", "together", "loading"]
    assert 3_000 <= measures["change"]["medians"]["native"] <= 3_064
    assert measures["change"]["ratio"] is None
    made = path.stat().st_mtime_ns
    again = tell(*words, "--only", "write-1")
    assert (again.status, "is not there" in again.talk, path.stat().st_mtime_ns) == (0, False, made)


def test_interrupting_it_ends_the_engines_and_leaves_nothing(start, home, eventually):
    process = start("bench", "demo", "--only", "read-8192")
    assert process.stderr is not None
    while "loading" not in process.stderr.readline():
        pass
    engines = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert engines and process.wait(PATIENCE_SECONDS) == 130
    assert not [engine for engine in engines if engine.is_running()]
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(("nobody",), "model 'nobody' not found", id="a model that is not here"),
        pytest.param(("./none.gguf",), "there is no file", id="a path without a file"),
        pytest.param(("demo", "--engine", "ollama"), "there is no engine 'ollama'", id="an unknown engine"),
        pytest.param(("demo", "--engine", "llama-server"), "OSSIAN_LLAMA_SERVER names no program", id="no binary"),
        pytest.param(("demo", "--only", "speed"), "there is no measure 'speed'", id="an unknown measure"),
        pytest.param(("demo", "--quick", "--only", "change"), "cannot both be had", id="two choices of measures"),
        pytest.param(("demo", "--json", "--markdown"), "cannot both be had", id="two forms"),
        pytest.param(("demo", "--synthetic", "x.gguf"), "cannot both be measured", id="two models"),
        pytest.param(("--synthetic", "x.bin"), "x.bin is not a model", id="a name that is no model's"),
        pytest.param(("--synthetic", "x.gguf", "--shape", "120b"), "there is no shape '120b'", id="an unknown shape"),
    ],
)
def test_what_cannot_be_measured_is_told(tell, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    told = tell("bench", *words)
    assert (told.status, told.data) == (1, "")
    assert sentence in told.talk
    assert not [*tmp_path.glob("*.gguf*")]


@needs_kernels
def test_kernels_that_this_processor_lacks_are_told(tell):
    told = tell("bench", "demo", "--engine", "native:neon")
    assert (told.status, told.data) == (1, "")
    assert "this processor has no neon, only " in told.talk


def test_rounds_are_one_at_least(tell):
    assert tell("bench", "demo", "--repeat", "0").status == 2


def test_a_model_that_writes_nothing_is_refused(tell, tmp_path):
    told = tell("bench", str(write_embedder(tmp_path / "embedder.gguf")))
    assert (told.status, told.data) == (1, "")
    assert told.talk.endswith('embedder.gguf" does not support writing\n')


def test_another_model_is_measured_with_llama_cpp_alone(tell, chat_models):
    told = tell("bench", str(chat_models / "llama.gguf"), "--only", "read-512", "--repeat", "1", "--markdown")
    assert told.status == 0, told.talk
    assert "|  | llama.cpp | ratio | floor | share of it |\n" in told.data
    assert "native is left out: " in told.talk


def test_a_model_of_this_machine_is_chosen_where_none_is_named(tell, home):
    told = tell("bench", "--only", "write-1", "--engine", "llama.cpp", "--repeat", "1", "--markdown")
    assert "gpt-oss:20b is not on this machine, so the demo model is measured" in told.talk
    assert "\n- demo, " in told.data
    write_synthetic(home / "models" / "random.gguf", SHAPES["tiny"])
    told = tell("bench", "--only", "write-1", "--engine", "llama.cpp", "--repeat", "1", "--markdown")
    assert "demo" not in told.talk
    assert "\n- random" in told.data


def test_a_disk_without_room_is_told_before_anything_is_written(tell, tmp_path, monkeypatch):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(20 * 10**9, 12 * 10**9, 8 * 10**9)
    )
    path = tmp_path / "models" / "big.gguf"
    told = tell("bench", "--synthetic", str(path))
    assert (told.status, told.data) == (1, "")
    assert told.talk == (f"Error: {path} would take 12 GB, and 8.0 GB are free.\nName a place on another disk.\n")
    assert not path.parent.exists()


def test_a_person_at_a_terminal_is_asked_before_the_file_is_written(terminal, tmp_path):
    path = tmp_path / "tiny.gguf"
    here = terminal("bench", "--synthetic", str(path), "--shape", "tiny")
    here.expect("Write it?")
    here.type("n\n")
    assert here.process.wait(PATIENCE_SECONDS) == 1
    assert not [*tmp_path.glob("*.gguf*")]
