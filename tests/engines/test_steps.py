"""llama.cpp's words, read: what is the caller's fault is a 400 with its sentence, the rest a failure of the model."""

import json

import pytest

from ossian.chat import Sampling
from ossian.engines.meter import Meter
from ossian.engines.runner import Runner
from ossian.engines.steps import Piece, read_line, read_refusal, read_step
from ossian.errors import BadRequest, ContextTooLong, ModelFailed, SchemaNotSupported
from ossian.harmony.grammar import text_grammar

REFUSED = "the model's chat template, or the engine, refuses this: No."


def error(message: str, kind: str, **more: int) -> bytes:
    return json.dumps({"error": {"code": 400, "message": message, "type": kind, **more}}).encode()


REFUSALS = [
    pytest.param(error("No.", "invalid_request_error"), BadRequest, REFUSED, id="the caller's fault"),
    pytest.param(error("Busy", "server_error"), ModelFailed, "the engine failed: Busy.", id="its own"),
    pytest.param(error("Off", "not_supported_error"), ModelFailed, "the engine failed: Off.", id="not served"),
    pytest.param(
        error("failed to parse grammar", "invalid_request_error"),
        SchemaNotSupported,
        "invalid format: the engine cannot read it (failed to parse grammar). Write the schema without it.",
        id="grammar",
    ),
    pytest.param(b"oh dear", ModelFailed, "the engine failed: oh dear.", id="no JSON"),
    pytest.param(b"[]", ModelFailed, "the engine failed: [].", id="another shape"),
    pytest.param(b"", ModelFailed, "the engine failed: it gave no reason.", id="nothing"),
]


@pytest.mark.parametrize(("body", "kind", "sentence"), REFUSALS)
def test_refusals_are_told_apart(body: bytes, kind: type[Exception], sentence: str) -> None:
    refusal = read_refusal(body)
    assert (type(refusal), str(refusal)) == (kind, sentence)


def test_both_lengths_of_a_prompt_that_is_too_long() -> None:
    refusal = read_refusal(error("request exceeds", "exceed_context_size_error", n_prompt_tokens=9, n_ctx=4))
    assert isinstance(refusal, ContextTooLong)
    assert (refusal.prompt_tokens, refusal.context) == (9, 4)


@pytest.mark.parametrize("line", ['error: {"error": {"message": "Oh"}}', 'data: {"error": {"message": "Oh"}}'])
def test_an_error_in_mid_stream(line: str) -> None:
    with pytest.raises(ModelFailed, match="the engine failed: Oh"):
        read_line(line)


@pytest.mark.parametrize("line", ["", ": comment", "event: x", "data: [DONE]"])
def test_lines_that_say_nothing(line: str) -> None:
    assert read_line(line) is None


def test_progress_is_no_step() -> None:
    assert read_step({"prompt_progress": {}, "stop": False}) is None


async def test_a_token_that_is_none_is_the_callers_fault(runner: Runner) -> None:
    with pytest.raises(BadRequest, match="token"):
        async for _ in runner.complete([10_000_000], 1, Sampling()):
            pass


async def test_all_tokens_of_a_character_are_counted(runner: Runner) -> None:
    meter, counts = Meter(1), {}
    grammar = text_grammar({"const": "a\U0001f389"})
    async for step in runner.complete([5], 9, Sampling(), grammar=grammar):
        if isinstance(step, Piece):
            meter.piece(step)
            counts[step.text] = meter.written
    assert counts["\U0001f389"] - counts["a"] == 4
