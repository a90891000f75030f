"""Rounds: what is measured in which, by a real engine on a very small model."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ossian.bench import rounds
from ossian.bench.contenders import NATIVE, WHEEL, Contender, choose_contenders, find_contender
from ossian.bench.measures import NAMES, Started
from ossian.bench.rounds import Plan, choose_visits, repeated, run
from ossian.bench.synthetic import SHAPES, write_synthetic
from ossian.engines.runner import Runner
from ossian.native.instruction_sets import KernelsMissing, load_kernels
from ossian.settings import Settings
from ossian.store.catalogue import DEMO, ModelFile, read_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    path = tmp_path_factory.mktemp("rounds") / "tiny.gguf"
    write_synthetic(path, SHAPES["tiny"])
    return read_model("tiny", path)


@pytest.fixture
def ours() -> str:
    """Our own engine, where it can run."""
    try:
        load_kernels()
    except KernelsMissing as error:
        pytest.skip(str(error))
    return NATIVE


def plan_for(model: ModelFile, folder: Path, *names: str, engine: str, rounds: int = 1) -> Plan:
    return Plan(model, [Contender(engine)], names, rounds, threads=1, folder=folder, load_timeout=60, seed=1)


def names_of(visits) -> list[list[str]]:
    return [[measure.name for measure in visit.measures] for visit in visits]


def test_every_measure_has_its_visit_and_counts_are_taken_once():
    visits = choose_visits(NAMES, 131_072)
    speeds = ["read-512", "read-2048", "read-8192", "write-1"]
    assert names_of(visits) == [[*speeds, "change", "restart", "memory"], ["restart"], ["write-2", "write-4"]]
    assert names_of(repeated(visits)) == [speeds, ["write-2", "write-4"]]


def test_what_does_not_fit_into_the_context_is_left_out():
    visits = choose_visits(NAMES, 4_096)
    assert names_of(visits) == [["read-512", "read-2048", "write-1"], ["write-2", "write-4"]]
    assert [visit.context for visit in visits] == [4_096, 1_024]


async def test_prompts_are_new_in_every_round_and_cached_only_where_that_is_measured(tiny, tmp_path, monkeypatch, ours):
    read: list[tuple[int, int]] = []
    ask = Started.ask

    async def ask_and_note(started, prompt, count):
        seconds, timings = await ask(started, prompt, count)
        read.append((timings.prompt_tokens, timings.cached_tokens))
        return seconds, timings

    monkeypatch.setattr(Started, "ask", ask_and_note)
    plan = plan_for(tiny, tmp_path, "read-512", "restart", engine=ours, rounds=2)
    report = await run(plan, lambda text: None)
    first_round = [(128, 0), (512, 0), (10_000, 0), (10_000, 9_999)]
    assert read == [*first_round, (128, 0), (512, 0)]
    assert {row.name: len(row.figures["native"]) for row in report.rows} == {"read-512": 2, "restart": 1, "loading": 3}
    assert [*tmp_path.iterdir()] == []


async def test_the_memory_is_what_is_held_beside_the_file(tmp_path):
    demo = read_model("demo", DEMO)
    report = await run(plan_for(demo, tmp_path, "memory", engine=WHEEL), lambda text: None)
    (held,) = report.rows[0].figures[WHEEL]
    assert report.rows[0].floor == 16_384 * 6 // 2 * 2 * 4 * 32 * 2 / 1e9
    assert report.rows[0].floor < held < 2


def test_a_named_llama_server_joins(tiny, tmp_path):
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found, reasons = choose_contenders([], tiny, Settings(llama_server=program))
    assert Contender("llama-server", program=program) in found
    assert Contender("llama.cpp") in found
    assert not [reason for reason in reasons if "llama-server" in reason]


async def test_engines_that_do_not_fit_together_take_turns(tiny, tmp_path, monkeypatch, ours):
    said: list[tuple[str, int]] = []

    def note(text: str) -> None:
        engine, _, title = text.strip().partition(": ")
        if title.startswith("reading"):
            said.append((engine, len(psutil.Process().children())))

    monkeypatch.setattr(rounds, "fit_at_once", lambda model, engines: False)
    plan = plan_for(tiny, tmp_path, "read-512", engine=ours, rounds=2)
    plan = replace(plan, contenders=[Contender(ours), Contender(WHEEL)])
    report = await run(plan, note)
    assert said == [(ours, 1), (WHEEL, 1), (WHEEL, 1), (ours, 1)]
    assert not report.at_once


async def test_our_engine_can_be_held_to_an_instruction_set(tiny, tmp_path, ours):
    engine, folder = find_contender("native:avx2", tiny, Settings()), tmp_path / "cache"
    runner = await Runner(engine.spec(tiny.path, context=512, parallel=1, threads=1, cache=folder), 60).start()
    mapped = {Path(region.path).name.partition(".")[0] for region in psutil.Process(runner.pid).memory_maps()}
    await runner.close()
    assert "_avx2" in mapped
    assert not {"_avx512", "_avxvnni"} & mapped
