"""Questions answered with passages: by words, by meaning, by both, with vectors that are not there yet."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from small_library import read

from ossian.errors import CollectionNotFound, ModelFailed
from ossian.rag.fit import EVERYDAY_QUESTIONS
from ossian.rag.pieces import Chunk
from ossian.rag.search import Embedder, Findings, Passage, Search
from ossian.rag.store import Reading, Shelf

TOPICS = (("bird", "puffin", "gull"), ("ship", "ferry", "boat"), ("bread", "flour", "oven"))
ISLANDS = read("islands.md", "Puffins nest on Runde.", "The ferry leaves at nine.", "Gulls shout all day.")
KITCHEN = read("kitchen.md", "Flour and water.", "The oven is hot.")


class Meanings:
    """An embedder that knows three topics, and counts what it was asked."""

    def __init__(self, failing: bool = False, seconds: float = 0.0) -> None:
        self.asked: list[str] = []
        self.failing = failing
        self.seconds = seconds

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.failing:
            raise ModelFailed("the embedder died.")
        self.asked += texts
        await asyncio.sleep(self.seconds if len(texts) > 1 else 0)
        return [[0.1 + sum(text.lower().count(word) for word in topic) for topic in TOPICS] for text in texts]


def find(
    shelf: Shelf,
    question: str,
    meanings: Meanings | None = None,
    count: int = 10,
    collections: Sequence[str] = ("notes",),
) -> Findings:
    embedder = Embedder("topics", meanings.embed) if meanings else None
    return asyncio.run(Search(shelf, embedder).find(collections, question, count))


def texts(findings: Findings) -> list[str]:
    return [passage.text for passage in findings.passages]


def fill(shelf: Shelf) -> None:
    pending = list(shelf.pending("topics", 100).values())
    vectors = asyncio.run(Meanings().embed(pending))
    shelf.keep_vectors("topics", dict(zip(pending, vectors, strict=True)))


def test_a_passage_says_where_it_stands(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS, KITCHEN])
    findings = find(shelf, "When does the ferry leave?")
    score = findings.passages[0].score
    line = "The ferry leaves at nine."
    passage = Passage("notes", "islands.md", 2, 2, None, score, line, ISLANDS.digest)
    assert findings == Findings((passage,), "none", fits=True)


def test_meaning_finds_what_shares_no_word_with_the_question(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS, KITCHEN])
    assert find(shelf, "a boat").passages == ()
    fill(shelf)
    findings = find(shelf, "a boat", Meanings())
    assert (findings.passages[0].path, findings.meaning) == ("islands.md", "all")
    assert "The ferry leaves at nine." in findings.passages[0].text


def test_where_vectors_are_missing_the_candidates_by_words_get_theirs_and_keep_them(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS, KITCHEN])
    meanings = Meanings()
    assert find(shelf, "ferry oven", meanings).meaning == "all"
    assert meanings.asked == ["ferry oven", "The oven is hot.", "The ferry leaves at nine."]
    find(shelf, "ferry oven", meanings)
    assert meanings.asked[3:] == ["ferry oven"]


def test_no_more_candidates_are_embedded_than_is_allowed(shelf: Shelf) -> None:
    shelf.keep("notes", [read(f"{number}.md", f"bird number {number}") for number in range(40)])
    meanings = Meanings()
    search = Search(shelf, Embedder("topics", meanings.embed), late_candidates=10)
    assert asyncio.run(search.find(["notes"], "bird")).meaning == "some"
    assert len(meanings.asked) == 1 + 10


def test_an_embedder_that_is_late_or_fails_leaves_the_answer_to_words(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS, KITCHEN])
    late = Search(shelf, Embedder("topics", Meanings(seconds=60).embed), late_seconds=0.01)
    by_words = texts(find(shelf, "ferry oven"))
    assert texts(asyncio.run(late.find(["notes"], "ferry oven"))) == by_words
    assert texts(find(shelf, "ferry oven", Meanings(failing=True))) == by_words


def test_the_place_that_defines_a_name_comes_before_those_that_use_it(shelf: Shelf) -> None:
    uses = [read(f"{number}.py", f"await pool.borrow({number})  # borrow it") for number in range(5)]
    definition = read("pool.py", "async def borrow(self, name):  # lends it", context="Pool", symbols=("Pool.borrow",))
    shelf.keep("notes", [*uses, definition])
    assert find(shelf, "What does `borrow` do?").passages[0].path == "pool.py"
    shelf.keep("notes", [replace(definition, chunks=tuple(replace(each, symbols=()) for each in definition.chunks))])
    assert find(shelf, "What does `borrow` do?").passages[0].path != "pool.py"


def test_neighbours_are_one_passage_without_the_lines_they_share(shelf: Shelf) -> None:
    chunks = (Chunk("ferry one\nferry two\nboth", "", 1, 3), Chunk("both\nferry four", "", 3, 4))
    shelf.keep("notes", [Reading("a.md", 1, 1, b"", "markdown", chunks), KITCHEN])
    (passage,) = find(shelf, "ferry").passages
    assert (passage.first_line, passage.last_line, passage.page) == (1, 4, None)
    assert passage.text == "ferry one\nferry two\nboth\nferry four"


def test_neighbours_on_two_pages_stay_apart_so_that_each_names_its_own(shelf: Shelf) -> None:
    chunks = (Chunk("ferry one", "", 1, 1, page=1), Chunk("ferry two", "", 2, 2, page=2))
    shelf.keep("notes", [Reading("a.pdf", 1, 1, b"", "pdf", chunks)])
    assert sorted((passage.page, passage.text) for passage in find(shelf, "ferry").passages) == [
        (1, "ferry one"),
        (2, "ferry two"),
    ]


def test_the_same_text_in_two_files_is_one_passage(shelf: Shelf) -> None:
    shelf.keep("notes", [KITCHEN, replace(KITCHEN, path="copy.md")])
    assert len(find(shelf, "oven").passages) == 1


def test_several_collections_are_searched_together(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    shelf.keep("recipes", [KITCHEN])
    fill(shelf)
    findings = find(shelf, "ferry oven", Meanings(), collections=("notes", "recipes"))
    assert {passage.collection for passage in findings.passages} == {"notes", "recipes"}
    assert texts(find(shelf, "ferry oven", collections=("recipes",))) == ["The oven is hot."]


def test_no_more_passages_are_given_than_were_asked_for(shelf: Shelf) -> None:
    shelf.keep("notes", [read(f"{number}.md", f"bird number {number}") for number in range(40)])
    assert len(find(shelf, "bird", count=3).passages) == 3


@pytest.mark.parametrize("question", ["", "???", "the", "zebra"])
def test_a_question_without_a_fitting_word_finds_nothing(shelf: Shelf, question: str) -> None:
    shelf.keep("notes", [KITCHEN])
    findings = find(shelf, question)
    assert (findings.passages == ()) == (question != "the")
    assert findings.fits == (question == "the")


def test_a_collection_that_is_not_there_is_named(shelf: Shelf) -> None:
    with pytest.raises(CollectionNotFound, match="'books'"):
        find(shelf, "ferry", collections=("books",))


def test_an_empty_collection_answers_nothing(shelf: Shelf) -> None:
    shelf.keep("notes", [])
    assert find(shelf, "ferry", Meanings()) == Findings((), "none", fits=False)


def test_a_question_the_documents_do_not_cover_does_not_fit(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS, read("log.md", *(f"The keeper wrote entry {number}." for number in range(50)))])
    fill(shelf)
    search = Search(shelf, Embedder("topics", Meanings().embed))

    async def ask() -> list[bool]:
        await search.calibrate(["notes"])
        questions = ("Where do puffins nest?", "How is bread baked at night?", "Which colour has the sea?")
        return [(await search.find(["notes"], question)).fits for question in questions]

    assert asyncio.run(ask()) == [True, False, False]


def test_calibrating_embeds_questions_and_nothing_else(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    meanings = Meanings()
    calibration = asyncio.run(Search(shelf, Embedder("topics", meanings.embed)).calibrate(["notes"]))
    assert meanings.asked == list(EVERYDAY_QUESTIONS)
    assert calibration.cosine is None
