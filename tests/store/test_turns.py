"""Turns with calls on the disk: found by model and call, bounded, and never a reason to fail."""

import sqlite3
import stat
from pathlib import Path

import pytest

from ossian.chat import ToolCall
from ossian.errors import StoreFailed
from ossian.store.texts import TextStore
from ossian.store.turns import Turn, TurnStore

BOTH = (ToolCall("call_1", "read", '{"path": "ä"}'), ToolCall("call_2", "look", "{}"))
TURN = Turn("Both.", "I look.", BOTH, (1, 2, 200_012))


def turn_of(id: str, thinking: str = "") -> Turn:
    return Turn(thinking, "", (ToolCall(id, "read", "{}"),))


def test_a_turn_is_found_by_each_of_its_calls_and_by_its_model_only(tmp_path):
    TurnStore(TextStore(tmp_path / "calls.sqlite")).keep("one", TURN)
    store = TurnStore(TextStore(tmp_path / "calls.sqlite"))
    assert store.find("one", ["call_2", "call_1", "call_3"]) == {"call_2": TURN, "call_1": TURN}
    assert store.find("other", ["call_1"]) == {}
    assert store.find("one", ["\ud800", "call_\0", "", "ä"]) == {}


def test_the_later_turn_of_the_same_id_counts(tmp_path):
    store = TurnStore(TextStore(tmp_path / "calls.sqlite"))
    store.keep("one", turn_of("a"))
    store.keep("one", turn_of("a", "Again."))
    assert store.find("one", ["a"]) == {"a": turn_of("a", "Again.")}


def test_nothing_is_made_by_looking(tmp_path):
    assert TurnStore(TextStore(tmp_path / "no" / "calls.sqlite")).find("one", ["a"]) == {}
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    now = [0.0]
    store = TurnStore(TextStore(tmp_path / "calls.sqlite", most=2, clock=lambda: now[0]))
    for second, id in enumerate("ab"):
        now[0] = second
        store.keep("one", turn_of(id))
    now[0] = 2
    store.find("one", ["a"])
    store.keep("one", turn_of("c"))
    assert set(store.find("one", "abc")) == {"a", "c"}


def test_bytes_and_age_are_bounded(tmp_path):
    now = [0.0]
    store = TurnStore(TextStore(tmp_path / "calls.sqlite", most_bytes=1_000, longest_seconds=10, clock=lambda: now[0]))
    for id in "ab":
        store.keep("one", turn_of(id, "long " * 120))
    assert set(store.find("one", "ab")) == {"b"}
    now[0] = 11
    assert store.find("one", "ab") == {}


def test_only_the_owner_may_read_it(tmp_path):
    store = TurnStore(TextStore(tmp_path / "calls.sqlite"))
    store.keep("one", TURN)
    assert stat.S_IMODE(store.texts.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["no JSON", "[1]", "[1, 2, 3, 4]", "null", '["", "", [["a"]], []]'])
def test_a_damaged_turn_is_a_failure_of_the_store(tmp_path, text):
    store = TurnStore(TextStore(tmp_path / "calls.sqlite"))
    store.keep("one", TURN)
    with sqlite3.connect(store.texts.path) as file:
        file.execute("UPDATE texts SET text = ?", (text,))
    with pytest.raises(StoreFailed):
        store.find("one", ["call_1"])


def test_a_damaged_file_is_a_failure_of_the_store(tmp_path: Path):
    store = TurnStore(TextStore(tmp_path / "calls.sqlite"))
    store.texts.path.write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreFailed):
        store.keep("one", TURN)
    with pytest.raises(StoreFailed):
        store.find("one", ["call_1"])
