"""What a client drops of a turn with calls is put back; what it says otherwise is its own word."""

import logging
from dataclasses import replace

import pytest

from ossian.api.recall import CallMemory, recall, remember_calls
from ossian.chat import ChatRequest, Done, Event, Events, Message, Text, Thinking, ToolCall, Usage
from ossian.store.texts import TextStore
from ossian.store.turns import Turn, TurnStore

CALL = ToolCall("call_1", "read", '{"path":  "a"}')
NEXT = ToolCall("call_2", "look", "{}")
TOKENS = (1, 2, 3)
QUESTION = Message("user", "Read a.")
RESULT = Message("tool", "It is empty.", call_id="call_1")
TURN = Message("assistant", "I read it.", "Let me look.", (CALL,), written=TOKENS)


async def say(*events: Event) -> Events:
    for event in events:
        yield event


async def remembered(*calls: ToolCall, store: TurnStore | None = None) -> CallMemory:
    memory = CallMemory(store)
    told = (Thinking("Let me "), Thinking("look."), Text("I read it."), *calls, Done("stop", Usage(), written=TOKENS))
    assert [event async for event in remember_calls(say(*told), memory, "model")] == list(told)
    return memory


async def put_back(message: Message, memory: CallMemory, model: str = "model") -> Message:
    request = ChatRequest(model, (QUESTION, message, RESULT))
    question, turn, result = (await recall(request, memory, model)).messages
    assert (question, result) == (QUESTION, RESULT)
    return turn


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(TURN, id="all of it"),
        pytest.param(replace(TURN, thinking=""), id="without the thinking"),
        pytest.param(replace(TURN, content="I read it.\n", thinking="Let me look.\n"), id="with blanks at the end"),
        pytest.param(replace(TURN, calls=(replace(CALL, arguments='{"path":"a"}'),)), id="arguments written anew"),
    ],
)
async def test_a_turn_comes_back_in_its_own_tokens(sent):
    turn = await put_back(replace(sent, written=()), await remembered(CALL))
    assert (turn.thinking.strip(), turn.calls, turn.written) == ("Let me look.", (CALL,), TOKENS)


async def test_words_before_a_call_that_are_dropped_are_no_difference():
    assert (await put_back(Message("assistant", calls=(CALL,)), await remembered(CALL))).written == TOKENS


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(Message("assistant", "Something else.", calls=(CALL,)), id="other words"),
        pytest.param(Message("assistant", "", "I thought otherwise.", (CALL,)), id="other thoughts"),
        pytest.param(Message("assistant", calls=(CALL, ToolCall("x", "look", "{}"))), id="one call more"),
        pytest.param(Message("assistant", calls=(replace(CALL, arguments='{"path": "b"}'),)), id="other arguments"),
        pytest.param(Message("assistant", calls=(replace(CALL, name="write"),)), id="another tool"),
        pytest.param(Message("assistant", calls=(replace(CALL, id="call_9"),)), id="an unknown call"),
    ],
)
async def test_what_the_client_changed_is_left_to_it(sent):
    turn = await put_back(sent, await remembered(CALL))
    assert (turn.content, turn.calls, turn.written) == (sent.content, sent.calls, ())


async def test_of_two_calls_one_alone_is_not_the_turn():
    memory = await remembered(CALL, NEXT)
    assert (await put_back(Message("assistant", calls=(CALL, NEXT)), memory)).written == TOKENS
    alone = await put_back(Message("assistant", calls=(NEXT,)), memory)
    assert (alone.thinking, alone.written) == ("Let me look.", ())


async def test_tokens_mean_nothing_to_another_model():
    sent = Message("assistant", calls=(CALL,))
    assert await put_back(sent, await remembered(CALL), "another") == sent


async def test_a_caller_who_leaves_after_the_call_still_gets_the_thinking_back():
    memory = CallMemory()
    events = remember_calls(say(Thinking("Let me look."), CALL, Done("stop", Usage())), memory, "model")
    async for event in events:
        if event == CALL:
            break
    await events.aclose()
    assert (await put_back(Message("assistant", calls=(CALL,)), memory)).thinking == "Let me look."


async def test_the_oldest_call_is_forgotten_first():
    memory = CallMemory(limit=2)
    for id in ("a", "b", "c"):
        memory.remember("model", Turn("hm", "", (replace(CALL, id=id),)))
    known = await memory.find("model", [replace(CALL, id=id) for id in ("a", "b", "c")])
    assert set(known) == {"b", "c"}


async def test_turns_outlive_the_process(tmp_path):
    store = TurnStore(TextStore(tmp_path / "calls.sqlite"))
    await remembered(CALL, store=store)
    assert (await put_back(Message("assistant", calls=(CALL,)), CallMemory(store))).written == TOKENS


async def test_a_store_that_fails_costs_no_answer(tmp_path, caplog):
    (tmp_path / "calls.sqlite").write_bytes(b"no database" * 1_000)
    store = TurnStore(TextStore(tmp_path / "calls.sqlite"))
    with caplog.at_level(logging.WARNING):
        memory = await remembered(CALL, store=store)
        assert (await put_back(Message("assistant", calls=(CALL,)), memory)).written == TOKENS
        assert (await put_back(Message("assistant", calls=(NEXT,)), memory)).thinking == ""
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "a call was not kept",
        "calls were not looked up",
    ]
