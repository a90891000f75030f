"""Documents become chunks along what they are made of, each with its lines, its page and what stands around it."""

from pathlib import Path

import made_files
import pytest

from ossian.rag.languages import GRAMMARS
from ossian.rag.pieces import Chunk, Document
from ossian.rag.read import read_document
from ossian.rag.split import MOST_CHARACTERS, split

SENTENCE = "The keeper lights the lamp at dusk and writes the hour into the book."
PARAGRAPH = " ".join([SENTENCE] * 8)


def chunks_of(text: str, kind: str, path: str = "/home/ann/notes/lamp.md") -> list[Chunk]:
    return split(Document(Path(path), text, kind))


def test_a_short_document_is_one_chunk() -> None:
    assert chunks_of("One line.\nTwo.\n", "text") == [Chunk("One line.\nTwo.", "ann/notes/lamp.md", 1, 2)]


def test_a_chunk_stands_word_for_word_at_its_lines() -> None:
    text = "\n\n".join(f"Part {number}.\n{PARAGRAPH}" for number in range(400))
    lines = text.split("\n")
    chunks = chunks_of(text, "text")
    assert [chunk.text for chunk in chunks] == [
        "\n".join(lines[chunk.first_line - 1 : chunk.last_line]) for chunk in chunks
    ]
    assert "\n\n".join(chunk.text for chunk in chunks) == text
    assert max(len(chunk.text) for chunk in chunks) <= MOST_CHARACTERS


def test_prose_is_split_along_headings_which_are_its_context() -> None:
    text = f"# Lamps\n\n{PARAGRAPH}\n\n## Oil\n\n{PARAGRAPH}\n\n{PARAGRAPH}\n\n# Boats\n\n{PARAGRAPH}\n"
    seen = [(chunk.text.split("\n")[0][:8], chunk.context, chunk.first_line) for chunk in chunks_of(text, "markdown")]
    place = "ann/notes/lamp.md"
    assert seen == [
        ("# Lamps", place, 1),
        ("## Oil", f"{place}\nLamps", 5),
        ("The keep", f"{place}\nLamps\nOil", 9),
        ("# Boats", place, 11),
    ]


def test_what_looks_like_a_heading_in_fenced_code_is_none() -> None:
    text = f"# Lamps\n\n```sh\n# not a heading\n```\n\n{PARAGRAPH}\n\n{PARAGRAPH}"
    assert {chunk.context for chunk in chunks_of(text, "markdown")[1:]} == {"ann/notes/lamp.md\nLamps"}


def test_underlined_headings_count_in_the_order_they_appear() -> None:
    text = f"Lamps\n=====\n\n{PARAGRAPH}\n\nOil\n---\n\n{PARAGRAPH}\n\n{PARAGRAPH}"
    assert chunks_of(text, "rst")[-1].context == "ann/notes/lamp.md\nLamps\nOil"


def test_code_is_split_along_functions_with_what_encloses_them_and_what_they_define() -> None:
    body = "        total = 0\n" * 45
    said = "Burns oil and light. " * 12
    opening = f'"""Keeps the lamp."""\n\nimport os\n\n\nclass Lamp(Light):\n    """{said}"""\n'
    text = f"{opening}\n    def light(self):\n{body}\n    def put_out(self):\n{body}"
    chunks = chunks_of(text, "python", "/src/lamp.py")
    place = "src/lamp.py\nKeeps the lamp."
    assert [(chunk.context, chunk.symbols, chunk.first_line, chunk.last_line) for chunk in chunks] == [
        (place, ("Lamp",), 1, 7),
        (f"{place}\nclass Lamp(Light)", ("light",), 9, 54),
        (f"{place}\nclass Lamp(Light)", ("put_out",), 56, 101),
    ]
    assert chunks[1].text.startswith("    def light(self):\n        total = 0")


@pytest.mark.parametrize(
    ("kind", "text", "names"),
    [
        ("bash", "light() {\n echo on\n}", ["light"]),
        (
            "c",
            "struct lamp { int oil; };\nstatic char *light(int x) { return 0; }\n#define OIL 3\n",
            ["lamp", "light", "OIL"],
        ),
        ("c_sharp", "namespace Sea { class Lamp { public int Light() { return 1; } } }", ["Sea", "Lamp", "Light"]),
        ("cpp", "namespace sea {\nclass Lamp {};\nint Lamp::light() { return 1; }\n}", ["sea", "Lamp", "light"]),
        ("css", ".lamp { color: red }", ["lamp"]),
        ("go", "package sea\ntype Lamp struct{}\nfunc (l *Lamp) Light() {}\n", ["Lamp", "Light"]),
        ("haskell", "data Lamp = Lit\nlight x = x\n", ["Lamp", "light"]),
        ("java", "class Lamp { Lamp() {}\n int light() { return 1; } }", ["Lamp", "light"]),
        (
            "javascript",
            "class Lamp { light() {} }\nconst dim = () => 1\nfunction out() {}",
            ["Lamp", "light", "dim", "out"],
        ),
        ("julia", "struct Lamp\nend\nfunction light(x)\n x\nend\ndim(x) = 2\n", ["Lamp", "light", "dim"]),
        ("kotlin", "class Lamp { fun light() {} }\nobject Sea {}\n", ["Lamp", "light", "Sea"]),
        ("lua", "function lamp.light() end\nlocal function dim() end\n", ["light", "dim"]),
        ("php", "<?php\nclass Lamp { function light() {} }\nfunction dim() {}", ["Lamp", "light", "dim"]),
        ("python", "class Lamp:\n def light(self): ...\n", ["Lamp", "light"]),
        ("ruby", "module Sea\nclass Lamp\ndef light\nend\nend\nend\n", ["Sea", "Lamp", "light"]),
        ("rust", "struct Lamp;\nimpl Lamp { fn light() {} }\ntrait Glow {}\n", ["Lamp", "light", "Glow"]),
        ("scala", "class Lamp { def light = 1 }\nobject Sea {}\n", ["Lamp", "light", "Sea"]),
        ("swift", "class Lamp { func light() {} }\nprotocol Glow {}\n", ["Lamp", "light", "Glow"]),
        ("tsx", "interface Lamp { a: number }\nconst Light = () => <b/>\n", ["Lamp", "Light"]),
        ("typescript", "interface Lamp { a: number }\ntype Oil = string\nenum Sea { A }\n", ["Lamp", "Oil", "Sea"]),
    ],
)
def test_every_language_tells_what_a_chunk_defines(kind: str, text: str, names: list[str]) -> None:
    assert [name for chunk in chunks_of(text, kind) for name in chunk.symbols] == names


def test_every_grammar_was_tried_above() -> None:
    marks = test_every_language_tells_what_a_chunk_defines.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in marks[0].args[1]} == set(GRAMMARS)


def test_code_that_is_not_correct_is_split_all_the_same() -> None:
    chunks = chunks_of("class Lamp(:\n  def light(\n" * 200, "python")
    assert sum(chunk.text.count("Lamp") for chunk in chunks) == 200


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("// Lights lamps.\n// Slowly.\nfn main() {}", "Lights lamps. Slowly."),
        ("/*\n * Lights lamps.\n */\nfn main() {}", "Lights lamps."),
        ("// Copyright 2026 A. Keeper\nfn main() {}", ""),
        ("fn main() {}\n// Not leading.", ""),
    ],
)
def test_the_leading_comment_is_context_unless_it_speaks_of_rights(text: str, comment: str) -> None:
    assert chunks_of(text, "rust", "lamp.rs")[0].context == "\n".join(filter(None, ["lamp.rs", comment]))


def test_no_chunk_crosses_a_page_and_each_knows_its_own(tmp_path: Path) -> None:
    pages = [f"Page {number} marker{number}. {PARAGRAPH * (number % 3 + 1)}" for number in range(1, 8)]
    path = made_files.write_pdf(tmp_path / "book.pdf", *pages)
    document = read_document(path)
    chunks = split(document)
    assert [chunk.page for chunk in chunks if "marker" in chunk.text] == [1, 2, 3, 4, 5, 6, 7]
    lines = document.text.split("\n")
    assert all(chunk.text.split("\n")[0] in lines[chunk.first_line - 1] for chunk in chunks)


def test_words_longer_than_words_are_go_and_lines_stay() -> None:
    text = f"key\n{'QUJD' * 60}\n{'a' * 101}\nend"
    assert chunks_of(text, "text")[0] == Chunk("key\n…\n…\nend", "ann/notes/lamp.md", 1, 4)


def test_addresses_and_languages_without_spaces_are_no_such_words() -> None:
    address = "https://example.org/" + "the-lamp-of-the-keeper/" * 6
    chinese = "守灯人在黄昏时点灯。" * 20
    assert chunks_of(f"{address}\n{chinese}", "text")[0].text == f"{address}\n{chinese}"


def test_a_long_document_keeps_every_word() -> None:
    words = [f"word{number}" for number in range(60_000)]
    chunks = chunks_of(" ".join(words), "text")
    assert " ".join(chunk.text for chunk in chunks).split() == words
