"""Responses are kept for as long as the bounds allow, survive anything, and are for their owner's eyes only."""

import resource
import sqlite3
import stat
import subprocess
import sys

import pytest

from ossian.errors import StoreFailed
from ossian.store.responses import ResponseStore, StoredResponse

QUESTION = {"id": "msg_q", "type": "message", "role": "user", "content": []}
DAY = 86_400.0


def answer(name, previous=None, text="Hi."):
    output = [{"id": f"msg_{name}", "type": "message", "content": [{"type": "output_text", "text": text}]}]
    return {"id": name, "previous_response_id": previous, "output": output}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "responses.sqlite"


def test_a_response_is_found_as_it_was_kept(path):
    store = ResponseStore(path)
    assert (store.find("a"), store.find_item("msg_a"), store.forget("a")) == (None, None, False)
    assert not path.exists()
    store.keep(answer("a", text="Grüße \0 \U0001f600"), [QUESTION])
    assert ResponseStore(path).find("a") == StoredResponse(answer("a", text="Grüße \0 \U0001f600"), (QUESTION,))
    assert store.find_item("msg_q") == QUESTION
    assert store.find("b") is None


def test_a_forgotten_response_leaves_the_file(path):
    store = ResponseStore(path)
    store.keep(answer("a", text="a secret word " * 10_000), [QUESTION])
    size = path.stat().st_size
    assert store.forget("a")
    assert (store.find("a"), store.find_item("msg_a"), store.forget("a")) == (None, None, False)
    assert b"secret" not in path.read_bytes()
    assert path.stat().st_size < size


def test_only_the_owner_may_read_it(path):
    ResponseStore(path).keep(answer("a"), [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_oldest_goes_first_by_number_and_by_bytes(path):
    store = ResponseStore(path, most=2)
    for name in "abc":
        store.keep(answer(name), [])
    assert [bool(store.find(name)) for name in "abc"] == [False, True, True]
    small = ResponseStore(path, most_bytes=1_000)
    small.keep(answer("d", text="x" * 600), [])
    assert [bool(store.find(name)) for name in "bcd"] == [False, True, True]
    with pytest.raises(StoreFailed, match="more than the 1000"):
        small.keep(answer("e", text="x" * 1_000), [])


def test_going_on_from_a_response_keeps_all_before_it(path):
    now = [0.0]
    store = ResponseStore(path, most=3, clock=lambda: now[0])
    store.keep(answer("first"), [])
    for name, previous in (("other", None), ("second", "first"), ("third", "second")):
        now[0] += 20 * DAY
        store.keep(answer(name, previous), [])
    assert [bool(store.find(name)) for name in ("first", "other", "second", "third")] == [True, False, True, True]
    now[0] += 31 * DAY
    assert (store.find("third"), store.find_item("msg_third")) == (None, None)


def test_a_full_disk_is_said_and_harms_nothing(path):
    store = ResponseStore(path)
    store.keep(answer("a"), [QUESTION])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, before[1]))
    try:
        with pytest.raises(StoreFailed, match="Make room on the disk"):
            store.keep(answer("b", text="x" * 1_000_000), [QUESTION])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (store.find("b"), bool(store.find("a"))) == (None, True)


def test_a_file_that_is_no_store_is_said_and_left_alone(path):
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1_000)
    store = ResponseStore(path)
    for attempt in (lambda: store.keep(answer("a"), []), lambda: store.find("a"), lambda: store.forget("a")):
        with pytest.raises(StoreFailed, match="not a database"):
            attempt()
    assert path.read_bytes() == b"no database" * 1_000


KILLED = """
import os, signal, sys
from pathlib import Path
from ossian.store.responses import ResponseStore

store = ResponseStore(Path(sys.argv[1]))
store.keep({"id": "a", "previous_response_id": None, "output": []}, [])
with store.opened() as file:
    file.execute("DELETE FROM responses")
    file.execute("PRAGMA cache_spill = 1")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_in_the_middle_leaves_all_as_it_was(path):
    subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert ResponseStore(path).find("a") is not None


def test_two_servers_may_share_it(path):
    store = ResponseStore(path)
    store.keep(answer("a"), [])
    with sqlite3.connect(path) as other:
        other.execute("SELECT * FROM responses").fetchall()
        assert store.find("a") is not None
    other.close()
    store.keep(answer("b"), [])
    assert store.find("b") is not None
