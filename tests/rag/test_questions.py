"""Questions that files answer by their own account."""

import pytest

from ossian.rag.questions import Asked, make_questions, pick

MARKDOWN = """# Ships of the north

## How to sail ##
Text.
```
# not a heading at all
```
# Short
"""
PYTHON = '''"""A module's own docstring asks nothing."""


class Ship:
    """A ship that sails north. It has masts."""

    def sail(self):
        """Sail until the wind
        ends"""

    def stop(self):
        pass
'''
RUST = """/// Sails the ship north.
/// Slowly.
fn sail() {}

/** Ends
 * the long journey. */
fn stop() {}
"""


@pytest.mark.parametrize(
    ("kind", "text", "asked"),
    [
        pytest.param("markdown", MARKDOWN, [("Ships of the north", 1), ("How to sail", 3)], id="headings"),
        pytest.param(
            "python", PYTHON, [("A ship that sails north.", 5), ("Sail until the wind ends", 8)], id="docstrings"
        ),
        pytest.param("rust", RUST, [("Sails the ship north.", 1), ("Ends the long journey.", 5)], id="comments"),
        pytest.param("python", "def broken(:", [], id="no Python"),
        pytest.param("python", "x = '\0'", [], id="a null"),
        pytest.param("text", "", [], id="nothing"),
    ],
)
def test_a_file_asks_what_it_answers(kind: str, text: str, asked: list[tuple[str, int]]) -> None:
    assert make_questions("/a", kind, text) == [Asked(question, "/a", line) for question, line in asked]


def test_some_are_picked_evenly() -> None:
    asked = [Asked(str(number), "/a") for number in range(10)]

    assert [each.question for each in pick(asked, 4)] == ["0", "2", "5", "7"]
    assert pick(asked, 10) == asked
