"""Files of each format become text: its words, its headings, its pages; what cannot be read says why."""

import mailbox
from pathlib import Path
from random import Random

import made_files
import pytest
from made_files import message, paragraph, shape

from ossian.errors import Unreadable
from ossian.rag.pieces import Document
from ossian.rag.read import find_pages_without_text, read_document


def text_of(path: Path, data: bytes | str) -> str:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_document(path).text


def refusal(path: Path, data: bytes | str | None = None) -> str:
    if data is not None:
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(Unreadable) as caught:
        read_document(path)
    return caught.value.message


def make(path: Path) -> Path:
    """A file of the format that its name says, with a few words in it."""
    match path.suffix:
        case ".pdf":
            return made_files.write_pdf(path, "Words.")
        case ".docx":
            return made_files.write_word(path, paragraph("Words."))
        case ".pptx":
            return made_files.write_powerpoint(path, {"slide1.xml": shape("Words.")})
        case ".xlsx":
            return made_files.write_excel(path, "Sheet", '<row r="1"><c r="A1"><v>7</v></c></row>')
        case ".epub":
            return made_files.write_epub(path, {"a": "<p>Words.</p>"})
        case ".ipynb":
            return made_files.write_notebook(path, {"cell_type": "markdown", "source": "Words."})
        case ".eml":
            path.write_bytes(message("Words", "Words.", "<p>Words.</p>", "words.pdf").as_bytes())
        case _:
            path.write_text("<h1>Words</h1><table><tr><td>and<td>more</table><pre>x</pre>")
    return path


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("naïve — 書\n".encode(), id="UTF-8"),
        pytest.param("naïve — 書\n".encode("utf-8-sig"), id="UTF-8 with its mark"),
        pytest.param("naïve — 書\n".encode("utf-16"), id="UTF-16 with its mark"),
        pytest.param(b"\xfe\xff" + "naïve — 書\n".encode("utf-16-be"), id="UTF-16, the other way round"),
        pytest.param("naïve — 書\n".encode("utf-32"), id="UTF-32 with its mark"),
    ],
)
def test_text_in_any_unicode(tmp_path: Path, data: bytes) -> None:
    assert text_of(tmp_path / "a.txt", data) == "naïve — 書\n"


def test_utf16_without_a_mark_latin1_and_windows_quotes(tmp_path: Path) -> None:
    assert text_of(tmp_path / "a.txt", "plain words".encode("utf-16-le")) == "plain words"
    assert text_of(tmp_path / "b.txt", "naïve".encode("latin-1")) == "naïve"
    assert text_of(tmp_path / "c.txt", "“so”".encode("cp1252")) == "“so”"


def test_a_lying_mark_costs_signs_not_the_file(tmp_path: Path) -> None:
    assert text_of(tmp_path / "a.txt", b"\xff\xfea\0b\0c") == "ab�"
    assert text_of(tmp_path / "b.txt", b"\xef\xbb\xbffine \xff here") == "fine � here"


def test_lines_end_in_one_way_and_signs_that_are_no_text_go(tmp_path: Path) -> None:
    assert text_of(tmp_path / "a.txt", b"one\r\ntwo\rthree\x07\x00\n") == "one\ntwo\nthree\n"


def test_code_keeps_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "main.rs"
    path.write_text("fn main() {}\n")
    assert read_document(path) == Document(path, "fn main() {}\n", "rust")


def test_a_pdf_has_its_pages(tmp_path: Path) -> None:
    path = made_files.write_pdf(tmp_path / "book.pdf", "The first page.", "The second page.")
    assert read_document(path) == Document(path, "The first page.\n\nThe second page.", "pdf", (0, 17))


def test_pages_without_text_are_named(tmp_path: Path) -> None:
    path = made_files.write_pdf(tmp_path / "scan.pdf", "", "Words.", "", "", "", "Words.")
    assert str(find_pages_without_text(read_document(path))) == "pages 1, 3-5 have no text (scanned?)"
    path = made_files.write_pdf(tmp_path / "one.pdf", "Words.", "")
    assert str(find_pages_without_text(read_document(path))) == "page 2 has no text (scanned?)"
    path = made_files.write_pdf(tmp_path / "all.pdf", "Words.")
    assert find_pages_without_text(read_document(path)) is None


def test_a_pdf_of_pictures_only_cannot_be_read(tmp_path: Path) -> None:
    path = made_files.write_pdf(tmp_path / "scan.pdf", "", "")
    assert refusal(path) == "none of its 2 pages has text (scanned?)"


def test_an_encrypted_pdf_says_so_and_one_locked_against_changes_is_read(tmp_path: Path) -> None:
    locked = made_files.write_pdf(tmp_path / "locked.pdf", "Secret.", password="open sesame")
    assert refusal(locked) == "encrypted: it wants a password"
    assert read_document(made_files.write_pdf(tmp_path / "kept.pdf", "Public.", password="")).text == "Public."


def test_word_gives_headings_lists_tables_and_notes(tmp_path: Path) -> None:
    styles = '<w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>'
    item = "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>An item</w:t><w:tab/><w:t>of two</w:t></w:r></w:p>"
    row = f"<w:tr><w:tc>{paragraph('a')}{paragraph('b')}</w:tc><w:tc>{paragraph('c')}</w:tc></w:tr>"
    body = paragraph("Tides &amp; winds", "berschrift2") + paragraph("Words.") + item + f"<w:tbl>{row}{row}</w:tbl>"
    notes = f"<w:footnotes {made_files.WORD}>{paragraph('A note.')}</w:footnotes>"
    path = made_files.write_word(tmp_path / "a.docx", body, styles, footnotes=notes)
    expected = "## Tides & winds\n\nWords.\n\n- An item\tof two\n\n| a b | c |\n| a b | c |\n\nA note."
    assert read_document(path) == Document(path, expected, "word")


def test_powerpoint_gives_slides_as_they_are_shown(tmp_path: Path) -> None:
    slides = {
        "slide2.xml": shape("Shown first", place="title") + shape("One", "Two") + shape("7", place="sldNum"),
        "slide1.xml": shape("Shown second"),
    }
    path = made_files.write_powerpoint(tmp_path / "a.pptx", slides)
    assert read_document(path) == Document(path, "# Shown first\n\nOne\n\nTwo\n\nShown second", "powerpoint", (0, 25))


def test_excel_gives_sheets_and_rows(tmp_path: Path) -> None:
    name = '<c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c>'
    rows = (
        f'<row r="1">{name.format(1, "Port")}</row><row r="2">{name.format(2, "Bergen")}<c r="B2"><v>12</v></c></row>'
    )
    path = made_files.write_excel(tmp_path / "a.xlsx", "Tides", rows)
    assert read_document(path) == Document(path, "# Tides\n\nPort\nBergen | 12", "excel")


def test_html_gives_what_a_person_would_read(tmp_path: Path) -> None:
    page = """<html><head><title>Tides</title><style>p{}</style><script>if (a<b) run()</script></head><body>
    <h2>High &amp; low</h2><p>Twice <b>a</b>
    day.</p><ul><li>ebb<li>flow</ul><table><tr><td>a</td><td>b</td></tr></table><pre>x = 1
  y</pre></body></html>"""
    expected = "Tides\n\n## High & low\n\nTwice a day.\n\n- ebb\n- flow\n\na | b\n\n```\nx = 1\n  y\n```"
    assert text_of(tmp_path / "a.html", page) == expected


def test_html_is_believed_of_its_encoding_where_that_can_be_true(tmp_path: Path) -> None:
    head = b'<meta http-equiv="Content-Type" content="text/html; charset=%s"><p>'
    assert text_of(tmp_path / "a.html", head % b"iso-8859-2" + "Łódź".encode("iso-8859-2")) == "Łódź"
    assert text_of(tmp_path / "b.html", head % b"ascii" + "Łódź".encode()) == "Łódź"
    assert text_of(tmp_path / "c.html", head % b"no-such" + "Łódź".encode()) == "Łódź"


def test_a_book_has_its_chapters_in_order(tmp_path: Path) -> None:
    chapters = {"z": "<h1>One</h1><p>It began.</p>", "a": "<h1>Two</h1><p>It ended.</p>"}
    path = made_files.write_epub(tmp_path / "a.epub", chapters)
    assert read_document(path) == Document(path, "# One\n\nIt began.\n\n# Two\n\nIt ended.", "epub")


def test_a_notebook_gives_cells_and_what_they_printed(tmp_path: Path) -> None:
    code = {"cell_type": "code", "source": ["1 +\n", " 1"], "outputs": [{"data": {"text/plain": "2"}}, {"data": {}}]}
    path = made_files.write_notebook(tmp_path / "a.ipynb", {"cell_type": "markdown", "source": "# Sums"}, code)
    assert read_document(path) == Document(path, "# Sums\n\n```python\n1 +\n 1\n```\n\n```\n2\n```", "notebook")


def test_mail_gives_subject_people_words_and_the_names_of_attachments(tmp_path: Path) -> None:
    mail = message("Ferry", "It leaves at nine.\n", "<p>other</p>", attachment="plan.pdf")
    expected = "# Ferry\nFrom: ann@example.org\nTo: bob@example.org\nAttachments: plan.pdf\n\nIt leaves at nine.\n"
    assert text_of(tmp_path / "a.eml", mail.as_bytes()) == expected
    only_html = message("Ferry", html="<p>It leaves <b>at nine</b>.</p>")
    assert text_of(tmp_path / "b.eml", only_html.as_bytes()).endswith("\n\nIt leaves at nine.")


def test_a_box_of_mail_gives_each_message(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "a.mbox")
    for subject in ("One", "Two"):
        box.add(message(subject, "From here on.\n"))
    box.close()
    text = read_document(tmp_path / "a.mbox").text
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# One", "# Two"]


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.epub", "a.ipynb"])
def test_what_is_not_what_its_name_says_is_told(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name, "just words").startswith("damaged, or not what its name says")


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.pptx", "a.epub"])
def test_a_file_that_was_cut_off_is_told(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / name)
    data = path.read_bytes()
    assert "damaged" in refusal(path, data[: len(data) // 2])


def test_an_encrypted_office_file_is_told(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path / "a.docx", b"\xd0\xcf\x11\xe0" + b"\0" * 600) == "encrypted, or in the format of before 2007"
    )


def test_xml_that_declares_entities_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><w:document/>'
    path = made_files.write_package(tmp_path / "a.docx", {"word/document.xml": bomb})
    assert refusal(path) == "word/document.xml declares entities, as an XML bomb does"


def test_a_package_that_lacks_its_parts_is_told(tmp_path: Path) -> None:
    path = made_files.write_package(tmp_path / "a.docx", {"other.xml": "<a/>"})
    assert refusal(path) == "damaged: it has no word/document.xml"


def test_a_file_without_words_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.txt", " \n\n ") == "it holds no text"
    assert refusal(made_files.write_word(tmp_path / "a.docx", "")) == "it holds no text"


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.txt") == "no such file or directory"


def test_a_pdf_whose_pages_lead_round_is_bounded(tmp_path: Path) -> None:
    pages = b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9>>"
    assert refusal(tmp_path / "a.pdf", made_files.raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", pages))


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.epub", "a.ipynb", "a.eml", "a.html"])
def test_damage_anywhere_is_read_or_refused_and_nothing_else(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / name)
    data, chance = path.read_bytes(), Random(1)
    for _ in range(60):
        damaged = bytearray(data)
        for place in chance.sample(range(len(data)), 3):
            damaged[place] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            assert read_document(path).text.strip()
        except Unreadable as error:
            assert error.message
