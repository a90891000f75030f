"""Passages put into conversations: once, the same each time, within a budget, and none where none fit."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from small_library import read

from ossian.chat import ChatRequest, Message, ToolCall
from ossian.errors import CollectionNotFound
from ossian.rag.context import Context, Prepared
from ossian.rag.fit import EVERYDAY_QUESTIONS
from ossian.rag.given import GivenMemory
from ossian.rag.search import Search
from ossian.rag.sqlite_store import SqliteShelf
from ossian.store.texts import TextStore

ISLANDS = read("islands.md", "Puffins nest on Runde in April.", "The ferry to Runde leaves at nine.")
KITCHEN = read("kitchen.md", "Flour and water make dough.", "The oven is heated to 240 degrees.")


@pytest.fixture
def context(shelf: SqliteShelf) -> Context:
    shelf.keep("notes", [ISLANDS, KITCHEN])
    search = Search(shelf)
    asyncio.run(search.calibrate(["notes"]))
    return Context(search, GivenMemory(), tokens=500)


def prepare(put_in: Context, *messages: Message, **more: object) -> Prepared:
    request = ChatRequest("demo", messages, documents=("notes",))
    return asyncio.run(put_in.prepare(replace(request, **more)))


def user(text: str) -> Message:
    return Message("user", text)


def test_passages_stand_behind_the_question_and_are_told(context: Context) -> None:
    prepared = prepare(context, user("When does the ferry to Runde leave?"))
    (asked,) = prepared.request.messages
    assert asked.content.startswith("When does the ferry to Runde leave?\n\nAnswer only from the passages below,")
    assert [source.number for source in prepared.sources] == list(range(1, len(prepared.sources) + 1))
    assert any("The ferry to Runde leaves at nine." in source.text for source in prepared.sources)
    assert not prepared.silent


def test_later_turns_repeat_them_to_the_letter_and_add_only_what_is_new(context: Context) -> None:
    first = prepare(context, user("When does the ferry to Runde leave?"))
    told = Message("assistant", "At nine [[1]](file:///islands.md#L1).")
    second = prepare(context, user("When does the ferry to Runde leave?"), told, user("How hot is the oven?"))
    assert second.request.messages[0] == first.request.messages[0]
    assert second.request.messages[1].content == "At nine [1]."
    numbers = [source.number for source in second.sources]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > len(first.sources)
    texts = [source.text for source in second.sources]
    assert len(set(texts)) == len(texts)


def test_a_follow_up_on_the_same_passages_adds_nothing(context: Context) -> None:
    question = user("When does the ferry to Runde leave?")
    first = prepare(context, question)
    second = prepare(context, question, Message("assistant", "At nine."), user("And is it the ferry to Runde?"))
    assert second.sources == first.sources
    assert second.request.messages[-1].content == "And is it the ferry to Runde?"
    assert not second.silent


def test_a_restart_changes_nothing(context: Context, tmp_path: Path) -> None:
    store = TextStore(tmp_path / "passages.sqlite")
    question = user("When does the ferry to Runde leave?")
    first = prepare(replace(context, memory=GivenMemory(store)), question)
    context.search.shelf.forget("notes", ["islands.md"])
    later = prepare(
        replace(context, memory=GivenMemory(store)), question, Message("assistant", "Nine."), user("Thanks.")
    )
    assert later.request.messages[0] == first.request.messages[0]


def test_amid_tool_calls_nothing_is_searched_anew(context: Context) -> None:
    question = user("When does the ferry to Runde leave?")
    first = prepare(context, question)
    call = Message("assistant", calls=(ToolCall("1", "look", "{}"),))
    context.search.shelf.forget("notes", ["islands.md"])
    second = prepare(context, question, call, Message("tool", "nothing", call_id="1"))
    assert second.request.messages[0] == first.request.messages[0]
    assert second.sources == first.sources


@pytest.mark.parametrize("question", EVERYDAY_QUESTIONS[:6])
def test_what_the_documents_do_not_cover_gets_no_passages(context: Context, question: str) -> None:
    prepared = prepare(context, user(question))
    assert prepared.silent and prepared.sources == ()
    assert prepared.request.messages == (user(question),)


def test_the_budget_and_the_context_bound_them(context: Context) -> None:
    question = user("When does the ferry to Runde leave, and where do puffins nest?")
    assert len(prepare(context, question).sources) >= 1
    assert prepare(replace(context, tokens=10), question).sources == ()
    assert prepare(context, question, context=60).sources == ()


def test_an_editor_wraps_the_question(context: Context) -> None:
    wrapped = "<context>Bread is baked.</context>\n<userRequest>\nWhen does the ferry leave?\n</userRequest>"
    prepared = prepare(context, user("<workspace_info>flour</workspace_info>"), user(wrapped))
    assert any("ferry" in source.text for source in prepared.sources)


def test_a_file_that_has_changed_is_marked(shelf: SqliteShelf, tmp_path: Path) -> None:
    path = tmp_path / "islands.md"
    path.write_text("The ferry to Runde leaves at nine.")
    shelf.keep("notes", [replace(ISLANDS, path=str(path)), KITCHEN])
    prepared = prepare(Context(Search(shelf), GivenMemory(), 500), user("When does the ferry to Runde leave?"))
    assert {source.changed for source in prepared.sources if source.path == str(path)} == {True}


def test_a_collection_that_is_not_there_is_an_error(context: Context) -> None:
    with pytest.raises(CollectionNotFound):
        asyncio.run(context.prepare(ChatRequest("demo", (user("Hi"),), documents=("nothing",))))
