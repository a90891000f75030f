"""A model named by a path: whole for the server, and a sentence where there is none."""

import pytest

from ossian.cli.model_path import name_model
from ossian.errors import BadRequest
from ossian.settings import Settings


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a model, and one whose name is also a model's."""
    (tmp_path / "small.gguf").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("word", ["small.gguf", "./small.gguf", "demo/../small.gguf"])
def test_a_path_becomes_whole_because_the_server_runs_elsewhere(folder, word):
    assert name_model(word, Settings()) == str(folder / word)


@pytest.mark.parametrize("name", ["demo", "gpt-oss:20b", "openai/gpt-oss-20b", "hf.co/a/b:c.gguf"])
def test_a_name_stays_a_name(name):
    assert name_model(name, Settings()) == name


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        pytest.param("./none.gguf", "there is no file", id="missing"),
        pytest.param("none.gguf", "there is no file", id="missing, without a folder"),
        pytest.param(".", r"is a folder\. Name one: .*small\.gguf", id="folder with a model"),
        pytest.param("./demo", r"is a folder\. There is no GGUF file in it", id="empty folder"),
        pytest.param("./notes.txt", r"ends with \.gguf", id="another kind of file"),
    ],
)
def test_a_path_to_no_model_is_told_before_anything_starts(word, sentence):
    with pytest.raises(BadRequest, match=sentence):
        name_model(word, Settings())


def test_a_path_on_another_machine_is_left_to_its_server():
    assert name_model("/models/x.gguf", Settings(address=("192.0.2.1", 1))) == "/models/x.gguf"
