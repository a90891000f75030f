"""Fill-in-the-middle on its three doors."""

import json
from dataclasses import replace
from typing import ClassVar

import pytest

from ossian.api.infill import write_timings
from ossian.chat import CompletionRequest, Sampling, Text, Usage
from ossian.engines.fake import FAKE_FILE, FakeModel
from ossian.errors import ContextTooLong

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
    assert {"draft_n", "draft_n_accepted"}.isdisjoint(write_timings(usage))
    guessed = write_timings(replace(usage, guessed_tokens=4, kept_tokens=2))
    assert guessed == write_timings(usage) | {"draft_n": 4, "draft_n_accepted": 2}


def test_it_streams_and_ends_as_llama_cpp_does(server):
    response = server.post("/infill", {"input_prefix": "a b", "stream": True})
    blocks = response.text.strip().split("\n\n")
    chunks = [json.loads(block.removeprefix("data: ")) for block in blocks]  # no [DONE]
    assert "".join(chunk["content"] for chunk in chunks) == "You said: a b"
    assert [chunk["stop"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_what_llama_vim_asks_for(server):
    """The fields of its request (autoload/llama.vim)."""
    body = {
        "id_slot": 0, "input_prefix": "def f():\n", "input_suffix": "\nf()", "input_extra": [], "prompt": "    x = ",
        "n_predict": 128, "stop": ["\n\n"], "n_indent": 4, "top_k": 40, "top_p": 0.9, "stream": False,
        "samplers": ["top_k", "top_p", "infill"], "cache_prompt": True,
        "t_max_prompt_ms": 500, "t_max_predict_ms": 1000,
        "response_fields": ["content", "timings/prompt_n", "timings/predicted_per_second", "truncated", "nothing"],
    }  # fmt: skip
    answer = server.post("/infill", body).json()
    assert set(answer) == {"content", "timings/prompt_n", "timings/predicted_per_second", "truncated"}
    (asked,) = Coder.asked
    assert asked == CompletionRequest(
        "coder",
        "def f():\n    x = ",
        "\nf()",
        max_tokens=128,
        stop=("\n\n",),
        sampling=Sampling(top_k=40, top_p=0.9, samplers=("top_k", "top_p")),
        writing_seconds=1.0,
    )


def test_nothing_may_be_asked_for_to_warm_the_cache(server):
    body = {"input_prefix": "a", "n_predict": 0, "samplers": [], "t_max_predict_ms": 1, "response_fields": [""]}
    assert server.post("/infill", body).json() == {}
    (asked,) = Coder.asked
    assert (asked.max_tokens, asked.sampling.samplers) == (0, ())


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
    pytest.param("/infill", {"samplers": ["top_q"]}, 'samplers: "top_q" is not known', id="sampler"),
    pytest.param("/infill", {"input_prefix": "  a", "n_indent": 3}, "n_indent", id="n_indent"),
]


@pytest.mark.parametrize(("path", "body", "words"), REFUSED)
def test_what_does_not_go_together_is_refused(server, path, body, words):
    response = server.post(path, {"model": "coder", **body})
    error = response.json()["error"]
    assert response.status_code == 400 and words in (error if isinstance(error, str) else error["message"])


def test_a_model_that_cannot_fill_in_says_so(serve):
    response = serve().post("/infill", {"input_prefix": "a"})
    assert response.status_code == 400 and "no model here can fill in code" in response.json()["error"]["message"]


def test_errors_are_llama_cpps(serve, server):
    class Full(FakeModel):
        async def complete(self, request):
            raise ContextTooLong(9, 4)
            yield Text("")

    error = server.post("/infill", {"n_probs": 2}).json()
    words = "n_probs is not supported: leave it out"
    assert error == {"error": {"code": 400, "message": words, "type": "invalid_request_error"}}
    error = serve(model=Full, files=(CODER,)).post("/infill", {"input_prefix": "a"}).json()["error"]
    assert (error["type"], error["n_prompt_tokens"], error["n_ctx"]) == ("exceed_context_size_error", 9, 4)
    stranger = server.post("/infill", {}, headers={"host": "evil.example"}).json()["error"]
    assert (stranger["code"], stranger["type"]) == (403, "permission_error")
