"""llama.cpp's slots between two loads: what was read is there again, and a file that is not as it was is never used."""

import os
import shutil
import zlib
from pathlib import Path

import pytest

from ossian.chat import Sampling
from ossian.engines.runner import Piece, Runner, RunnerSpec, Timings
from ossian.store.catalogue import DEMO, ModelFile

CACHE_BYTES = 1 << 28
GREEDY = Sampling(temperature=0.0)
TEXT = Path(__file__).parents[2] / "ARCHITECTURE.md"
PROMPT = [100 + 7 * i % 900 for i in range(1500)]
Answer = tuple[list[int], int]
"""The tokens that were written, and how many of the prompt were not read."""


def spec(cache: Path, model: Path = DEMO, **fields: int) -> RunnerSpec:
    return RunnerSpec(model, **{"context": 4096, "cache": cache, "cache_bytes": CACHE_BYTES, **fields})  # type: ignore[arg-type]


async def write(runner: Runner, prompt: list[int]) -> Answer:
    steps = [step async for step in runner.complete(prompt, 12, GREEDY, ignore_eos=True)]
    assert isinstance(steps[-1], Timings)
    return [step.token for step in steps if isinstance(step, Piece)], steps[-1].cached_tokens


async def load_and_write(loaded: RunnerSpec, prompt: list[int]) -> Answer:
    """What a model writes that is loaded for this prompt and unloaded then."""
    runner = await Runner(loaded).start()
    try:
        return await write(runner, prompt)
    finally:
        await runner.close()


async def likeliest(loaded: RunnerSpec, prompt: list[int]) -> dict[str, float]:
    """The five likeliest next tokens."""
    runner = await Runner(loaded).start()
    try:
        steps = [step async for step in runner.complete(prompt, 1, GREEDY, n_probs=5)]
    finally:
        await runner.close()
    assert isinstance(steps[0], Piece)
    return {each.text: each.logprob for each in steps[0].logprobs[0].likeliest}


def saved(cache: Path) -> list[Path]:
    return sorted(cache.glob("slots/*"))


async def test_what_was_read_before_an_unload_is_not_read_again(tmp_path: Path) -> None:
    first, cached = await load_and_write(spec(tmp_path), PROMPT)
    (kept,) = saved(tmp_path)
    again, found = await load_and_write(spec(tmp_path), PROMPT)
    assert (cached, again) == (0, first)
    assert found >= len(PROMPT) - 16
    assert kept.suffix == ".slot" and kept.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("back", [1, 60, 127, 400], ids=lambda back: f"{back} tokens before the end")
async def test_a_prompt_that_parts_from_the_saved_one_is_answered_as_if_nothing_were_kept(
    tmp_path: Path, back: int
) -> None:
    """Half of the layers see 128 tokens: what they saw before the place where the prompts part must be there too."""
    runner = await Runner(spec(tmp_path)).start()
    text = await runner.tokenize(TEXT.read_text()[:6000])
    await write(runner, text)
    await runner.close()
    other = [*text[:-back], *text[300:303]]
    plain, kept = [await likeliest(loaded, other) for loaded in (spec(tmp_path, cache_bytes=0), spec(tmp_path))]
    assert plain.keys() & kept.keys()
    # Reading three tokens or three thousand at once differs by up to 0.2; a window half empty by more than 0.9.
    assert max(abs(plain[token] - kept[token]) for token in plain.keys() & kept.keys()) < 0.5


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "longer", "foreign", "renamed"])
async def test_a_damaged_file_is_dropped_and_never_used(tmp_path: Path, damage: str) -> None:
    first, _ = await load_and_write(spec(tmp_path), PROMPT)
    (kept,) = saved(tmp_path)
    data = kept.read_bytes()
    kept.write_bytes(
        {
            "flipped": data[:-900] + bytes([data[-900] ^ 64]) + data[-899:],
            "cut": data[:-1],
            "empty": b"",
            "longer": data + b"x",
            "foreign": os.urandom(len(data)),
            "renamed": b"nothing of llama.cpp's",
        }[damage]
    )
    if damage == "renamed":  # its checksum is right, and llama.cpp itself refuses it
        kept.rename(kept.with_name(f"{kept.stem.rpartition('-')[0]}-{zlib.crc32(kept.read_bytes()):08x}.slot"))
    runner = await Runner(spec(tmp_path)).start()
    try:
        assert saved(tmp_path) == []
        assert await write(runner, PROMPT) == (first, 0)
    finally:
        await runner.close()
    assert saved(tmp_path) == [kept]


async def test_another_model_or_context_finds_nothing(tmp_path: Path, tiny: ModelFile) -> None:
    await load_and_write(spec(tmp_path), PROMPT)
    assert (await load_and_write(spec(tmp_path, context=2048), PROMPT))[1] == 0
    assert (await load_and_write(spec(tmp_path, tiny.path), PROMPT))[1] == 0
    copy = tmp_path / "copy.gguf"
    shutil.copy(DEMO, copy)
    assert (await load_and_write(spec(tmp_path, copy), PROMPT))[1] > 0  # the same weights by another name
    with copy.open("r+b") as file:
        file.seek(copy.stat().st_size // 2)
        file.write(b"other weights")
    assert (await load_and_write(spec(tmp_path, copy), PROMPT))[1] == 0


async def test_every_slot_is_kept(tmp_path: Path) -> None:
    other = PROMPT[::-1]
    first = await Runner(spec(tmp_path, parallel=2)).start()
    await write(first, PROMPT)
    await write(first, other)
    await first.close()
    again = await Runner(spec(tmp_path, parallel=2)).start()
    try:
        assert [(await write(again, prompt))[1] > 1400 for prompt in (PROMPT, other)] == [True, True]
    finally:
        await again.close()


async def test_a_short_prompt_does_not_take_the_place_of_a_long_one(tmp_path: Path) -> None:
    """Editors ask for a title after a long answer."""
    await load_and_write(spec(tmp_path), PROMPT)
    kept = saved(tmp_path)
    await load_and_write(spec(tmp_path), PROMPT[1000:1200])
    assert saved(tmp_path) == kept
    os.utime(kept[0], (0, 0))
    await load_and_write(spec(tmp_path), PROMPT[1000:1200])
    assert saved(tmp_path) != kept and len(saved(tmp_path)) == 1


async def test_nothing_is_kept_where_nothing_may_be(tmp_path: Path) -> None:
    await load_and_write(spec(tmp_path, cache_bytes=0), PROMPT)
    await load_and_write(spec(tmp_path, cache_bytes=100_000), PROMPT)
    assert saved(tmp_path) == []
    (tmp_path / "file").write_text("no folder")
    assert len((await load_and_write(spec(tmp_path / "file"), PROMPT))[0]) == 12
