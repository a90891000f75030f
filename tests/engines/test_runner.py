"""The child process, for real: each engine on a unix socket."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path

import httpx2
import psutil
import pytest

from ossian.chat import Sampling
from ossian.engines.child import batch_tokens
from ossian.engines.local import start_runner
from ossian.engines.runner import NotForThisEngine, Piece, Runner, RunnerSpec, Timings
from ossian.errors import ModelFailed
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

PROMPT = list(range(100, 140))
GREEDY = Sampling(temperature=0.0)


async def all_of(runner: Runner, prompt: list[int] = PROMPT, max_tokens: int = 8) -> tuple[list[Piece], Timings]:
    steps = [step async for step in runner.complete(prompt, max_tokens, GREEDY)]
    assert isinstance(steps[-1], Timings)
    return [step for step in steps if isinstance(step, Piece)], steps[-1]


async def busy_slots(runner: Runner) -> int:
    async with httpx2.AsyncClient(
        transport=httpx2.AsyncHTTPTransport(uds=str(runner._folder / "runner.sock")), base_url="http://runner"
    ) as client:
        return sum(slot["is_processing"] for slot in (await client.get("/slots")).json())


def test_the_text_of_a_vector_is_read_at_once() -> None:
    assert batch_tokens({"embedding": False, "context": 65_536}) == 512
    assert batch_tokens({"embedding": True, "context": 2_048}) == 2_048
    assert batch_tokens({"embedding": True, "context": 32_768}) == 8_192


async def test_tokens_go_in_and_tokens_come_out(runner: Runner) -> None:
    pieces, timings = await all_of(runner)
    assert len(pieces) == timings.completion_tokens == 8
    assert timings.prompt_tokens == len(PROMPT)
    assert timings.limit


async def test_the_same_prompt_is_not_read_twice(runner: Runner) -> None:
    prompt = [100 + i % 40 for i in range(300)]
    first, _ = await all_of(runner, prompt)
    again, timings = await all_of(runner, prompt)
    assert again == first
    assert timings.cached_tokens >= 256


async def test_a_special_token_spelt_in_a_text_stays_text(runner: Runner) -> None:
    start = await runner.special("<|start|>")
    tokens = await runner.tokenize("say <|start|> and <|channel|>")
    assert start not in tokens
    assert await runner.detokenize(tokens) == "say <|start|> and <|channel|>"


@pytest.mark.parametrize("after_words", [0, 3])
async def test_hanging_up_frees_the_engine_within_a_second(runner: Runner, after_words: int) -> None:
    async with aclosing(runner.complete([5] * 4000, 4000, GREEDY, ignore_eos=True)) as steps:
        for _ in range(after_words):
            await anext(steps)
        if not after_words:
            waiting = asyncio.ensure_future(anext(steps))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    hung_up = time.monotonic()
    while await busy_slots(runner):
        await asyncio.sleep(0.02)
        assert time.monotonic() - hung_up < 1.0


async def test_a_killed_child_gives_its_caller_a_clear_error(runner: Runner) -> None:
    async with aclosing(runner.complete(PROMPT, 8000, GREEDY, ignore_eos=True)) as steps:
        await anext(steps)
        os.kill(runner.pid, signal.SIGKILL)
        with pytest.raises(ModelFailed, match="was ended by SIGKILL in mid-answer"):
            async for _ in steps:
                pass
    assert not runner.alive


async def test_a_damaged_file_is_named_without_the_machine_s_paths(tmp_path: Path, tiny: ModelFile) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(tiny.path.read_bytes()[:100_000])
    runner = Runner(RunnerSpec(damaged, context=512))
    with pytest.raises(ModelFailed, match="could not be loaded") as error:
        await runner.start()
    assert str(tmp_path) not in str(error.value)
    assert not runner._folder.exists()


async def test_a_file_that_our_engine_cannot_run_is_refused_with_the_reason_alone(chat_models: Path) -> None:
    with pytest.raises(NotForThisEngine) as error:
        await Runner(RunnerSpec(chat_models / "chatml.gguf", context=512, native=True)).start()
    assert error.value.message and not error.value.message.lower().startswith("error")


async def test_llama_cpp_in_the_place_of_our_engine_writes_one_answer_at_a_time(chat_models: Path) -> None:
    spec = RunnerSpec(chat_models / "chatml.gguf", context=512, together=4, native=True)
    assert spec.seats == 4
    runner = await start_runner(spec, Settings())
    assert runner.spec.seats == 1
    await runner.close()


async def test_a_model_that_takes_too_long_is_given_up(tiny: ModelFile) -> None:
    with pytest.raises(ModelFailed, match="did not load within"):
        await Runner(RunnerSpec(tiny.path, context=512), load_timeout=0.01).start()


def test_the_child_dies_with_its_parent(tiny: ModelFile) -> None:
    program = (
        "import asyncio, sys, time\nfrom pathlib import Path\nfrom ossian.engines.runner import *\n"
        "async def main():\n"
        "    runner = await Runner(RunnerSpec(Path(sys.argv[1]), 512)).start()\n"
        "    print(runner.pid, flush=True)\n    await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tiny.path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    child.wait(timeout=3)
    assert not child.is_running()


async def test_a_binary_can_stand_in_for_the_wheel(tmp_path: Path, tiny: ModelFile) -> None:
    """OSSIAN_LLAMA_SERVER: here a script that takes llama-server's options and serves with the wheel."""
    program = tmp_path / "llama-server"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys, threading, xllamacpp\n"
        "given = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n"
        "p = xllamacpp.CommonParams()\np.model.path = given['--model']\np.hostnames = [given['--host']]\n"
        "p.n_ctx = int(given['--ctx-size'])\np.warmup = p.ui = False\np.endpoint_props = True\n"
        "server = xllamacpp.Server(p)\nthreading.Event().wait()\n"
    )
    program.chmod(0o755)
    runner = await Runner(RunnerSpec(tiny.path, context=1024, program=program)).start()
    try:
        assert runner.context == 1024
        assert len((await all_of(runner))[0]) == 8
        (binary,) = psutil.Process(runner.pid).children()
    finally:
        await runner.close()
    binary.wait(10)
