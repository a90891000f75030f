"""/api/pull over a real socket, from a Hub on loopback."""

import asyncio
import json
import time

import ollama
import pytest
from huggingface_hub import constants

from loopback_hub import running_hub
from ossian.api import pull as door
from ossian.engines.memory import GIB, WORKING_BYTES
from ossian.store import pull as pull_module
from small_gguf import gguf_bytes

REPOSITORY, FILE = "ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4.gguf"
GPT_OSS = gguf_bytes(weights=256 * 1024)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr(pull_module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(pull_module, "PROGRESS_SECONDS", 0.01)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.add(REPOSITORY, FILE, GPT_OSS)
        yield hub


@pytest.fixture
def server(serve, hub, tmp_path):
    return serve(models=tmp_path / "models")


def lines_of(response):
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_pull_tells_its_steps_in_the_words_of_ollama(server, hub, tmp_path):
    response = server.post("/api/pull", {"model": "gpt-oss:20b"})
    lines = lines_of(response)
    digest = hub.digest(GPT_OSS)
    whole = {"digest": f"sha256:{digest}", "total": len(GPT_OSS), "completed": len(GPT_OSS)}
    assert response.headers["content-type"] == "application/x-ndjson"
    assert lines[0] == {"status": "pulling manifest"}
    assert lines[-3:] == [
        {"status": "verifying sha256 digest"},
        {"status": f"pulling {digest[:12]}", **whole},
        {"status": "success"},
    ]
    assert (tmp_path / "models" / REPOSITORY / FILE).read_bytes() == GPT_OSS


def test_without_a_stream_the_last_line_comes_alone(server):
    response = server.post("/api/pull", {"name": "gpt-oss", "insecure": True, "stream": False})
    assert (response.status_code, response.json()) == (200, {"status": "success"})


def test_the_client_of_ollama_pulls(server):
    steps = list(ollama.Client(server.url).pull("gpt-oss:20b", stream=True))
    assert (steps[0].status, steps[-1].status) == ("pulling manifest", "success")
    assert max(step.completed or 0 for step in steps) == len(GPT_OSS)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        pytest.param("llama3", 404, "pull model manifest: file does not exist: there is no model named", id="not ours"),
        pytest.param("hf.co/no/body", 404, "pull model manifest: file does not exist: no/body", id="not on the hub"),
        pytest.param("a b", 400, "invalid model name", id="no name"),
        pytest.param("", 400, "model is required", id="nothing"),
    ],
)
def test_a_model_that_is_not_there_has_a_status(server, name, status, words, stream):
    response = server.post("/api/pull", {"model": name, "stream": stream})
    assert response.status_code == status
    assert response.json()["error"].startswith(words)


def test_a_hub_that_is_away_has_a_status(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    response = server.post("/api/pull", {"model": "gpt-oss"})
    assert response.status_code == 502
    assert "http://127.0.0.1:9 could not be reached" in response.json()["error"]


def test_a_machine_that_is_too_small_is_told_so_before_the_download(server, hub, monkeypatch):
    monkeypatch.setattr(door, "total_memory", lambda: GIB // 2)
    response = server.post("/api/pull", {"model": "gpt-oss"})
    assert response.status_code == 503
    assert response.json()["error"] == (
        "the model needs 0.8 GiB of memory and this machine has 0.5 GiB. "
        "Nothing was downloaded. Use a smaller model, such as `demo`."
    )
    assert hub.sent == 0


def test_a_machine_that_is_full_just_now_is_told_so_and_the_pull_goes_on(server, monkeypatch):
    monkeypatch.setattr(door, "free_memory", lambda: WORKING_BYTES)
    lines = lines_of(server.post("/api/pull", {"model": "gpt-oss"}))
    remark = "the model needs 0.8 GiB of memory, of which 0.8 GiB are free just now"
    assert [line["status"] for line in lines[:2]] == ["pulling manifest", remark]
    assert lines[-1] == {"status": "success"}


def test_a_failure_on_the_way_is_the_last_line(server, hub, tmp_path):
    hub.wrong_digest = True
    response = server.post("/api/pull", {"model": "gpt-oss"})
    assert response.status_code == 200
    assert lines_of(response)[-1]["error"].startswith("the file came damaged")


def test_who_leaves_stops_the_transfer_and_can_go_on_later(server, hub, eventually):
    hub.bytes_per_second = 500_000
    with server.client.stream("POST", server.url + "/api/pull", json={"model": "gpt-oss"}) as response:
        for line in response.iter_lines():
            if json.loads(line).get("completed", 0) > 50_000:
                break
    eventually(lambda: hub.sending == 0)
    assert hub.sent < len(GPT_OSS) / 2
    hub.bytes_per_second = 0
    assert lines_of(server.post("/api/pull", {"model": "gpt-oss"}))[-1] == {"status": "success"}
    assert hub.ranges[1] > 50_000


async def test_others_are_answered_while_a_model_is_pulled(server, hub):
    hub.bytes_per_second = 2_000_000
    client = ollama.AsyncClient(server.url)
    slowest = 0.0
    steps = 0
    async for _ in await client.pull("gpt-oss", stream=True):
        begin = time.monotonic()
        await client.list()
        slowest, steps = max(slowest, time.monotonic() - begin), steps + 1
    assert steps > 10
    assert slowest < 0.5


async def test_two_callers_share_one_transfer(server, hub):
    hub.bytes_per_second = 2_000_000
    client = ollama.AsyncClient(server.url)
    both = await asyncio.gather(client.pull("gpt-oss"), client.pull("gpt-oss:20b"))
    assert [answer.status for answer in both] == ["success", "success"]
    assert hub.sent == len(GPT_OSS)
