"""What a store of documents keeps, finds and gives back: in a real SQLite file, and in a real PostgreSQL server."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy
import pytest
from places import Library
from small_library import read

from ossian.errors import CollectionNotFound
from ossian.rag.store import Collection, KeptFile, Placed, Shelf

EAST, NORTH, UP = numpy.eye(3, dtype=numpy.float32)
ISLANDS = read("islands.md", "Puffins nest on Runde.", "The ferry leaves at nine.")
POOL = read("pool.py", "def borrowModel(): wait()", context="class ModelPool", symbols=("ModelPool.borrowModel",))


def found(shelf: Shelf, collection: str, *terms: str) -> list[tuple[str, str]]:
    places = shelf.placed([hit.place for hit in shelf.find_words(collection, terms, 10)]).values()
    return [(placed.path, placed.text) for placed in places]


def test_a_chunk_is_found_by_words_and_placed(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    (hit,) = shelf.find_words("notes", ["puffin"], 10)
    expected = Placed(
        "notes", "islands.md", ISLANDS.digest, 0, hit.chunk, "Puffins nest on Runde.", "islands.md", 1, 1, None
    )
    assert shelf.placed([hit.place]) == {hit.place: expected}


@pytest.mark.parametrize("term", ["model", "borrow", "borrowmodel", "modelpool", "pool", "waits"])
def test_a_name_is_found_whole_and_by_its_parts_in_text_and_context(shelf: Shelf, term: str) -> None:
    shelf.keep("code", [POOL])
    assert found(shelf, "code", term) == [("pool.py", "def borrowModel(): wait()")]


def test_a_word_in_the_text_counts_more_than_one_in_the_context(shelf: Shelf) -> None:
    shelf.keep("notes", [read("one.md", "bread", context="ferry"), read("two.md", "ferry", context="bread")])
    assert found(shelf, "notes", "ferry") == [("two.md", "ferry"), ("one.md", "bread")]


def test_a_file_read_again_takes_the_place_of_what_was_known(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    shelf.keep("notes", [read("islands.md", "The ferry leaves at ten.")])
    assert found(shelf, "notes", "ferry", "puffins") == [("islands.md", "The ferry leaves at ten.")]
    assert shelf.collections() == (Collection("notes", 1, 1),)


def test_a_forgotten_file_is_found_no_more(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS, POOL])
    assert shelf.forget("notes", ["islands.md", "never.md"]) == 1
    assert found(shelf, "notes", "ferry") == []
    assert [kept.path for kept in shelf.files("notes")] == ["pool.py"]
    assert shelf.find_definitions("notes", ["borrowmodel"]).keys() == {"borrowmodel"}


def test_files_are_listed_by_how_their_paths_end(shelf: Shelf) -> None:
    paths = ("/a/pool.py", "/b/pool.py", "/b/carpool.py", "/b/100%_x.py", "pool.py")
    shelf.keep("code", [read(path, f"text of {path}") for path in paths])

    def listed(ending: str) -> list[str]:
        return [kept.path for kept in shelf.files("code", ending=ending)]

    assert listed("pool.py") == ["/a/pool.py", "/b/pool.py", "pool.py"]
    assert listed("b/pool.py") == ["/b/pool.py"] == listed("/b/pool.py")
    assert listed("%_x.py") == [] and listed("100%_x.py") == ["/b/100%_x.py"]
    assert listed("") == sorted(paths)


def test_names_are_those_of_the_collections(shelf: Shelf) -> None:
    assert shelf.names() == ()
    shelf.keep("notes", [ISLANDS])
    shelf.keep("code", [])
    assert shelf.names() == ("code", "notes") == tuple(each.name for each in shelf.collections())


def test_a_forgotten_collection_is_gone_and_its_name_can_be_given_again(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    shelf.keep("other", [ISLANDS])
    assert shelf.forget("notes") == 1
    with pytest.raises(CollectionNotFound):
        shelf.files("notes")
    shelf.keep("notes", [POOL])
    assert found(shelf, "notes", "ferry", "borrow") == [("pool.py", "def borrowModel(): wait()")]
    assert found(shelf, "other", "nine") == [("islands.md", "The ferry leaves at nine.")]


def test_every_file_tells_how_far_it_is(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS, replace(read("scan.pdf"), skipped="its pages are pictures")])
    shelf.keep_vectors("mini", {"The ferry leaves at nine.": EAST})
    about = (ISLANDS.size, ISLANDS.modified, ISLANDS.digest, "text")
    assert shelf.files("notes")[0] == KeptFile("islands.md", *about, "searchable", "", 2, 0)
    islands, scan = shelf.files("notes", "mini")
    assert islands == KeptFile("islands.md", *about, "meaning pending", "", 2, 1)
    assert shelf.files("notes", "never heard of")[0].pending == 2
    assert (scan.state, scan.reason) == ("skipped", "its pages are pictures")
    shelf.keep_vectors("mini", {"Puffins nest on Runde.": NORTH})
    assert shelf.files("notes", "mini")[0].state == "searchable"


def test_a_rename_costs_no_embedding(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    shelf.keep_vectors("mini", dict.fromkeys(shelf.pending("mini", 10).values(), EAST))
    shelf.forget("notes", ["islands.md"])
    assert shelf.pending("mini", 10) == {}
    shelf.keep("notes", [replace(ISLANDS, path="places/islands.md")])
    assert shelf.pending("mini", 10) == {}
    chunks = shelf.find_meaning("notes", "mini", EAST, 10)
    assert sorted(placed.text for placed in shelf.placed(shelf.places_of("notes", chunks).values()).values()) == [
        "Puffins nest on Runde.",
        "The ferry leaves at nine.",
    ]


def test_going_to_another_branch_and_back_costs_the_embedding_of_what_is_new_there_alone(shelf: Shelf) -> None:
    main, branch = read("a.py", "one", "two", "three"), read("a.py", "one", "2", "three")
    shelf.keep("code", [main])
    shelf.keep_vectors("mini", dict.fromkeys(shelf.pending("mini", 10).values(), EAST))
    shelf.keep("code", [branch])
    assert list(shelf.pending("mini", 10).values()) == ["2"]
    shelf.keep_vectors("mini", {"2": NORTH})
    shelf.keep("code", [main])
    assert shelf.pending("mini", 10) == {}
    assert len(shelf.find_meaning("code", "mini", EAST, 10)) == 3


def test_the_same_text_in_two_files_and_two_collections_is_kept_once_with_its_vector(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS, replace(ISLANDS, path="copy.md")])
    shelf.keep("books", [ISLANDS])
    assert list(shelf.pending("mini", 10).values()) == ["Puffins nest on Runde.", "The ferry leaves at nine."]
    shelf.keep_vectors("mini", {"Puffins nest on Runde.": EAST})
    (chunk,) = shelf.find_meaning("notes", "mini", EAST, 10)
    assert shelf.find_meaning("books", "mini", EAST, 10) == {chunk: 1.0}
    shelf.forget("notes")
    assert shelf.find_meaning("books", "mini", EAST, 10) == {chunk: 1.0}


def test_vectors_that_came_went_and_came_back_are_seen_by_an_open_reader(shelf: Shelf, library: Library) -> None:
    reader = library.open()
    shelf.keep("notes", [ISLANDS])
    assert reader.find_meaning("notes", "mini", EAST, 10) == {}
    shelf.keep_vectors("mini", {"Puffins nest on Runde.": 2 * EAST, "The ferry leaves at nine.": NORTH})
    puffins, ferry = reader.find_meaning("notes", "mini", EAST, 10).items()
    assert (puffins[1], ferry[1]) == (1.0, 0.0)
    shelf.keep("notes", [read("islands.md", "The ferry leaves at nine.", "Puffins sleep.")])
    assert reader.find_meaning("notes", "mini", EAST, 10) == {ferry[0]: 0.0}
    shelf.keep("notes", [ISLANDS])
    assert sorted(reader.find_meaning("notes", "mini", EAST, 10).values()) == [0.0, 1.0]


def test_only_the_nearest_and_those_that_were_asked_about_are_given(shelf: Shelf) -> None:
    shelf.keep("notes", [read("a.md", "east", "north", "up", "nothing")])
    shelf.keep_vectors("mini", {"east": EAST, "north": NORTH, "up": UP})
    numbers = {text: number for number, text in shelf.pending("other", 10).items()}
    asked = [numbers["up"], numbers["nothing"], 99]
    assert shelf.find_meaning("notes", "mini", EAST, 1, asked) == {numbers["east"]: 1.0, numbers["up"]: 0.0}


def test_embedders_do_not_see_each_other(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    shelf.keep_vectors("mini", {"Puffins nest on Runde.": EAST})
    assert shelf.find_meaning("notes", "large", EAST, 10) == {}
    assert len(shelf.pending("large", 10)) == 2
    assert shelf.vectors_of("large", ["Puffins nest on Runde."]) == {}
    (vector,) = shelf.vectors_of("mini", ["Puffins nest on Runde.", "unknown"]).values()
    assert vector.tolist() == [1.0, 0.0, 0.0]


def test_vectors_of_another_width_are_left_out(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    shelf.keep_vectors("mini", {"Puffins nest on Runde.": EAST})
    assert list(shelf.find_meaning("notes", "mini", EAST, 10).values()) == [1.0]
    shelf.keep_vectors("mini", {"The ferry leaves at nine.": [1.0, 0.0]})
    assert list(shelf.find_meaning("notes", "mini", EAST, 10).values()) == [1.0]
    assert shelf.find_meaning("notes", "mini", numpy.ones(2, numpy.float32), 10) == {}


def test_where_vectors_are_many_they_are_sorted_into_lists_while_files_come_and_go(library: Library) -> None:
    chance = numpy.random.default_rng(0)
    shelf = library.open_with_lists(300)
    texts = [f"text {number}" for number in range(400)]
    vectors = dict(zip(texts, chance.normal(size=(400, 8)).astype(numpy.float32), strict=True))
    shelf.keep("notes", [read(f"{start}.md", *texts[start : start + 40]) for start in range(0, 400, 40)])
    shelf.keep_vectors("mini", vectors)

    def nearest(text: str) -> str:
        chunks = shelf.find_meaning("notes", "mini", vectors[text], 1)
        (placed,) = shelf.placed(shelf.places_of("notes", chunks).values()).values()
        return placed.text

    before = threading.active_count()
    assert nearest("text 7") == "text 7"
    shelf.keep("notes", [read("new.md", "new")])
    shelf.keep_vectors("mini", {"new": -vectors["text 7"]})
    vectors["new"] = -vectors["text 7"]
    while threading.active_count() > before:
        assert nearest("new") == "new"
    assert [text for text in vectors if nearest(text) != text] == []
    shelf.forget("notes", ["0.md"])
    assert nearest("text 7") != "text 7"


def test_what_is_pending_is_told_in_steps_and_of_one_collection(shelf: Shelf) -> None:
    shelf.keep("notes", [read("a.md", "one", "two", "three")])
    shelf.keep("books", [read("b.md", "four", "two")])
    (first,) = shelf.pending("mini", 1).items()
    assert first[1] == "one"
    assert list(shelf.pending("mini", 2, after=first[0]).values()) == ["two", "three"]
    assert list(shelf.pending("mini", 10, "books").values()) == ["two", "four"]


def test_vectors_of_texts_that_are_gone_for_long_are_swept(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    shelf.keep_vectors("mini", {"Puffins nest on Runde.": EAST, "The ferry leaves at nine.": EAST})
    shelf.keep("notes", [read("islands.md", "Puffins nest on Runde.")])
    assert shelf.sweep(unused_seconds=3_600) == 0
    assert shelf.sweep(unused_seconds=-1) == 1
    assert shelf.vectors_of("mini", ["Puffins nest on Runde.", "The ferry leaves at nine."]).keys() == {
        "Puffins nest on Runde."
    }


def test_a_definition_is_found_by_its_name_and_by_the_last_part_of_it(shelf: Shelf) -> None:
    shelf.keep("code", [POOL])
    definitions = shelf.find_definitions("code", ["modelpool.borrowmodel", "borrowmodel", "modelpool"])
    assert definitions.keys() == {"modelpool.borrowmodel", "borrowmodel"}
    shelf.keep("code", [read("pool.py", "nothing")])
    assert shelf.find_definitions("code", ["borrowmodel"]) == {}


def test_signs_that_mean_something_to_the_index_are_only_words(shelf: Shelf) -> None:
    shelf.keep("notes", [ISLANDS])
    shelf.keep("notes'; DROP TABLE files; --", [ISLANDS])
    assert [collection.name for collection in shelf.collections()] == ["notes", "notes'; DROP TABLE files; --"]
    assert found(shelf, "notes", "near", "and", "or", "not") == []


def test_half_a_character_is_kept_as_a_question_mark(shelf: Shelf) -> None:
    shelf.keep("notes", [read("a\ud800.md", "half \ud800 a character", symbols=("\ud800",))])
    assert found(shelf, "notes", "half") == [("a?.md", "half ? a character")]


@pytest.mark.parametrize("attempt", range(5))
def test_many_may_open_a_new_library_at_once(library: Library, attempt: int) -> None:
    with ThreadPoolExecutor(8) as threads:
        shelves = list(threads.map(lambda _: library.open(), range(8)))
        list(threads.map(lambda place: shelves[place].keep("notes", [read(f"{place}.md", f"text {place}")]), range(8)))
    assert shelves[0].collections() == (Collection("notes", 8, 8),)


def test_two_shelves_on_one_library_see_what_the_other_keeps_and_lose_nothing(library: Library) -> None:
    shelves = [library.open(), library.open()]
    vectors = {f"text {number}": EAST for number in range(20)}

    def write(whose: int) -> None:
        for number in range(whose, 20, 2):
            shelves[whose].keep("notes", [read("both.md", f"both {number}"), read(f"{number}.md", f"text {number}")])
            shelves[whose].keep_vectors("mini", vectors)
            shelves[whose].forget("notes", [f"{number - 4}.md"])

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, range(2)))
    for shelf in shelves:
        assert [kept.path for kept in shelf.files("notes")] == ["16.md", "17.md", "18.md", "19.md", "both.md"]
        assert len(shelf.find_meaning("notes", "mini", EAST, 30)) == 4
        assert len(shelf.find_words("notes", ["text"], 30)) == 4
        assert len(shelf.find_words("notes", ["both"], 30)) == 1
        assert sorted(shelf.pending("other", 30).values())[1:] == [f"text {number}" for number in range(16, 20)]
