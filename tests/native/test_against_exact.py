"""The demo model in both engines against exact arithmetic: neither strays further from it than the other."""

import math
import string
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import Reference

from ossian.chat import Sampling
from ossian.engines.runner import Piece, Runner, RunnerSpec
from ossian.native.instruction_sets import KernelsMissing, load_kernels
from ossian.store.catalogue import DEMO

LIKELY = math.log(1e-3)
# Of log-probabilities, nine of ten; measured: 0.159 here, 0.181 in llama.cpp. Where two experts are all but equal a
# router may choose the other one, in either engine: one such prompt of forty governs the mean of squares.
LARGEST, RATIO = 0.2, 1.3
ASKED, ANSWERED = "<|start|>user<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"


def odd_texts(count: int) -> list[str]:
    """Texts the model does not expect, after which many tokens may come."""
    random = Random(7)
    return ["".join(random.choices(string.printable, k=random.randint(10, 60))) for _ in range(count)]


async def differences(runner: Runner, prompt: list[int], exact: NDArray[np.float64]) -> list[float]:
    """By how much each likely next token's log-probability is off."""
    piece, _ = [step async for step in runner.complete(prompt, 1, Sampling(temperature=0.0), n_probs=20)]
    assert isinstance(piece, Piece)
    off = []
    for each in piece.logprobs[0].likeliest:
        ids = await runner.tokenize(each.text, special=True)
        if len(ids) == 1 and each.logprob > LIKELY:
            off.append(each.logprob - float(exact[ids[0]]))
    return off


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


async def test_log_probabilities_are_as_near_to_the_truth_as_llama_cpps() -> None:
    try:
        load_kernels()
    except KernelsMissing as error:
        pytest.skip(str(error))
    exact = Reference(DEMO)
    off: tuple[list[float], list[float]] = ([], [])
    runners = [await Runner(RunnerSpec(DEMO, context=4096, native=native)).start() for native in (True, False)]
    try:
        for text in odd_texts(40):
            prompt = await runners[0].tokenize(f"{ASKED}{text}{ANSWERED}{text}", special=True)
            truth = log_softmax(exact.logits(prompt)[-1])
            for runner, found in zip(runners, off, strict=True):
                found.extend(await differences(runner, prompt, truth))
    finally:
        for runner in runners:
            await runner.close()
    ours, theirs = (np.quantile(np.abs(found), 0.9) for found in off)
    assert len(off[0]) > 240
    assert ours < LARGEST and ours < RATIO * theirs
    ours, theirs = (np.sqrt(np.mean(np.square(found))) for found in off)
    assert ours < RATIO * theirs
