"""A model that stops behind its analysis is asked once more, with the final channel open."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from ossian.chat import ChatRequest, Done, Event, Message, Text, Thinking
from ossian.engines.hearing import Piece
from ossian.engines.local import LocalModel

ASKED = ChatRequest("tiny", (Message("user", "hello"),))


@pytest.fixture
def spoken(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The prompts of a runner that thinks and ends there; behind an open final channel it answers."""
    prompts: list[list[int]] = []
    names = {name: token for token, name in model._names.items()}

    async def complete(tokens: Sequence[int], *_: object, **__: object) -> AsyncGenerator[Piece, None]:
        prompts.append(list(tokens))
        thought = ("<|channel|>", "analysis", "<|message|>", "A greeting.", "<|end|>")
        for word in thought if len(prompts) == 1 else ("Hello!", "<|return|>"):
            yield Piece(names.get(word, 0), "" if word in names else word)

    monkeypatch.setattr(model._runner, "complete", complete)
    return prompts


async def test_nothing_but_analysis_is_no_answer(model: LocalModel, spoken: list[list[int]]) -> None:
    async with aclosing(model.chat(ASKED)) as events:
        said: list[Event] = [event async for event in events]
    assert said[:-1] == [Thinking("A greeting."), Text("Hello!")]
    assert isinstance(said[-1], Done) and said[-1].reason == "stop"
    assert len(spoken) == 2
    again = await model.detokenize(spoken[1])
    assert again.endswith("analysis<|message|>A greeting.<|end|><|start|>assistant<|channel|>final<|message|>")
