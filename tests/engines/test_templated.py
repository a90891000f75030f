"""Models that bring a chat template. Their words mean nothing: grammars, and likings for tokens, shape them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
import pytest_asyncio
from test_structured import CHECKER, REFUSED, SCHEMAS, sampling

from chat_gguf import THINKING, token, write_chat_model
from ossian.chat import (
    ChatRequest,
    CompletionRequest,
    Done,
    Event,
    Message,
    OnlyTool,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
)
from ossian.engines.start import start_model
from ossian.engines.steps import Unreadable
from ossian.engines.stops import LOOP_TOKENS, MOST_REPEATS
from ossian.engines.templated import TemplatedModel
from ossian.errors import BadRequest, ContextTooLong, ModelFailed, NotSupported, SchemaNotSupported
from ossian.settings import Settings
from ossian.store.catalogue import read_model

CONTEXT = 8_192
HELLO = (Message("user", "hello"),)
CITY = Tool(
    "get_weather",
    "Weather of a city.",
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 5}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
)
NOW = Tool("now", "The time.", {"type": "object", "properties": {}})
# What was said already, or stands at the end of the prompt, is wanted less by 50: each of these is said once.
TO_THINK = {"<think>": 100.0, "Z": 90.0, "</think>": 80.0, "Y": 70.0, "<|im_end|>": 110.0}
TO_SPEAK = {"Z": 100.0, "Y": 90.0, "X": 80.0, "<|im_end|>": 110.0}
TO_CALL = {"<tool_call>": 100.0, "Ċ": 120.0, "<|im_end|>": 115.0}
Open = Callable[[str], Awaitable[TemplatedModel]]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(chat_models: Path) -> AsyncIterator[Open]:
    """Open a model, or take the one that a test before has opened: no test changes what it says."""
    models: dict[str, TemplatedModel] = {}

    async def open_model(name: str) -> TemplatedModel:
        if name not in models:
            model = await start_model(read_model(name, chat_models / f"{name}.gguf"), CONTEXT, Settings())
            assert isinstance(model, TemplatedModel)
            models[name] = model
        return models[name]

    yield open_model
    for model in models.values():
        await model.close()


def ask(messages: tuple[Message, ...] = HELLO, likings: dict[str, float] | None = None, **fields: Any) -> ChatRequest:
    """A question; with `likings` for tokens, their order is what is said where nothing forbids it."""
    bias = {token(text): liking for text, liking in (likings or {}).items()}
    drawn = Sampling(seed=1, temperature=0.0, presence_penalty=50.0, logit_bias=bias) if likings else Sampling(seed=1)
    return ChatRequest("tiny", messages, **{"think": False, "max_tokens": 400, "sampling": drawn, **fields})


async def listen(model: TemplatedModel, request: ChatRequest | CompletionRequest) -> list[Event]:
    stream = model.chat(request) if isinstance(request, ChatRequest) else model.complete(request)
    async with aclosing(stream) as events:
        return [event async for event in events]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def calls_of(events: list[Event]) -> list[ToolCall]:
    return [event for event in events if isinstance(event, ToolCall)]


@pytest.mark.parametrize("name", ["chatml", "llama", "thinking", "r1"])
async def test_the_prompt_that_is_counted_is_the_one_that_is_answered(opened: Open, name: str) -> None:
    model = await opened(name)
    for think in (True, False):
        request = ask((Message("system", "Be brief."), *HELLO), think=think, max_tokens=5)
        *_, done = await listen(model, request)
        assert isinstance(done, Done) and done.reason == "length"
        assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (await model.count(request), 5)
        assert done.usage.prompt_seconds > 0 and done.usage.completion_seconds > 0


async def test_a_thought_comes_apart_from_the_answer(opened: Open) -> None:
    *said, done = await listen(await opened("thinking"), ask(likings=TO_THINK, think=True))
    assert said == [Thinking("Z"), Text("Y")]
    assert isinstance(done, Done) and done.reason == "stop"


async def test_a_thought_that_the_template_opens_is_a_thought(opened: Open) -> None:
    *said, _ = await listen(await opened("r1"), ask(likings=TO_THINK | {"<think>": 0.0}, think=True))
    assert said == [Thinking("Z"), Text("Y")]


@pytest.mark.parametrize("name", ["thinking", "r1"])
async def test_without_thinking_the_thought_is_over_before_the_answer_begins(opened: Open, name: str) -> None:
    model = await opened(name)
    *said, done = await listen(model, ask(likings=TO_SPEAK))
    assert text_of(said) == "ZYX" and len(said) == 3
    assert isinstance(done, Done) and done.reason == "stop"
    assert await model.count(ask()) > await model.count(ask(think=True))


async def test_an_answer_that_was_begun_is_gone_on_with_behind_the_thought(opened: Open) -> None:
    begun = (*HELLO, Message("assistant", "Well"))
    for name in ("thinking", "r1"):
        model = await opened(name)
        *said, _ = await listen(model, ask(begun, likings=TO_SPEAK, think=True))
        assert text_of(said) == "ZYX"
        assert await model.count(ask(begun)) == await model.count(ask()) + len("Well")


async def test_instructions_of_both_roles_become_one_system_message(opened: Open) -> None:
    model = await opened("chatml")
    several = (Message("system", "Be brief."), Message("developer", "Be kind."), *HELLO)
    joined = (Message("system", "Be brief.\n\nBe kind."), *HELLO)
    assert await model.count(ask(several)) == await model.count(ask(joined))


async def test_results_find_their_calls_with_and_without_ids(opened: Open) -> None:
    def turns(first: str, second: str) -> tuple[Message, ...]:
        calls = (ToolCall(first, "now", "{}"), ToolCall(second, "get_weather", '{"city": "Oslo"}'))
        results = (Message("tool", "Rain.", call_id=second), Message("tool", "Noon.", call_id=first))
        return (*HELLO, Message("assistant", "", "Hm.", calls), *results)

    model = await opened("thinking")
    assert await model.count(ask(turns("a", "b"))) == await model.count(ask(turns("", "")))


async def test_arguments_that_are_no_object_do_not_break_the_conversation(opened: Open) -> None:
    broken = Message("assistant", calls=(ToolCall("a", "now", "{broken"),))
    events = await listen(await opened("thinking"), ask((*HELLO, broken, Message("tool", "3")), max_tokens=3))
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize("choice", ["auto", "required", OnlyTool("now")], ids=str)
async def test_a_call_comes_whole_and_satisfies_its_tool(opened: Open, choice: Any) -> None:
    request = ask(tools=(CITY, NOW), tool_choice=choice, likings=TO_CALL)
    *said, done = await listen(await opened("thinking"), request)
    (call,) = calls_of(said)
    assert said == [call] and call.id
    tool = next(tool for tool in (CITY, NOW) if tool.name == call.name)
    assert choice in ("auto", "required") or call.name == choice.name
    jsonschema.validate(json.loads(call.arguments), tool.parameters)
    assert isinstance(done, Done) and done.reason == "stop"


async def test_several_calls_come_one_by_one(opened: Open) -> None:
    likings = TO_CALL | {"<|im_end|>": 0.0}
    events = await listen(await opened("thinking"), ask(tools=(NOW,), tool_choice="required", likings=likings))
    calls = calls_of(events)
    assert len(calls) > 1 and len({call.id for call in calls}) == len(calls)
    assert {(call.name, json.dumps(json.loads(call.arguments))) for call in calls} == {("now", "{}")}


async def test_one_call_is_the_end_where_no_more_are_wanted(opened: Open) -> None:
    likings = TO_CALL | {"<|im_end|>": 0.0}
    request = ask(tools=(NOW,), tool_choice="required", one_call=True, likings=likings)
    *said, done = await listen(await opened("thinking"), request)
    assert said == calls_of(said) and len(said) == 1
    assert isinstance(done, Done) and done.reason == "stop"


async def test_with_no_choice_allowed_tools_are_not_shown(opened: Open) -> None:
    model = await opened("thinking")
    barred = ask(tools=(CITY, NOW), tool_choice="none", likings=TO_CALL)
    assert await model.count(barred) == await model.count(ask()) < await model.count(ask(tools=(CITY,)))
    assert not calls_of(await listen(model, barred))


@pytest.mark.parametrize("name", SCHEMAS)
async def test_whatever_is_written_satisfies_the_schema(opened: Open, name: str) -> None:
    drawn = sampling(3)
    drawn = replace(drawn, logit_bias={**drawn.logit_bias, token("a"): 4.0, token("c"): 4.0})
    events = await listen(await opened("chatml"), ask(format=SCHEMAS[name], sampling=drawn, max_tokens=6_000))
    assert isinstance(events[-1], Done) and events[-1].reason == "stop"
    jsonschema.validate(json.loads(text_of(events)), SCHEMAS[name], format_checker=CHECKER)


@pytest.mark.parametrize("name", ["thinking", "r1"])
@pytest.mark.parametrize("think", [True, False])
async def test_a_format_leaves_the_thought_free(opened: Open, name: str, think: bool) -> None:
    likings = TO_THINK if name == "thinking" else TO_THINK | {"<think>": 0.0}
    *said, done = await listen(await opened(name), ask(format={"const": True}, think=think, likings=likings))
    assert [event for event in said if isinstance(event, Thinking)] == ([Thinking("Z")] if think else [])
    assert json.loads(text_of(said)) is True
    assert isinstance(done, Done) and done.reason == "stop"


@pytest.mark.parametrize("seed", range(3))
async def test_thinking_leaves_half_of_the_bound_to_a_format(opened: Open, seed: int) -> None:
    """Without that, this model thinks up to the bound."""
    model = await opened("r1")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    free = await listen(model, ask(think=True, max_tokens=120, sampling=Sampling(seed=seed)))
    assert text_of(free) == ""
    events = await listen(model, ask(think=True, max_tokens=120, format=schema, sampling=Sampling(seed=seed)))
    assert any(isinstance(event, Thinking) for event in events)
    jsonschema.validate(json.loads(text_of(events)), schema)


async def test_thinking_leaves_half_of_the_bound_to_a_call_that_must_be_made(opened: Open) -> None:
    endless = Sampling(seed=1, temperature=0.0, logit_bias={token("Z"): 1_000.0})
    model = await opened("r1")
    events = await listen(model, ask(think=True, max_tokens=60, sampling=endless, tools=(NOW,), tool_choice="required"))
    assert 25 <= sum(isinstance(event, Thinking) for event in events) <= 30
    assert text_of(events)
    freely = await listen(model, ask(think=True, max_tokens=60, sampling=endless, tools=(NOW,)))
    assert sum(isinstance(event, Thinking) for event in freely) == 60
    assert text_of(freely) == ""


async def test_json_is_some_object(opened: Open) -> None:
    events = await listen(await opened("llama"), ask(format="json", likings={"}": 200.0, "<|eot_id|>": 110.0}))
    assert json.loads(text_of(events)) == {}


@pytest.mark.parametrize("schema", [pytest.param(schema, id=word) for word, schema in REFUSED.items()])
async def test_a_schema_that_cannot_be_kept_is_refused(opened: Open, schema: Any) -> None:
    with pytest.raises(SchemaNotSupported):
        await listen(await opened("chatml"), ask(format=schema))


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        pytest.param({"type": "string", "pattern": "^a$"}, "pattern", id="pattern"),
        pytest.param({"type": "string", "format": "date"}, "format", id="format"),
        pytest.param({"type": "number", "minimum": 1}, "minimum", id="bound of a number"),
        pytest.param({"type": "object", "required": ["x"]}, "required", id="required without a schema"),
        pytest.param({"type": "array", "uniqueItems": True}, "uniqueItems", id="refused by the grammar of formats"),
    ],
)
async def test_a_strict_tool_is_refused_by_the_keyword_that_would_be_left_out(
    opened: Open, schema: Any, keyword: str
) -> None:
    tool = Tool("pick", parameters={"type": "object", "properties": {"a": schema}}, strict=True)
    model = await opened("thinking")
    with pytest.raises(SchemaNotSupported, match=f'"{keyword}"'):
        await listen(model, ask(tools=(tool,)))
    assert isinstance((await listen(model, ask(tools=(replace(tool, strict=False),), max_tokens=3)))[-1], Done)


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"type": "text"}, id="unknown type"),
        pytest.param({"type": "object", "properties": 5}, id="no properties"),
        pytest.param({"type": "object", "properties": {"a": {"$ref": "https://example.org/a"}}}, id="far reference"),
        pytest.param(json.loads('{"items":' * 900 + "{}" + "}" * 900), id="too deep"),
    ],
)
async def test_a_tool_that_the_engine_cannot_read_is_the_caller_s_error(opened: Open, parameters: Any) -> None:
    with pytest.raises(BadRequest):
        await listen(await opened("thinking"), ask(tools=(Tool("odd", parameters=parameters),)))


@pytest.mark.parametrize("more", [{"format": "json"}, {"top_logprobs": 0}], ids=str)
async def test_what_llama_cpp_cannot_do_together_is_refused(opened: Open, more: dict[str, Any]) -> None:
    model = await opened("thinking")
    with pytest.raises(BadRequest, match="does not go together with tools"):
        await listen(model, ask(tools=(NOW,), **more))
    assert await listen(model, ask(tools=(NOW,), tool_choice="none", likings={"}": 200.0, **TO_SPEAK}, **more))


async def test_behind_the_results_of_tools_a_format_can_be_asked_for(opened: Open) -> None:
    called = Message("assistant", calls=(ToolCall("a", "now", "{}"),))
    request = ask((*HELLO, called, Message("tool", "3", call_id="a")), tools=(NOW,), tool_choice="none")
    *said, _ = await listen(await opened("thinking"), replace(request, format=SCHEMAS["booleans and nulls"]))
    jsonschema.validate(json.loads(text_of(said)), SCHEMAS["booleans and nulls"])


@pytest.mark.parametrize("begun", ["<tool_call>\n{", '<tool_call>\n{"name": "now"', "<tool_call>"])
@pytest.mark.parametrize("bound", [1, 30])
async def test_what_llama_cpp_cannot_read_is_said_as_it_is(opened: Open, begun: str, bound: int) -> None:
    messages = (*HELLO, Message("assistant", begun))
    *said, done = await listen(await opened("thinking"), ask(messages, tools=(NOW,), max_tokens=bound))
    assert isinstance(done, Done) and (done.reason, done.usage.completion_tokens) == ("length", bound)
    assert not calls_of(said)


async def test_what_llama_cpp_cannot_read_in_mid_answer_ends_it(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    model = await opened("thinking")

    async def chat(body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        yield {"choices": [{"finish_reason": None, "delta": {"content": "Well"}}]}
        raise Unreadable("the engine failed: the output does not match the expected format.")

    monkeypatch.setattr(model._runner, "chat", chat)
    *said, done = await listen(model, ask(tools=(NOW,)))
    assert (said, done.reason) == ([Text("Well")], "length")  # type: ignore[union-attr]


async def test_what_ends_a_line_elsewhere_ends_none_here(opened: Open) -> None:
    text = "a\u2028b\u2029c\x85d"
    *said, _ = await listen(await opened("chatml"), ask(format={"const": text}))
    assert json.loads(text_of(said)) == text


async def test_a_prompt_that_is_too_long_is_refused_with_both_figures(opened: Open) -> None:
    request = ask((Message("user", "word " * 4_000),))
    model = await opened("llama")
    with pytest.raises(ContextTooLong) as error:
        await listen(model, request)
    assert (error.value.prompt_tokens, error.value.context) == (await model.count(request), CONTEXT)


async def test_a_conversation_that_the_template_rejects_is_refused_in_its_own_words(opened: Open) -> None:
    model = await opened("llama")
    with pytest.raises(BadRequest, match="refuses this: only system, user and assistant may speak"):
        await listen(model, ask((*HELLO, Message("tool", "3", call_id="a"))))
    with pytest.raises(BadRequest, match="only system, user and assistant may speak"):
        await model.count(ask((*HELLO, Message("tool", "3", call_id="a"))))


async def test_a_stop_string_ends_the_answer_and_is_not_shown(opened: Open) -> None:
    *said, done = await listen(await opened("chatml"), ask(likings=TO_SPEAK, stop=("YX",)))
    assert text_of(said) == "Z"
    assert isinstance(done, Done) and (done.reason, done.stop) == ("stop", "YX")


async def test_every_letter_has_its_log_probability(opened: Open) -> None:
    *said, _ = await listen(await opened("thinking"), ask(likings=TO_THINK, think=True, top_logprobs=2))
    (text,) = [event for event in said if isinstance(event, Text)]
    assert [(each.text, each.bytes, len(each.likeliest)) for each in text.logprobs] == [("Y", b"Y", 2)]


async def test_a_loop_of_one_token_ends_with_a_proper_end(opened: Open) -> None:
    looping = ask(max_tokens=None, sampling=Sampling(logit_bias={token("Z"): 100.0}))
    *said, done = await listen(await opened("chatml"), looping)
    assert isinstance(done, Done) and done.reason == "length"
    assert text_of(said) == "Z" * (MOST_REPEATS + 1)


async def test_a_loop_of_several_tokens_ends_so_too(opened: Open) -> None:
    by_turns = {token("Z"): 1000.0, token("Y"): 1000.0}
    drawn = Sampling(temperature=0.0, presence_penalty=50.0, repeat_last_n=1, logit_bias=by_turns)
    *said, done = await listen(await opened("chatml"), ask(max_tokens=None, sampling=drawn))
    assert isinstance(done, Done) and done.reason == "length"
    assert text_of(said) in ("ZY" * (LOOP_TOKENS // 2), "YZ" * (LOOP_TOKENS // 2))


@pytest.mark.parametrize("name", ["chatml", "thinking", "r1"])
async def test_a_format_that_the_bound_would_cut_short_is_closed(opened: Open, name: str) -> None:
    model = await opened(name)
    properties = {"text": {"type": "string"}, "n": {"type": "null"}}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    likings = dict.fromkeys((*range(128, 256), token('"')), -100.0)
    drawn = Sampling(seed=1, logit_bias=likings)
    *said, done = await listen(model, ask(format=schema, max_tokens=60, sampling=drawn))
    jsonschema.validate(json.loads(text_of(said)), schema)
    assert isinstance(done, Done) and done.reason == "length" and done.usage.completion_tokens <= 60


async def test_a_call_that_goes_round_in_circles_is_not_shown(opened: Open) -> None:
    endless = Tool("say", parameters={"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]})
    likings = {token(text): liking for text, liking in {**TO_CALL, "Z": 90.0}.items()}
    drawn = Sampling(temperature=0.0, presence_penalty=50.0, repeat_last_n=1, logit_bias=likings)
    request = ask(tools=(endless,), tool_choice="required", max_tokens=None, sampling=drawn)
    events = await listen(await opened("thinking"), request)
    assert [type(event) for event in events] == [Done]
    assert isinstance(events[-1], Done) and events[-1].reason == "length"


@pytest.mark.parametrize("after_words", [0, 3])
async def test_hanging_up_frees_the_engine(opened: Open, after_words: int) -> None:
    model = await opened("chatml")

    async def is_busy() -> bool:
        transport = httpx2.AsyncHTTPTransport(uds=str(model._runner._folder / "runner.sock"))
        async with httpx2.AsyncClient(transport=transport, base_url="http://runner") as client:
            return any(slot["is_processing"] for slot in (await client.get("/slots")).json())

    endless = ask((Message("user", "word " * 1_000),), max_tokens=None, likings={"<|im_end|>": -1_000.0})
    async with aclosing(model.chat(endless)) as events:
        for _ in range(after_words):
            await anext(events)
        if not after_words:
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.02)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    end = time.monotonic() + 5.0
    while await is_busy():
        assert time.monotonic() < end, "the engine goes on"
        await asyncio.sleep(0.02)


async def test_raw_text_goes_on_without_a_template(opened: Open) -> None:
    events = await listen(await opened("base"), CompletionRequest("base", "hello", max_tokens=4))
    assert isinstance(events[-1], Done)
    assert (events[-1].usage.prompt_tokens, events[-1].usage.completion_tokens) == (len("hello"), 4)


async def test_a_gap_is_filled_where_the_model_has_tokens_for_it(opened: Open) -> None:
    gap = CompletionRequest("base", "x" * 2_000, suffix="y" * 1_000, max_tokens=4)
    *said, done = await listen(await opened("base"), gap)
    assert said and isinstance(done, Done)
    assert done.usage.prompt_tokens == 3_003  # nothing of it was cut
    with pytest.raises(NotSupported, match="insert"):
        await listen(await opened("chatml"), gap)


async def test_a_template_that_is_broken_says_so_when_the_model_is_loaded(tmp_path: Path) -> None:
    path = write_chat_model(tmp_path / "broken.gguf", "qwen3", THINKING + "{% for %}")
    with pytest.raises(ModelFailed, match="template"):
        await start_model(read_model("broken", path), 512, Settings())
