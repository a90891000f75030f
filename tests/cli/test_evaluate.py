"""`ossian docs eval` at a real server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHIPS = "# How the ships sail north\n\nWith the wind.\n"
BREAD = "# How the bread is baked\n\nIn an oven.\n"
FIRST = {"mean": 100.0, "low": 100.0, "high": 100.0}
NEVER = {"mean": 0.0, "low": 0.0, "high": 0.0}
MEASURES = ["pass@1", "pass@5", "pass@10", "nDCG@10", "MRR"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "ships.md").write_text(SHIPS)
    (tmp_path / "docs" / "bread.md").write_text(BREAD)
    return tmp_path / "docs"


def put_in(server: Any, folder: Path) -> None:
    server.post("/api/library/documents/documents", {"paths": [str(folder)], "stream": False})


def write_questions(path: Path, *questions: Any) -> str:
    path.write_text("\n".join(json.dumps(question) for question in questions))
    return str(path)


def test_questions_are_made_of_headings_and_words_stand_alone(
    serve: Any, at: Callable[..., None], tell: Callable[..., Any], folder: Path
) -> None:
    server = serve(embedder="off")
    put_in(server, folder)
    at(server.url)

    told = tell("docs", "eval", "--json")

    assert told.status == 0
    assert json.loads(told.data) == {
        "questions": 2,
        "made": True,
        "pending": 0,
        "ways": {"words": dict.fromkeys(MEASURES, FIRST)},
    }
    assert "ossian pull all-minilm" in told.talk


def test_the_three_ways_stand_side_by_side(
    serve: Any, at: Callable[..., None], tell: Callable[..., Any], folder: Path, eventually: Callable[..., None]
) -> None:
    server = serve(embedder="embedder")
    put_in(server, folder)
    eventually(lambda: server.get("/api/library/documents").json()["pending"] == 0, 10.0)
    at(server.url)

    told = tell("docs", "eval")

    lines = told.data.splitlines()
    assert lines[0].split() == MEASURES
    assert [line.split()[0] for line in lines[1:]] == ["words", "meaning", "both"]
    assert "2 questions made of headings and docstrings" in told.talk


def test_a_persons_own_questions_name_a_file_or_a_line(
    serve: Any, at: Callable[..., None], tell: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    server = serve(embedder="off")
    put_in(server, folder)
    at(server.url)
    asked = write_questions(
        tmp_path / "mine.jsonl",
        {"question": "Where are ships?", "path": str(folder / "ships.md")},
        {"question": "Where is bread?", "path": "bread.md", "first_line": 3},
    )

    told = tell("docs", "eval", "--questions", asked, "--json")

    assert json.loads(told.data)["ways"]["words"]["pass@1"] == FIRST
    assert json.loads(told.data)["made"] is False


def test_a_file_that_is_not_there_counts_as_not_found_and_is_said(
    serve: Any, at: Callable[..., None], tell: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    server = serve(embedder="off")
    put_in(server, folder)
    at(server.url)
    asked = write_questions(tmp_path / "mine.jsonl", {"question": "Where are ships?", "path": "/ships.md"})

    told = tell("docs", "eval", "--questions", asked, "--json")

    assert json.loads(told.data)["ways"]["words"] == dict.fromkeys(MEASURES, NEVER)
    assert "1 of 1 questions name a file that is not in the collection" in told.talk


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("{", "mine.jsonl:1 is no JSON.", id="no JSON"),
        pytest.param('{"question": "a"}', 'mine.jsonl:1 must have "question" and "path"', id="no path"),
        pytest.param(
            '{"question": "a", "path": "b", "first_line": 0}', "first_line must be a whole number from 1", id="line 0"
        ),
    ],
)
def test_what_is_no_question_is_named_by_its_line(
    serve: Any, at: Callable[..., None], tell: Callable[..., Any], folder: Path, tmp_path: Path, line: str, said: str
) -> None:
    server = serve(embedder="off")
    put_in(server, folder)
    at(server.url)
    (tmp_path / "mine.jsonl").write_text(line)

    told = tell("docs", "eval", "--questions", str(tmp_path / "mine.jsonl"))

    assert told.status == 1
    assert said in told.talk


def test_a_collection_without_headings_wants_questions_of_yours(
    serve: Any, at: Callable[..., None], tell: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "plain.txt").write_text("Nothing but words.")
    server = serve(embedder="off")
    put_in(server, tmp_path / "plain.txt")
    at(server.url)

    told = tell("docs", "eval")

    assert (told.status, "--questions FILE" in told.talk) == (1, True)


@pytest.mark.parametrize(
    ("by", "status", "said"),
    [("words", 200, ""), ("both", 200, ""), ("meaning", 400, "ossian pull all-minilm"), ("luck", 400, "luck")],
)
def test_a_search_says_by_what(serve: Any, folder: Path, by: str, status: int, said: str) -> None:
    server = serve(embedder="off")
    put_in(server, folder)

    answer = server.post("/api/library/documents/search", {"query": "ships", "by": by})

    assert (answer.status_code, said in answer.text) == (status, True)
