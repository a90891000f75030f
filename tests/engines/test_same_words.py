"""Our engine beside llama.cpp's on the demo model: the same tokens, the same words. And our engine beside itself."""

import asyncio
import math
import string
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from ossian.chat import Sampling
from ossian.engines.runner import Piece, Runner, RunnerSpec, Timings
from ossian.native.instruction_sets import KernelsMissing, load_kernels
from ossian.store.catalogue import DEMO

GREEDY = Sampling(temperature=0.0)
WORDS = 60
TIE = 0.35  # of log-probability: both engines round activations to bytes, each in its own way
PROMPT = (
    "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\n"
    "Current date: 2026-11-22\n\nReasoning: medium\n\n# Valid channels: analysis, commentary, final. "
    "Channel must be included for every message.<|end|><|start|>user<|message|>{}<|end|><|start|>assistant"
)
ASKED = ("What is {}?", "How do I use {}?", "Explain {} in Python.", "give me an example of {}", "{}??")
TOPICS = (
    "recursion",
    "a list",
    "a dict",
    "a decorator",
    "a generator",
    "exceptions",
    "a set",
    "a class",
    "sorting",
    "json",
)


@pytest.fixture(autouse=True)
def needs_kernels() -> None:
    try:
        load_kernels()
    except KernelsMissing as error:
        pytest.skip(str(error))


def spec(**more: object) -> RunnerSpec:
    return replace(RunnerSpec(DEMO, context=4096, native=True), **more)  # type: ignore[arg-type]


@pytest.fixture
async def ours() -> AsyncIterator[Runner]:
    runner = await Runner(spec(parallel=8)).start()
    yield runner
    await runner.close()


@pytest.fixture
async def llama() -> AsyncIterator[Runner]:
    runner = await Runner(spec(native=False)).start()
    yield runner
    await runner.close()


async def write(runner: Runner, prompt: list[int], **fields: object) -> tuple[list[Piece], Timings]:
    *pieces, timings = [step async for step in runner.complete(prompt, WORDS, GREEDY, **fields)]
    assert isinstance(timings, Timings)
    return [piece for piece in pieces if isinstance(piece, Piece)], timings


def questions() -> list[str]:
    return [PROMPT.format(asked.format(topic)) for topic in TOPICS for asked in ASKED]


def odd_texts() -> list[str]:
    random = Random(7)
    letters = string.printable + "äßéñ中文字かな🙂👩‍💻\u200d\u00a0\u2003ÀÇКириллицаעברית١٢٣"
    texts = ["".join(random.choices(letters, k=random.randint(1, 60))) for _ in range(150)]
    return [
        *texts,
        "",
        " ",
        "\n\n  \n",
        "it's I'LL we'Ve",
        "1234567 89",
        "a/b//c\r\n\r\n",
        "<|start|>x<|en",
        "ＡＢＣ ½ ²",
    ]


async def test_texts_become_the_same_tokens(ours: Runner, llama: Runner) -> None:
    for text in odd_texts():
        tokens = await llama.tokenize(text)
        assert await ours.tokenize(text) == tokens, repr(text)
        assert await ours.detokenize(tokens) == await llama.detokenize(tokens) == text
        assert await ours.tokenize(text + "<|end|>", special=True) == await llama.tokenize(
            text + "<|end|>", special=True
        )


async def test_the_likeliest_words_are_llama_cpps_but_for_ties(ours: Runner, llama: Runner) -> None:
    same = 0
    for question in questions():
        prompt = await ours.tokenize(question, special=True)
        mine, _ = await write(ours, prompt)
        theirs, _ = await write(llama, prompt, n_probs=10)
        different = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a.token != b.token), None)
        if different is None:
            same += 1
            continue
        best = {each.text: each.logprob for each in theirs[different].logprobs[0].likeliest}
        assert mine[different].text in best, question
        assert max(best.values()) - best[mine[different].text] < TIE, question
    assert same >= 40


async def test_company_changes_no_word(ours: Runner) -> None:
    prompts = [await ours.tokenize(question, special=True) for question in questions()[:8]]
    alone = [(await write(ours, prompt))[0] for prompt in prompts]
    together = await asyncio.gather(*(write(ours, prompt) for prompt in prompts))
    assert [pieces for pieces, _ in together] == alone


async def test_guesses_change_no_word(ours: Runner) -> None:
    prompt = await ours.tokenize(questions()[0] * 3, special=True)
    other = await Runner(spec(guesses=False)).start()
    try:
        without, timings = await write(other, prompt, n_probs=3)
        assert (timings.guessed_tokens, timings.kept_tokens) == (0, 0)
        guessed, timings = await write(ours, prompt, n_probs=3)
        assert guessed == without
        assert timings.kept_tokens <= timings.guessed_tokens
    finally:
        await other.close()


@pytest.mark.parametrize("threads", [1, 3])
async def test_threads_change_no_word(ours: Runner, threads: int) -> None:
    prompt = await ours.tokenize(questions()[0], special=True)
    other = await Runner(spec(threads=threads)).start()
    try:
        assert (await write(other, prompt))[0] == (await write(ours, prompt))[0]
    finally:
        await other.close()


async def test_what_was_read_before_a_restart_is_not_read_again(tmp_path: Path) -> None:
    texts = []
    for known in (0, 1024):
        runner = await Runner(spec(cache=tmp_path, cache_bytes=1 << 28)).start()
        try:
            prompt = await runner.tokenize(questions()[0], special=True)
            pieces, timings = await write(runner, prompt * 14)
            texts.append([piece.token for piece in pieces])
            assert timings.cached_tokens >= known
        finally:
            await runner.close()
    assert texts[0] == texts[1]


async def test_a_seed_repeats_an_answer_and_log_probabilities_are_in_order(ours: Runner) -> None:
    prompt = await ours.tokenize(questions()[1], special=True)
    drawn = Sampling(temperature=1.5, seed=11)
    one, again = [[step async for step in ours.complete(prompt, 30, drawn, n_probs=20)] for _ in range(2)]
    assert one[:-1] == again[:-1]
    for piece in one[:-1]:
        assert isinstance(piece, Piece)
        likeliest = [each.logprob for each in piece.logprobs[0].likeliest]
        assert likeliest == sorted(likeliest, reverse=True)
        assert len(likeliest) == 20 and sum(map(math.exp, likeliest)) <= 1 + 1e-9
