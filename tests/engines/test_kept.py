"""What was read is kept when a model is unloaded, the server stops or is killed: at the doors, with real models."""

import signal
import time
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from ossian.native.block_files import HEAD, is_whole
from ossian.native.instruction_sets import KernelsMissing, load_kernels
from server_process import Server

LONG = " ".join(f"The {number}th sentence stands beside the others and says little." for number in range(40))
PATIENCE_SECONDS = 60


def ask(url: str, model: str, **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": LONG}], "max_tokens": 4, "temperature": 0, **more}
    answer = httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["usage"])


def unload(url: str, model: str) -> None:
    body = {"model": model, "keep_alive": 0}
    assert httpx2.post(f"{url}/api/generate", json=body, timeout=PATIENCE_SECONDS).json()["done_reason"] == "unload"
    assert httpx2.get(f"{url}/api/ps").json()["models"] == []


def cached(usage: dict[str, Any]) -> int:
    return int(usage["prompt_tokens_details"]["cached_tokens"])


@pytest.mark.parametrize("model", ["demo", "chatml"])
def test_a_prompt_is_not_read_again_after_an_unload(serve: Any, chat_models: Path, tmp_path: Path, model: str) -> None:
    settings = {"engine": "llama.cpp", "home": tmp_path, "cache_bytes": 1 << 28, "context_length": 4_096}
    server = serve(models=chat_models, stored=True, real=True, **settings)
    assert cached(ask(server.url, model)) == 0
    unload(server.url, model)
    again = ask(server.url, model)
    assert cached(again) >= again["prompt_tokens"] - 16
    assert list(tmp_path.glob("cache/slots/*.slot"))


def test_another_model_that_takes_the_place_loses_nothing(serve: Any, chat_models: Path, tmp_path: Path) -> None:
    settings = {"home": tmp_path, "cache_bytes": 1 << 28, "context_length": 4_096, "max_loaded_models": 1}
    server = serve(models=chat_models, stored=True, real=True, **settings)
    for _ in range(2):
        usages = [ask(server.url, model) for model in ("chatml", "llama")]
    assert all(cached(usage) >= usage["prompt_tokens"] - 16 for usage in usages)


@pytest.mark.parametrize("engine", ["native", "llama.cpp"])
def test_a_server_that_stops_keeps_it_for_the_next(tmp_path: Path, engine: str) -> None:
    skip_without_kernels(engine)
    for known in (0, 64):
        server = Server(tmp_path, OSSIAN_ENGINE=engine)
        assert cached(ask(server.url, "demo")) >= known
        wait_for_files(tmp_path, engine)
        server.close()
    assert not list(tmp_path.glob("cache/**/*.part"))


@pytest.mark.parametrize("engine", ["native", "llama.cpp"])
def test_a_server_that_is_killed_leaves_whole_files_only(tmp_path: Path, engine: str) -> None:
    """Killed while it writes: once as early, once as late as it can be."""
    skip_without_kernels(engine)
    for pause in (0.0, 0.05):
        server = Server(tmp_path, OSSIAN_ENGINE=engine)
        ask(server.url, "demo")
        runners = server.runners()
        if engine == "llama.cpp":
            httpx2.post(
                f"{server.url}/api/generate", json={"model": "demo", "keep_alive": 0, "prompt": "x"}, timeout=60
            )
        time.sleep(pause)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server.log.close()
        psutil.wait_procs(runners, timeout=10)
        for path in tmp_path.glob("cache/**/*.kv"):
            assert is_whole(path.read_bytes(), memoryview(path.read_bytes())[HEAD.size :])
        (tmp_path / "cache" / "slots").mkdir(parents=True, exist_ok=True)
        (tmp_path / "cache" / "slots" / "killed-0-4096.part").write_bytes(b"half a slot")
    server = Server(tmp_path, OSSIAN_ENGINE=engine)
    try:
        assert not list(tmp_path.glob("cache/**/*.part"))
        assert ask(server.url, "demo")["completion_tokens"] == 4
    finally:
        server.close()


def skip_without_kernels(engine: str) -> None:
    if engine == "native":
        try:
            load_kernels()
        except KernelsMissing as error:
            pytest.skip(str(error))


def wait_for_files(home: Path, engine: str) -> None:
    """Blocks are written beside the answer; slots only at the end."""
    end = time.monotonic() + PATIENCE_SECONDS
    while engine == "native" and not list(home.glob("cache/**/*.kv")):
        assert time.monotonic() < end
        time.sleep(0.02)
