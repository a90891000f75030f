"""Citations: what was given becomes a link, what was not goes, code stays, whatever the pieces the answer comes in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossian.chat import Source
from ossian.rag.cite import Citer, link_to, read_said, write_given, write_silence, write_sources
from ossian.rag.given import Given

SOURCES = [Source(number, "notes", f"/n/{number}.py", number, number + 3, None, "text") for number in (1, 2, 3)]
ONE, TWO, THREE = (f"[[{n}]](file:///n/{n}.py#L{n})" for n in (1, 2, 3))
PIECES = st.lists(
    st.sampled_from(
        [
            "[1]",
            "[[1]]",
            "[[9]]",
            "(file:///b#L1)",
            "[x](file:///a)",
            "[9]",
            " [2, 3]",
            "【1†L2】",
            "word",
            " ",
            "\n",
            "`",
            "```",
            "~~~",
            "[",
            "]",
            "(x)",
            "[0]",
            "1",
        ]
    ),
    max_size=20,
)


def cite(text: str, size: int = 1_000) -> str:
    citer = Citer(SOURCES)
    return "".join(citer.feed(text[at : at + size]) for at in range(0, len(text), size)) + citer.finish()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Yes [1]. No [9].", f"Yes {ONE}. No."),
        ("Both [1, 2] and [2-3].", f"Both {ONE}{TWO} and {TWO}{THREE}."),
        ("As trained 【2†L3-L4】, and 【7】.", f"As trained {TWO}, and."),
        ("[1][2]", f"{ONE}{TWO}"),
        ("[1](https://elsewhere.example) [9](file:///etc/passwd)", ONE),
        ("`a[1]`, scores[0], scores[9]", "`a[1]`, scores[0], scores[9]"),
        ("```python\nb[1]\n```\n[3]", f"```python\nb[1]\n```\n{THREE}"),
        ("~~~\n[1]\n~~~\n[1]", f"~~~\n[1]\n~~~\n{ONE}"),
        ("a tick ` alone [1]\n[2]", f"a tick ` alone [1]\n{TWO}"),
        ("[a] [1", "[a] [1"),
        ("[[1]](file:///wrong#L9), [[9]](file:///etc/passwd#L3).", f"{ONE},."),
        (
            "See [the notes](file:///a/b.md#L99) and [x](https://a.example).",
            "See [the notes]  and [x](https://a.example).",
        ),
        ("[[1, 2], [30, 4]]", f"[{ONE}{TWO},]"),
        ("ends with blanks  ", "ends with blanks  "),
    ],
)
def test_what_is_said_of_what_was_written(written: str, said: str) -> None:
    for size in (1, 2, 3, 1_000):
        assert cite(written, size) == said


@given(PIECES, st.integers(1, 7))
def test_pieces_make_no_difference_and_no_link_leads_elsewhere(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    said = cite(text, size)
    assert said == cite(text)
    if not {"`", "```", "~~~"} & set(pieces):  # code is left as it is
        assert set(re.findall(r"\[\[\d+\]\]\([^)]*\)", said)) <= {ONE, TWO, THREE}
        links = re.findall(r"(?:\[[^\[\]\n]*\]|\[\[[^\[\]\n]*\]\])\((file:[^)]*)\)", said)
        assert set(links) <= {link_to(source) for source in SOURCES}


def test_an_earlier_answer_is_read_as_it_was_written() -> None:
    cited = [Source(1, "notes", "/n/1.py", 1, 4, None, "text", cited=True)]
    said = write_silence(["a", "b"]) + cite("Yes [1]. Also [2].") + write_sources(cited)
    assert said.startswith("*The documents (a, b) do not cover this")
    assert said.endswith("**Sources**\n\n- [1] [/n/1.py:1](file:///n/1.py#L1)")
    assert read_said(said) == "Yes [1]. Also [2]."


def test_a_changed_file_is_marked_and_read_back_all_the_same() -> None:
    changed = Source(4, "books", "/b/a b.pdf", 9, 30, 12, "text", changed=True)
    citer = Citer([changed])
    said = citer.feed("See [4]. ") + citer.finish()
    assert said == 'See [[4]](file:///b/a%20b.pdf#page=12 "the file has changed since it was read"). '
    assert read_said(said) == "See [4]. "
    assert citer.cited == {4}


def test_passages_stand_under_their_numbers() -> None:
    block = write_given(Given((SOURCES[0], Source(2, "books", "/b.pdf", 1, 9, 3, "On page three."))))
    assert block.endswith("Passages:\n[1] /n/1.py:1\ntext\n\n[2] /b.pdf, page 3\nOn page three.")
    assert write_given(Given(covers=False)) == ""
