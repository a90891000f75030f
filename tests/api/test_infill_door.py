"""Fill-in-the-middle on its three doors."""

import json
from dataclasses import replace
from typing import ClassVar

import pytest

from ossian.api.infill import write_timings
from ossian.chat import CompletionRequest, Usage
from ossian.engines.fake import FAKE_FILE, FakeModel

CODER = replace(FAKE_FILE, name="coder", digest="3" * 64, capabilities=("completion", "insert"))


class Coder(FakeModel):
    """Remembers what was to be completed."""

    asked: ClassVar[list[CompletionRequest]] = []

    async def complete(self, request):
        self.asked.append(request)
        async for event in super().complete(request):
            yield event


@pytest.fixture
def server(serve):
    Coder.asked.clear()
    return serve(model=Coder, files=(CODER,))


def test_llama_cpps_door_needs_no_model(server):
    body = {"input_prefix": "def f():\n", "input_suffix": "\nf()", "prompt": "    ", "n_predict": 9, "temperature": 0.5}
    answer = server.post("/infill", {**body, "input_extra": [{"filename": "a.py", "text": "A = 1"}]}).json()
    assert (answer["stop"], answer["stop_type"], answer["model"]) == (True, "eos", "coder")
    assert answer["content"].startswith("You said: # a.py") and answer["tokens_predicted"] > 0
    (asked,) = Coder.asked
    assert (asked.prompt, asked.suffix, asked.max_tokens) == ("# a.py\nA = 1\n\ndef f():\n    ", "\nf()", 9)


def test_its_timings_count_guesses_as_llama_cpp_counts_drafts():
    usage = Usage(prompt_tokens=7, cached_tokens=2, completion_tokens=3, prompt_seconds=1.0, completion_seconds=0.5)
    timings = {"prompt_n": 5, "prompt_ms": 1000.0, "predicted_n": 3, "predicted_ms": 500.0}
    assert write_timings(usage) == timings
    guessed = replace(usage, guessed_tokens=4, kept_tokens=2)
    assert write_timings(guessed) == timings | {"draft_n": 4, "draft_n_accepted": 2}


def test_it_streams(server):
    response = server.post("/infill", {"input_prefix": "a b", "stream": True})
    chunks = [
        json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line.startswith("data: {")
    ]
    assert "".join(chunk["content"] for chunk in chunks) == "You said: a b"
    assert [chunk["stop"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_ollamas_and_openais_suffix(server):
    server.post("/api/generate", {"model": "coder", "prompt": "a", "suffix": "b", "stream": False})
    server.post("/v1/completions", {"model": "coder", "prompt": "a", "suffix": "b"})
    assert [(asked.prompt, asked.suffix) for asked in Coder.asked] == [("a", "b"), ("a", "b")]


REFUSED = [
    pytest.param(
        "/api/generate", {"suffix": "b", "prompt": "a", "system": "x"}, "suffix does not go together", id="system"
    ),
    pytest.param(
        "/api/generate", {"suffix": "b", "prompt": "a", "format": "json"}, "suffix does not go together", id="format"
    ),
    pytest.param(
        "/v1/completions",
        {"suffix": "b", "prompt": "a", "response_format": {"type": "json_object"}},
        "suffix does not go",
        id="response_format",
    ),
    pytest.param("/infill", {"input_prefix": 3}, "input_prefix must be", id="type"),
]


@pytest.mark.parametrize(("path", "body", "words"), REFUSED)
def test_what_does_not_go_together_is_refused(server, path, body, words):
    response = server.post(path, {"model": "coder", **body})
    error = response.json()["error"]
    assert response.status_code == 400 and words in (error if isinstance(error, str) else error["message"])


def test_a_model_that_cannot_fill_in_says_so(serve):
    response = serve().post("/infill", {"input_prefix": "a"})
    assert response.status_code == 400 and "no model here can fill in code" in response.json()["error"]["message"]
