"""A model that stops behind its analysis, or goes round in circles there, is asked once more, without that channel."""

from contextlib import aclosing
from dataclasses import replace
from itertools import cycle, islice

import pytest
from scripted_runner import Speak

from ossian.chat import ChatRequest, Done, Event, Message, Text, Thinking, Tool, ToolCall
from ossian.engines.local import LocalModel
from ossian.engines.stops import LOOP_TOKENS
from ossian.harmony.grammar import answer_grammar

ASKED = ChatRequest("tiny", (Message("user", "hello"),))
THOUGHT = ["<|channel|>", "analysis", "<|message|>", "A greeting."]
ROUND = [" Is", " it", " so?"]
CIRCLES = [*THOUGHT, *islice(cycle(ROUND), 2 * LOOP_TOKENS)]
CALL = ["<|channel|>", "commentary to=functions.now ", "<|constrain|>", "json", "<|message|>", "{}", "<|call|>"]
NOW = Tool("now")


async def listen(model: LocalModel, request: ChatRequest) -> list[Event]:
    async with aclosing(model.chat(request)) as events:
        return [event async for event in events]


async def test_nothing_but_analysis_is_no_answer(model: LocalModel, speak: Speak) -> None:
    runner = speak([*THOUGHT, "<|end|>"], ["Hello!", "<|return|>"])
    said = await listen(model, ASKED)
    assert said[:-1] == [Thinking("A greeting."), Text("Hello!")]
    assert isinstance(said[-1], Done) and said[-1].reason == "stop"
    again = await model.detokenize(runner.prompts[1])
    assert again.endswith("analysis<|message|>A greeting.<|end|><|start|>assistant<|channel|>final<|message|>")


async def test_who_thinks_in_circles_answers_all_the_same(model: LocalModel, speak: Speak) -> None:
    runner = speak(CIRCLES, ["Hello!", "<|return|>"])
    *thoughts, text, done = await listen(model, ASKED)
    thought = "".join(event.text for event in thoughts if isinstance(event, Thinking))
    assert thought == "A greeting." + "".join(islice(cycle(ROUND), LOOP_TOKENS))
    assert text == Text("Hello!")
    assert isinstance(done, Done) and done.reason == "stop"
    assert done.usage.completion_tokens == len(THOUGHT) + LOOP_TOKENS + 2
    again = await model.detokenize(runner.prompts[1])
    assert again.endswith("A greeting. Is it so?<|end|><|start|>assistant<|channel|>final<|message|>")


async def test_who_goes_on_in_circles_comes_to_an_end(model: LocalModel, speak: Speak) -> None:
    speak(CIRCLES, CIRCLES[len(THOUGHT) :])
    *_, done = await listen(model, ASKED)
    assert isinstance(done, Done) and done.reason == "length"


@pytest.mark.parametrize("choice", ["auto", "required"])
async def test_behind_the_circles_a_tool_can_be_called(model: LocalModel, speak: Speak, choice: str) -> None:
    request = replace(ASKED, tools=(NOW,), tool_choice=choice)
    runner = speak(CIRCLES, CALL)
    *_, call, done = await listen(model, request)
    assert isinstance(call, ToolCall) and (call.name, call.arguments) == ("now", "{}")
    assert isinstance(done, Done) and done.reason == "stop"
    assert (await model.detokenize(runner.prompts[1])).endswith(" Is it so?<|end|><|start|>assistant")
    assert runner.grammars[1] == answer_grammar(replace(request, think=False), "header") != runner.grammars[0]
