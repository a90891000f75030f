"""The tree of errors that the docstring draws is the tree of errors there is."""

import inspect
import re

import pytest

from ossian import errors
from ossian.errors import (
    ContextTooLong,
    ModelNotFound,
    NotSupported,
    OssianError,
    PortTaken,
    ServerBusy,
    ServerUnreachable,
    SettingInvalid,
)

LINE = re.compile(r"^([│ ├└─]*)(\w+) +(\d{3}|-|status)  ", re.MULTILINE)
FOR_THE_COMMAND_LINE = {SettingInvalid, PortTaken, ServerUnreachable}  # no door answers with these
BRANCH = 4


def drawn() -> dict[str, tuple[str, str]]:
    """Of each class in the drawing, what it descends from and its status."""
    above: list[str] = []
    tree = {}
    for branches, name, status in LINE.findall(errors.__doc__):
        depth = len(branches) // BRANCH
        above = [*above[:depth], name]
        tree[name] = (above[-2] if depth else "Exception", status)
    return tree


CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


def test_the_drawing_names_every_class_and_no_other():
    assert set(drawn()) == {kind.__name__ for kind in CLASSES}


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not OssianError], ids=lambda kind: kind.__name__)
def test_a_class_stands_where_it_is_drawn_with_its_status(kind):
    parent, status = drawn()[kind.__name__]
    assert kind.__bases__[0].__name__ == parent
    assert status == ("-" if kind in FOR_THE_COMMAND_LINE else str(kind.status))


def test_an_error_is_a_sentence_and_what_to_do():
    error = OssianError("it broke.", "Mend it.")
    assert (str(error), error.message, error.hint) == ("it broke. Mend it.", "it broke.", "Mend it.")
    assert str(OssianError("it broke.")) == "it broke."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ContextTooLong(200_000, 65_536), ("200000", "65536", "OSSIAN_CONTEXT_LENGTH")),
        (NotSupported("demo", "images"), ('"demo" does not support images',)),
        (ModelNotFound("gpt-oss:20b"), ("model 'gpt-oss:20b' not found", "ossian pull gpt-oss:20b")),
        (ServerBusy(7), ("server busy", "7", "OSSIAN_MAX_QUEUE")),
        (ServerUnreachable("http://127.0.0.1:1"), ("http://127.0.0.1:1", "ossian serve")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_person_needs_to_know_is_in_it(error, words):
    for word in words:
        assert word in str(error)
