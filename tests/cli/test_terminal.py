"""Words and figures for people, and the replies of a script."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ossian.chat import Text, Thinking, ToolCall
from ossian.cli.models import processor
from ossian.cli.script import read_script
from ossian.cli.speak import figures
from ossian.cli.terminal import ago, printable, size_text, table
from ossian.errors import SettingInvalid


def test_columns_are_as_wide_as_they_need_to_be():
    text = table(("NAME", "SIZE"), [("gpt-oss:20b", "12 GB"), ("demo", "9.1 MB")])
    assert text == "NAME          SIZE\ngpt-oss:20b   12 GB\ndemo          9.1 MB"
    assert table(("NAME", "SIZE"), []) == "NAME   SIZE"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 KB"), (8_400_000, "8.4 MB"), (12_109_566_560, "12 GB"), (65e9, "65 GB")],
)
def test_sizes_are_decimal_as_ollama_shows_them(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"), (30, "30 seconds ago"), (60, "1 minute ago"), (3_600 * 5, "5 hours ago"), (86_400, "1 day ago"),
        (86_400 * 15, "2 weeks ago"), (86_400 * 100, "3 months ago"), (86_400 * 800, "2 years ago"),
        (-299.9, "5 minutes from now"), (-45, "45 seconds from now"),
    ],
)  # fmt: skip
def test_times_are_told_from_now(seconds, text):
    assert ago(datetime.now(UTC) - timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("size", "on_gpu", "text"),
    [(0, 0, "100% CPU"), (10, 0, "100% CPU"), (10, 10, "100% GPU"), (10, 7, "30%/70% CPU/GPU")],
)
def test_where_a_model_computes(size, on_gpu, text):
    assert processor({"size": size, "size_vram": on_gpu}) == text


def test_figures_of_an_answer_that_lacks_some_do_not_fail():
    assert figures({}).splitlines()[1] == "read  0 tokens, 0 of them from the cache, 0 at 0.0 tokens/s"


def test_words_lose_what_would_steer_the_terminal():
    assert printable("a\tb\nc é \x1b]0;x\x07\r\x9b") == "a\tb\nc é ]0;x"


def write(tmp_path, text: str):
    path = tmp_path / "replies.json"
    path.write_text(text)
    return path


def test_a_script_is_a_list_of_replies(tmp_path):
    call = {"tool_call": {"name": "read_file", "arguments": {"path": "a"}}}
    script = [[{"thinking": "They greet."}, {"text": "Hello!"}], [call]]
    assert read_script(write(tmp_path, json.dumps(script))) == [
        [Thinking("They greet."), Text("Hello!")],
        [ToolCall("call_1_0", "read_file", '{"path": "a"}')],
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "5", "[5]", '{"a": 1}', "[[]]", '[[{"text": 1}]]', '[[{"word": "a"}]]'], ids=repr
)
def test_a_script_that_cannot_be_understood_is_told(tmp_path, text):
    with pytest.raises(SettingInvalid):
        read_script(write(tmp_path, text))


def test_a_script_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SettingInvalid, match="cannot be read: No such file"):
        read_script(tmp_path / "none.json")
