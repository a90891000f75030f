"""What fits: the context that is reported is the one that there is memory for, whichever engine serves."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ossian.engines import memory
from ossian.engines.memory import GIB, Serving, bytes_per_token, context_for, needed_memory, serving_of, spare_memory
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

GPT_OSS = ModelFile(
    name="gpt-oss:20b",
    path=Path("gpt-oss-20b.gguf"),
    size=12_110_000_000,
    digest="0" * 64,
    modified_at=datetime(2026, 1, 1, tzinfo=UTC),
    metadata={
        "general.architecture": "gpt-oss",
        "gpt-oss.context_length": 131_072,
        "gpt-oss.block_count": 24,
        "gpt-oss.attention.head_count": 64,
        "gpt-oss.attention.head_count_kv": 8,
        "gpt-oss.attention.key_length": 64,
        "gpt-oss.attention.sliding_window": 128,
    },
)
LLAMA = replace(
    GPT_OSS,
    name="llama",
    metadata={"general.architecture": "llama", "llama.context_length": 131_072, "llama.block_count": 32},
)
OURS, LLAMA_CPP = Serving(native=True), Serving()


def test_our_engine_keeps_every_layer_and_llama_cpp_half_of_them() -> None:
    assert bytes_per_token(GPT_OSS, OURS) == 49_152
    assert bytes_per_token(GPT_OSS, LLAMA_CPP) == 24_576


@pytest.mark.parametrize("serving", [OURS, LLAMA_CPP], ids=["native", "llama.cpp"])
@pytest.mark.parametrize(("free", "least"), [(14, 32_768), (16, 65_536), (24, 131_072)])
def test_gpt_oss_gets_the_context_that_agents_want(serving: Serving, free: int, least: int) -> None:
    context = context_for(GPT_OSS, 0, free * GIB, 32 * GIB, serving)
    assert context >= least
    assert needed_memory(GPT_OSS, context, serving) <= free * GIB


def test_answers_at_once_each_have_their_context() -> None:
    four = replace(OURS, parallel=4)
    assert needed_memory(GPT_OSS, 8192, four) == needed_memory(GPT_OSS, 4 * 8192, OURS)
    assert context_for(GPT_OSS, 0, 16 * GIB, 32 * GIB, four) == 16_384


@pytest.mark.parametrize(
    ("model", "settings", "kernels", "native"),
    [
        pytest.param(GPT_OSS, Settings(), True, True, id="gpt-oss"),
        pytest.param(GPT_OSS, Settings(), False, False, id="without kernels"),
        pytest.param(GPT_OSS, Settings(engine="llama.cpp"), True, False, id="llama.cpp asked for"),
        pytest.param(GPT_OSS, Settings(llama_server=Path("/x")), True, False, id="a binary"),
        pytest.param(LLAMA, Settings(), True, False, id="another architecture"),
    ],
)
def test_it_is_counted_for_the_engine_that_will_serve(
    monkeypatch: pytest.MonkeyPatch, model: ModelFile, settings: Settings, kernels: bool, native: bool
) -> None:
    monkeypatch.setattr(memory, "has_kernels", lambda: kernels)
    assert serving_of(model, settings) == Serving(native, 1, together=4 if native else 1)
    assert serving_of(model, replace(settings, num_parallel=3)) == Serving(native, 3, together=3)


def test_llama_cpp_may_remember_other_prompts_in_half_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(engine="llama.cpp")
    monkeypatch.setattr(memory, "free_memory", lambda: 16 * GIB)
    left = 16 * GIB - needed_memory(GPT_OSS, 65_536, LLAMA_CPP)
    assert spare_memory(GPT_OSS, 65_536, settings) == left // 2 > 0
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * GIB)
    assert spare_memory(GPT_OSS, 65_536, settings) == 0
