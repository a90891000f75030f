"""Pulls from a Hub on loopback, with everything that goes wrong on the way to 12 GB."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from huggingface_hub import constants

from loopback_hub import running_hub
from ossian.errors import BadRequest, NotEnoughMemory, NothingToPull, PullFailed
from ossian.store import pull as pull_module
from ossian.store.catalogue import Catalogue
from ossian.store.hugging_face import Hub
from ossian.store.progress import Progress
from ossian.store.pull import pull
from small_gguf import gguf_bytes

REPOSITORY, FILE = "ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4.gguf"
GPT_OSS = gguf_bytes(weights=256 * 1024)  # 1 MB
SIZE = len(GPT_OSS)
PULLER = """
import sys
from pathlib import Path
from ossian.store.pull import pull
for step in pull("gpt-oss:20b", Path(sys.argv[1]), lambda size: ""):
    print(step.completed, flush=True)
"""


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(pull_module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(pull_module, "PROGRESS_SECONDS", 0.0)
    with running_hub() as hub:
        hub.add(REPOSITORY, FILE, GPT_OSS)
        yield hub


@pytest.fixture
def fetch(hub, tmp_path):
    """Pull from this hub to the end: fetch(name, check_fits, …) -> its steps."""

    def fetch(name="gpt-oss:20b", check_fits=lambda size: "", **more):
        return list(start(name, check_fits, **more))

    def start(name="gpt-oss:20b", check_fits=lambda size: "", **more):
        where = Hub(endpoint=hub.url, cache=tmp_path / "cache")
        return pull(name, tmp_path / "models", check_fits, **{"hub": where, **more})

    fetch.start = start
    fetch.path = tmp_path / "models" / REPOSITORY / FILE
    return fetch


def files_in(folder):
    return sorted(path.name for path in folder.glob("**/*") if path.is_file() and not path.name.endswith(".lock"))


def part_of(fetch):
    return next(fetch.path.parent.glob("*.part"))


def test_a_model_is_fetched_and_is_in_the_catalogue(hub, fetch, tmp_path):
    steps = fetch()
    digest = hub.digest(GPT_OSS)
    assert steps[0] == Progress("pulling manifest")
    assert steps[-3:] == [
        Progress("verifying sha256 digest"),
        Progress(f"pulling {digest[:12]}", f"sha256:{digest}", SIZE, SIZE),
        Progress("success"),
    ]
    assert fetch.path.read_bytes() == GPT_OSS
    assert Catalogue(tmp_path / "models", hub=Hub(cache=tmp_path / "cache")).find("gpt-oss").path == fetch.path
    assert files_in(tmp_path / "models") == [FILE]


def test_progress_rises_to_the_whole(fetch):
    told = [step.completed for step in fetch() if step.total == SIZE]
    assert len(told) > 10
    assert told == sorted(told)
    assert told[-1] == SIZE


def test_progress_is_told_some_ten_times_a_second(fetch, monkeypatch):
    monkeypatch.setattr(pull_module, "PROGRESS_SECONDS", 0.1)
    assert len(fetch()) < 10


def test_a_second_pull_of_what_is_there_fetches_nothing(hub, fetch):
    fetch()
    steps = fetch(check_fits=None)
    assert (steps[0], steps[-1]) == (Progress("pulling manifest"), Progress("success"))
    assert hub.sent == SIZE


def test_a_broken_connection_goes_on_where_it_broke(hub, fetch):
    hub.break_after, hub.breaks = 300_000, 2
    steps = fetch()
    assert fetch.path.read_bytes() == GPT_OSS
    assert hub.ranges == [0, 300_000, 600_000]
    assert hub.sent == SIZE
    assert [step.status for step in steps].count("the connection broke off; going on in 0 s") == 2


def test_a_connection_that_brings_nothing_is_given_up_and_the_next_pull_goes_on(hub, fetch):
    hub.break_after, hub.breaks = 300_000, 1
    steps = fetch.start()
    with pytest.raises(PullFailed, match=r"the download broke off \(.*What has come is kept"):
        for step in steps:
            if "broke off" in step.status:
                hub.break_after, hub.breaks = 0, 100
    assert part_of(fetch).stat().st_size == 300_000
    hub.breaks, hub.sent = 0, 0
    fetch()
    assert hub.sent == SIZE - 300_000
    assert fetch.path.read_bytes() == GPT_OSS


def test_a_hub_that_is_busy_for_a_moment_is_asked_again(hub, fetch):
    hub.statuses = [503, 429]
    assert fetch()[-1] == Progress("success")


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(hub, fetch):
    hub.break_after, hub.breaks, hub.knows_ranges = 300_000, 1, False
    fetch()
    assert fetch.path.read_bytes() == GPT_OSS


def test_a_killed_pull_goes_on_where_it_was(hub, fetch, tmp_path, eventually):
    hub.bytes_per_second = 1_000_000
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, "-c", PULLER, str(tmp_path / "models")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) > 200_000:
                break
        child.send_signal(signal.SIGKILL)
    eventually(lambda: hub.sending == 0)
    kept = part_of(fetch).stat().st_size
    hub.bytes_per_second = hub.sent = 0
    fetch()
    assert kept > 200_000
    assert (hub.ranges, hub.sent) == ([0, kept], SIZE - kept)
    assert fetch.path.read_bytes() == GPT_OSS


def test_closing_stops_the_transfer_and_the_next_pull_goes_on(hub, fetch, eventually):
    hub.bytes_per_second = 1_000_000
    with closing(fetch.start()) as steps:
        for step in steps:
            if step.completed > 100_000:
                break
    eventually(lambda: hub.sending == 0)
    assert hub.sent < SIZE - 100_000
    kept = part_of(fetch).stat().st_size
    hub.bytes_per_second = 0
    fetch()
    assert hub.ranges == [0, kept]


def test_a_wrong_digest_is_noticed_and_the_file_removed(hub, fetch, tmp_path):
    hub.wrong_digest = True
    with pytest.raises(PullFailed, match="came damaged"):
        fetch()
    assert files_in(tmp_path / "models") == []


def test_pieces_of_an_older_version_are_not_mixed_in(hub, fetch, tmp_path):
    hub.break_after, hub.breaks = 300_000, 1
    with closing(fetch.start()) as steps:
        for step in steps:
            if "broke off" in step.status:
                break
    newer = hub.add(REPOSITORY, FILE, gguf_bytes(weights=200 * 1024))
    fetch()
    assert fetch.path.read_bytes() == newer
    assert files_in(tmp_path / "models") == [FILE]


def test_a_newer_version_takes_the_place_of_the_old_one(hub, fetch):
    fetch()
    newer = hub.add(REPOSITORY, FILE, gguf_bytes(weights=300 * 1024))
    fetch()
    assert fetch.path.read_bytes() == newer


def test_two_pulls_at_once_fetch_it_once(hub, fetch):
    hub.bytes_per_second = 2_000_000
    steps = []
    other = threading.Thread(target=lambda: steps.extend(fetch()))
    with closing(fetch.start()) as first:
        while not next(first).completed:
            pass
        other.start()
        assert list(first)[-1] == Progress("success")
    other.join()
    assert steps[-1] == Progress("success")
    assert len({step.completed for step in steps}) > 3
    assert hub.sent == SIZE


def test_the_second_pull_goes_on_when_the_first_one_leaves(hub, fetch, monkeypatch):
    monkeypatch.setattr(pull_module, "PROGRESS_SECONDS", 0.01)
    hub.bytes_per_second = 2_000_000
    steps = []
    other = threading.Thread(target=lambda: steps.extend(fetch()))
    with closing(fetch.start()) as first:
        while next(first).completed < 100_000:
            pass
        other.start()
        while not steps and next(first).completed < 300_000:
            pass
    other.join()
    assert steps[-1] == Progress("success")
    assert hub.sent < SIZE + 300_000
    assert fetch.path.read_bytes() == GPT_OSS


@pytest.mark.parametrize("tag", ["", ":Q4_K_M", ":q4", ":tiny-Q4_K_M"])
def test_a_repository_is_asked_what_it_has(hub, fetch, tmp_path, tag):
    for file in ("README.md", "mmproj-F16.gguf", "tiny-F16.gguf", "tiny-Q4_K_M-00001-of-00002.gguf", "x/Q4_K_M.gguf"):
        hub.add("org/tiny-GGUF", file, b"not this one")
    data = hub.add("org/tiny-GGUF", "tiny-Q4_K_M.gguf", gguf_bytes())
    assert fetch(f"hf.co/org/tiny-GGUF{tag}")[-1] == Progress("success")
    assert (tmp_path / "models" / "org" / "tiny-GGUF" / "tiny-Q4_K_M.gguf").read_bytes() == data
    found = Catalogue(tmp_path / "models", hub=Hub(cache=tmp_path / "cache")).find(f"hf.co/org/tiny-GGUF{tag}")
    assert found is not None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("llama3", "there is no model named 'llama3' to pull. Try gpt-oss:20b", id="no model of ours"),
        pytest.param("hf.co/no/body", "no/body is not on http://127.0.0.1", id="no such repository"),
        pytest.param(f"hf.co/{REPOSITORY}:Q2_K", "has no GGUF file 'Q2_K'", id="no such quantization"),
        pytest.param("hf.co/org/split", "has no GGUF file to pull. It has: none that is", id="only a split one"),
    ],
)
def test_what_is_not_there_is_said_at_once(hub, fetch, tmp_path, name, words):
    hub.add("org/split", "big-00001-of-00002.gguf", b"half")
    with pytest.raises(NothingToPull, match=r"^pull model manifest: file does not exist") as caught:
        next(fetch.start(name))
    assert words in str(caught.value)
    assert caught.value.status == 404
    assert files_in(tmp_path) == []


def test_a_name_that_is_none_is_refused(fetch):
    with pytest.raises(BadRequest, match="invalid model name"):
        fetch("../etc/passwd")


def test_a_known_model_that_the_hub_took_away_is_said(hub, fetch):
    hub.files.clear()
    with pytest.raises(NothingToPull, match="gpt-oss-20b-mxfp4"):
        fetch()


@pytest.mark.parametrize("name", ["gpt-oss:20b", "hf.co/a/b"])
def test_a_hub_that_is_away_is_said_soon(fetch, name):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    begin = time.monotonic()
    with pytest.raises(PullFailed, match=f"the Hugging Face Hub at {url} could not be reached"):
        fetch(name, hub=Hub(endpoint=url))
    assert time.monotonic() - begin < 2


def test_an_endpoint_that_is_no_hub_is_said(fetch):
    with socket.create_server(("127.0.0.1", 0)) as rude:
        threading.Thread(target=lambda: rude.accept()[0].close(), daemon=True).start()
        with pytest.raises(PullFailed, match="could not be reached"):
            fetch(hub=Hub(endpoint=f"http://127.0.0.1:{rude.getsockname()[1]}"))


def test_offline_is_offline(hub, fetch, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PullFailed, match="HF_HUB_OFFLINE is set"):
        fetch()
    assert hub.requests == []


def test_a_full_disk_is_said_before_a_byte_comes(hub, fetch):
    with pytest.raises(PullFailed, match=r"0\.0 GB are to be fetched and the disk of .* has 0\.0 GB free"):
        next(fetch.start(free_bytes=lambda folder: SIZE - 1))
    assert hub.sent == 0


def test_what_came_already_needs_no_room_again(hub, fetch):
    hub.break_after, hub.breaks = 300_000, 1
    with closing(fetch.start()) as steps:
        for step in steps:
            if "broke off" in step.status:
                break
    assert fetch(free_bytes=lambda folder: SIZE - 300_000)[-1] == Progress("success")


def test_a_machine_that_is_too_small_is_told_before_a_byte_comes(hub, fetch, tmp_path):
    def refuse(size):
        raise NotEnoughMemory(f"{size} bytes are too many")

    with pytest.raises(NotEnoughMemory, match=f"^{SIZE} bytes"):
        next(fetch.start(check_fits=refuse))
    assert (hub.sent, files_in(tmp_path)) == (0, [])


def test_what_the_check_remarks_is_said_on_the_way(fetch):
    steps = fetch(check_fits=lambda size: f"{size} bytes are a lot")
    assert steps[1] == Progress(f"{SIZE} bytes are a lot")


def test_what_is_in_the_cache_of_the_hub_is_not_fetched(hub, fetch, tmp_path):
    folder = tmp_path / "cache" / f"models--{REPOSITORY.replace('/', '--')}"
    for path, text in {"refs/main": "a" * 40, f"snapshots/{'a' * 40}/{FILE}": "weights"}.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text)
    assert [step.status for step in fetch()] == ["already in the cache of the Hub; used where it lies", "success"]
    assert (hub.requests, files_in(tmp_path / "models")) == ([], [])


def test_a_folder_that_cannot_be_written_is_said(fetch, tmp_path):
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(PullFailed, match=r"cannot be written .*OSSIAN_MODELS"):
        fetch()


def test_the_token_is_sent_with_every_request_to_the_hub(hub, fetch, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch()
    assert set(hub.tokens) == {"Bearer hf_secret"}
