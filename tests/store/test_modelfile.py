"""Modelfiles as people write them, and as we write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossian.errors import BadRequest
from ossian.store.modelfile import TRIPLE, Modelfile, read_modelfile, write_modelfile

WHOLE = '''# a comment
FROM gpt-oss:20b

PARAMETER temperature 0.7
parameter stop "<|user|>"
PARAMETER stop  end here
Parameter\tnum_ctx\t8192
SYSTEM """
You are kind.

# not a comment
"Really."
"""
TEMPLATE "{{ .Prompt }}"
LICENSE MIT
LICENSE """two
lines"""
MESSAGE user Why is the sky "blue"?
MESSAGE assistant """Rayleigh.
It scatters."""
  # the end'''


def test_every_word_of_a_modelfile_is_read():
    assert read_modelfile(WHOLE) == Modelfile(
        base="gpt-oss:20b",
        parameters=(("temperature", "0.7"), ("stop", "<|user|>"), ("stop", "end here"), ("num_ctx", "8192")),
        template="{{ .Prompt }}",
        system='\nYou are kind.\n\n# not a comment\n"Really."\n',
        licenses=("MIT", "two\nlines"),
        messages=(("user", 'Why is the sky "blue"?'), ("assistant", "Rayleigh.\nIt scatters.")),
    )


def test_windows_ends_its_lines_otherwise_and_begins_with_a_mark():
    assert read_modelfile("\ufeff" + WHOLE.replace("\n", "\r\n")) == read_modelfile(WHOLE)


@pytest.mark.parametrize(
    ("line", "system"),
    [
        pytest.param('SYSTEM "quoted"', "quoted", id="quoted"),
        pytest.param('SYSTEM "two\nlines"', "two\nlines", id="one quote over two lines"),
        pytest.param('SYSTEM """one line"""', "one line", id="triple quotes on one line"),
        pytest.param('SYSTEM """ends blank"""  ', "ends blank", id="blanks behind the quotes"),
        pytest.param('SYSTEM """a """ inside"""', 'a """ inside', id="three quotes inside a line"),
        pytest.param('SYSTEM say "hi"', 'say "hi"', id="quotes inside"),
        pytest.param("SYSTEM   many blanks   ", "many blanks", id="blanks around"),
        pytest.param('SYSTEM ""', "", id="nothing"),
        pytest.param("SYSTEM first\nSYSTEM second", "second", id="the last one counts"),
        pytest.param("SYSTEM text # no comment", "text # no comment", id="a hash in the text"),
    ],
)
def test_a_text_goes_as_far_as_its_quotes(line, system):
    assert read_modelfile(f"FROM demo\n{line}").system == system


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "the Modelfile has no FROM line", id="empty"),
        pytest.param("SYSTEM hi", "the Modelfile has no FROM line", id="without FROM"),
        pytest.param("FROM a\nFROM b", "line 2 of the Modelfile: a second FROM", id="two of them"),
        pytest.param("FROM", "line 1 of the Modelfile: FROM lacks its value", id="nothing behind FROM"),
        pytest.param("FROM a\n\nSYS b", 'line 3 of the Modelfile: "SYS" is not one of FROM, PARAMETER', id="no word"),
        pytest.param("FROM a\nPARAMETER stop", "line 2 of the Modelfile: PARAMETER stop lacks", id="no value"),
        pytest.param("FROM a\nMESSAGE user", "line 2 of the Modelfile: MESSAGE user lacks", id="no message"),
        pytest.param("FROM a\nMESSAGE king Hi", 'must be one of system, user, assistant, not "king"', id="no role"),
        pytest.param('FROM a\nSYSTEM """b\nc', 'line 2 of the Modelfile: the """ opened here', id="open triple"),
        pytest.param('FROM a\nSYSTEM "b" c', 'line 2 of the Modelfile: the " opened here', id="open quote"),
        pytest.param("FROM a\nADAPTER ./lora", "line 2 of the Modelfile: ADAPTER is not supported", id="adapter"),
        pytest.param("FROM a\nRENDERER x", "RENDERER is not supported: gpt-oss is always asked", id="renderer"),
        pytest.param("FROM a\nPARSER x", "PARSER is not supported: gpt-oss is always asked", id="parser"),
        pytest.param("FROM a\nREQUIRES 0.14", "REQUIRES is not supported", id="requires"),
        pytest.param("FROM a\nDRAFT b", "DRAFT is not supported", id="draft"),
        pytest.param("\0", "is not one of FROM", id="a NUL"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_line(text, words):
    with pytest.raises(BadRequest) as refused:
        read_modelfile(text)
    assert words in str(refused.value)


TEXT = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])).filter(
    lambda text: not any(line.rstrip().endswith(TRIPLE) for line in text.split("\n")[:-1])
)
WORD = st.text("abcdefgh_", min_size=1)


@given(
    parameters=st.lists(st.tuples(WORD, TEXT)).map(tuple),
    system=TEXT,
    licenses=st.lists(TEXT.filter(bool)).map(tuple),
    messages=st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), TEXT)).map(tuple),
)
def test_what_is_written_is_read_back(parameters, system, licenses, messages):
    whole = Modelfile("demo", parameters, "", system, licenses, messages)
    assert read_modelfile(write_modelfile(whole)) == whole


@given(st.text())
def test_no_text_is_a_crash(text):
    with suppress(BadRequest):
        read_modelfile(text)


def test_numbers_are_written_bare_and_texts_in_quotes():
    made = Modelfile("demo", (("temperature", 0.5), ("seed", 1), ("stop", "a\nb"), ("stop", '"')), system='x """')
    assert write_modelfile(made) == (
        'FROM demo\nPARAMETER temperature 0.5\nPARAMETER seed 1\nPARAMETER stop """a\nb"""\n'
        'PARAMETER stop """""""\nSYSTEM """x """"""\n'
    )


def test_three_quotes_that_would_end_the_text_get_a_dot():
    assert read_modelfile(write_modelfile(Modelfile("demo", system='a """\nb'))).system == 'a """.\nb'
