"""Code at the cursor: how it is asked for, and where it ends."""

from datetime import date

import pytest

from ossian.harmony.infill import InfillCutter, render_infill
from ossian.harmony.render import opening, spell

CASES = [
    pytest.param(
        "def f(x):\n    ",
        "\n\nprint(f(2))\n",
        "return x\n\nprint(f(2))\n",
        "return x",
        id="ends before the code that follows",
    ),
    pytest.param(
        "def f(x):\n    ",
        "",
        "    return x\n```\nThat is it.",
        "return x",
        id="ends with the fence; blanks are not doubled",
    ),
    pytest.param("print(", ")\n", "1, 2)\nprint(3)\n", "1, 2", id="ends with the line, without what follows on it"),
    pytest.param("print(", ")\n", "len(x))\nprint(3)\n", "len(x)", id="what closes its own brackets stays"),
    pytest.param("print(", ")\n", "len(x)", "len(x)", id="what closes its own brackets stays, and nothing else came"),
    pytest.param("ys = [", "]\n", "xs[0]", "xs[0]", id="an index keeps its end"),
    pytest.param("x = a ", "else c\n", "or True", "or True", id="a letter of a word is no overlap"),
    pytest.param("f(", ") -> 'int':\n", "'a') -> 'int':\n", "'a'", id="quotes of its own"),
    pytest.param("x = ", " + 1\n", "2", "2", id="an answer without an end of line"),
    pytest.param("if a:\n    b()\n    ", "\n", "c()\n    d()\ne()\n", "c()\n    d()", id="ends with the block"),
    pytest.param("x = 1\n", "", "y = 2\n\nz = 3\n", "y = 2\n\nz = 3", id="blank lines within are kept, at the end not"),
    pytest.param("s = '", "'\n", "héé'", "héé", id="the closing quote"),
    pytest.param("a\n", "b\n", "", "", id="nothing"),
]


@pytest.mark.parametrize(("prefix", "suffix", "written", "shown"), CASES)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_is_shown_is_the_same_however_it_is_cut(prefix, suffix, written, shown, size):
    cutter = InfillCutter(prefix, suffix)
    pieces = [written[start : start + size] for start in range(0, len(written), size)]
    assert "".join(map(cutter.feed, pieces)) + cutter.finish() == shown


def test_the_model_goes_on_with_the_code_in_the_final_channel():
    prompt = render_infill("x", "import os\n\ndef f():\n    ", "\n# end", today=date(2026, 1, 2))
    assert opening(prompt) == "final"
    text = spell(prompt)
    assert "Complete this code at [CURSOR]:\n\n```\nimport os\n\ndef f():\n    [CURSOR]\n# end\n```" in text
    assert text.endswith("<|channel|>final<|message|>```\nimport os\n\ndef f():\n")
