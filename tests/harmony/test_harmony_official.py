"""What we write is, token for token, what OpenAI's own renderer writes (recorded by record_official.py)."""

import datetime
import hashlib
import json
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from official_tokens import encode

from ossian.chat import ChatRequest, Message, Tool, ToolCall
from ossian.harmony.render import Prompt, Special, render, spell

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "recordings"
TODAY = datetime.date(2026, 11, 22)
write = partial(render, today=TODAY, order="official")

ASKED = {case["name"]: case["request"] for case in json.loads((HERE / "conversations.json").read_text())}
RECORDED = json.loads((HERE / "official.json").read_text())
OFFICIAL = [pytest.param(row, id=row["name"]) for row in RECORDED if "name" in row]
EDITORS = [pytest.param(row, id=row["recording"]) for row in RECORDED if "recording" in row]


def read_request(asked: dict[str, Any]) -> ChatRequest:
    messages = tuple(
        Message(**{**row, "calls": tuple(ToolCall(**call) for call in row.get("calls", []))})
        for row in asked["messages"]
    )
    tools = tuple(Tool(**tool) for tool in asked.get("tools", []))
    more = {key: asked[key] for key in ("reasoning", "think") if key in asked}
    return ChatRequest("gpt-oss:20b", messages, tools, **more)


def render_editor(recording: str) -> Prompt:
    path = SHARED / recording
    if not path.exists():
        pytest.skip(f"the editor's recording is not here: {path}")
    tools = [tool["function"] for tool in json.loads(path.read_text())["body"]["tools"]]
    return write(read_request({"messages": [{"role": "user", "content": "Hi"}], "tools": tools}))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("official", OFFICIAL)
def test_the_text_is_the_official_one(official):
    assert spell(write(read_request(ASKED[official["name"]]))) == official["text"]


@pytest.mark.parametrize("official", OFFICIAL)
def test_pieces_end_where_official_tokens_end(official):
    prompt = write(read_request(ASKED[official["name"]]))
    token_ends = {0, *accumulate(official["lengths"])}
    lengths = [len(spell((piece,)).encode()) for piece in prompt]
    assert set(accumulate(lengths)) <= token_ends
    specials = {
        end - length: spell((piece,))
        for end, length, piece in zip(accumulate(lengths), lengths, prompt, strict=True)
        if isinstance(piece, Special)
    }
    official_ends = list(accumulate(official["lengths"]))
    official_specials = {
        end - length
        for end, length, token in zip(official_ends, official["lengths"], official["ids"], strict=True)
        if token >= 199_998
    }
    assert set(specials) == official_specials


@pytest.mark.parametrize("official", OFFICIAL)
def test_the_ids_are_the_official_ones(official, encoding):
    assert encode(write(read_request(ASKED[official["name"]])), encoding) == official["ids"]


@pytest.mark.parametrize("official", EDITORS)
def test_an_editors_tools_are_written_as_the_official_renderer_does(official):
    assert sha256(spell(render_editor(official["recording"]))) == official["text_sha256"]


@pytest.mark.parametrize("official", EDITORS)
def test_an_editors_tools_have_the_official_ids(official, encoding):
    assert sha256(json.dumps(encode(render_editor(official["recording"]), encoding))) == official["ids_sha256"]


def test_every_conversation_is_recorded():
    assert [row["name"] for row in RECORDED if "name" in row] == list(ASKED)
