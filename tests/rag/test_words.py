"""Which words a text and a question are found by."""

import pytest

from ossian.rag.words import names_in, names_something, split_name, spread, terms_of


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        pytest.param("plain", (), id="a word"),
        pytest.param("readChat", ("read", "Chat"), id="camelCase"),
        pytest.param("HTTPServer", ("HTTP", "Server"), id="an abbreviation in front"),
        pytest.param("read_chat", ("readchat",), id="snake_case"),
        pytest.param("get_HTTPServer2", ("get", "HTTP", "Server", "2", "getHTTPServer2"), id="both"),
        pytest.param("__init__", (), id="underscores around"),
        pytest.param("MAX_SIZE", ("MAXSIZE",), id="a constant"),
    ],
)
def test_a_name_is_split_as_people_would(name: str, parts: tuple[str, ...]) -> None:
    assert split_name(name) == parts


def test_what_nobody_asks_for_is_left_out_of_the_index() -> None:
    assert spread(f"key = {'a1' * 51} end") == "key =   end"


def test_signs_without_spaces_are_found_two_at_a_time() -> None:
    assert spread("见使用方法。") == "见使用方法。 见使 使用 用方 方法"
    assert terms_of("使用方法") == ("使用", "用方", "方法")


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        pytest.param("What does the loadModel function do?", ("loadmodel", "function", "load", "model"), id="a name"),
        pytest.param("where is it?", ("where", "is", "it"), id="little words only"),
        pytest.param("???", (), id="no word"),
        pytest.param("", (), id="nothing"),
        pytest.param('"a" OR NEAR(b) * ^c', ("near", "b", "c"), id="signs of a query language"),
    ],
)
def test_a_question_is_searched_by_the_words_that_say_something(question: str, terms: tuple[str, ...]) -> None:
    assert terms_of(question) == terms


def test_a_very_long_question_is_searched_by_its_first_words() -> None:
    assert terms_of(" ".join(f"w{number}" for number in range(1_000))) == tuple(f"w{number}" for number in range(64))


def test_names_are_asked_for_whole_and_in_small_letters() -> None:
    assert names_in("What does `Pool.borrow_model` of x do?") == ("pool", "borrow_model")


@pytest.mark.parametrize("question", ["`poll`", "readChat", "max_size", "run()", "std::move", "HTTPServer", "a.b"])
def test_a_question_with_a_name_is_about_code(question: str) -> None:
    assert names_something(f"what is {question} for?")


@pytest.mark.parametrize("question", ["How fast is light?", "Who wrote Hamlet, and when?", "U.S. or UK"[5:]])
def test_a_question_without_one_is_not(question: str) -> None:
    assert not names_something(question)
