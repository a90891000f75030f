"""`ossian create`, `cp`, `rm` and `push`, with real files behind a real server."""

import pytest
from huggingface_hub import constants

from ossian.chat import Message
from ossian.cli import create
from small_gguf import write_gguf

MODELFILE = '''FROM tiny
PARAMETER temperature 0.25
PARAMETER stop END
PARAMETER stop "7"
PARAMETER num_ctx 8192
SYSTEM """Be "very" brief.
Always."""
LICENSE MIT
MESSAGE user 2+2
MESSAGE assistant 4
'''
SHOWN = '''FROM tiny
PARAMETER temperature 0.25
PARAMETER stop "END"
PARAMETER stop "7"
PARAMETER num_ctx 8192
SYSTEM """Be "very" brief.
Always."""
LICENSE """MIT"""
MESSAGE user "2+2"
MESSAGE assistant "4"
'''


@pytest.fixture
def server(serve, at, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_gguf(tmp_path / "models" / "tiny.gguf")
    server = serve(models=tmp_path / "models", stored=True)
    at(server.url)
    return server


def names(tell):
    return sorted(row.split()[0] for row in tell("list").data.splitlines()[1:])


def test_a_model_is_made_from_the_modelfile_that_lies_here(server, tell, tmp_path):
    (tmp_path / "Modelfile").write_text(MODELFILE)
    told = tell("create", "mine")
    assert (told.status, told.data) == (0, "")
    assert told.talk == "using tiny\nwriting manifest\nsuccess\n"
    assert names(tell) == ["demo", "mine", "tiny"]
    assert tell("run", "mine", "3+3").data == "You said: 3+3\n"
    assert server.model.requests[-1].messages == (
        Message("system", 'Be "very" brief.\nAlways.'), Message("user", "2+2"), Message("assistant", "4"),
        Message("user", "3+3"),
    )  # fmt: skip


def test_every_side_of_a_made_model_is_shown(server, tell, tmp_path):
    (tmp_path / "Modelfile").write_text(MODELFILE)
    tell("create", "mine")
    assert tell("show", "mine", "--modelfile").data == SHOWN
    assert tell("show", "mine", "--system").data == 'Be "very" brief.\nAlways.\n'
    assert tell("show", "mine", "--license").data == "MIT\n"
    assert "temperature                    0.25\n" in tell("show", "mine", "--parameters").data
    assert tell("show", "mine", "--template").talk == "No template is set.\n"
    assert "  made from         tiny\n" in tell("show", "mine").data


def test_the_modelfile_that_is_shown_makes_the_model_again(server, tell, tmp_path):
    (tmp_path / "Modelfile").write_text(MODELFILE)
    tell("create", "mine")
    shown = tell("show", "mine", "--modelfile").data
    assert tell("create", "again", "-f", "-", piped=shown.encode()).status == 0
    assert tell("show", "again", "--modelfile").data == shown
    manifests = tmp_path / "models" / "manifests"
    assert (manifests / "mine" / "latest.json").read_text() == (manifests / "again" / "latest.json").read_text()


@pytest.mark.parametrize("word", ["./x.gguf", "x.gguf", "../there/x.gguf", "sub/../x.gguf"])
def test_a_file_is_sought_from_the_folder_of_the_modelfile(server, tell, tmp_path, word):
    path = write_gguf(tmp_path / "there" / "x.gguf")
    (tmp_path / "there" / "sub").mkdir()
    (tmp_path / "there" / "My.modelfile").write_text(f"FROM {word}\n")
    assert tell("create", "mine", "--file", "there/My.modelfile").status == 0
    assert tell("show", "mine", "--modelfile").data.startswith(f"FROM {path}\n")


def test_a_file_is_sent_to_a_server_on_another_machine_once(server, tell, tmp_path, monkeypatch):
    monkeypatch.setattr(create, "is_here", lambda host: False)
    write_gguf(tmp_path / "x.gguf")
    for name in ("mine", "ours"):
        assert tell("create", name, "-f", "-", piped=b"FROM ./x.gguf").status == 0
    (blob,) = (tmp_path / "models" / "blobs").iterdir()
    assert blob.read_bytes() == (tmp_path / "x.gguf").read_bytes()
    assert tell("run", "ours", "Hi").data == "You said: Hi\n"


def test_windows_writes_modelfiles_in_utf_16(server, tell):
    assert tell("create", "mine", "-f", "-", piped="FROM tiny\r\nSYSTEM Größe".encode("utf-16")).status == 0
    assert tell("show", "mine", "--system").data == "Größe\n"


@pytest.mark.parametrize(
    ("words", "piped", "talk"),
    [
        pytest.param(
            (), b"", "Error: Modelfile cannot be read (No such file or directory).\nossian create NAME", id="none"
        ),
        pytest.param(("-f", "-"), b"", "Error: the Modelfile has no FROM line.", id="empty"),
        pytest.param(("-f", "-"), b"\x80", "Error: - is not a text in UTF-8.", id="no text"),
        pytest.param(
            ("-f", "-"), b"FROM tiny\nADAPTER a", "Error: line 2 of the Modelfile: ADAPTER is not", id="adapter"
        ),
        pytest.param(("-f", "-"), b"FROM ./no.gguf", "Error: there is no file ", id="no file"),
        pytest.param(("-f", "-"), b"FROM nobody", "Error: model 'nobody' not found", id="unknown"),
        pytest.param(("-f", "-", "-q", "q4_0"), b"FROM tiny", "Error: quantize is not supported", id="quantize"),
        pytest.param(("-f", "-"), b"FROM tiny\nPARAMETER x 1", "Error: unknown parameter 'x'", id="parameter"),
        pytest.param(("-f", "-"), b"FROM tiny\nPARAMETER seed x", 'Error: option "seed" must be of', id="number"),
    ],
)
def test_what_cannot_be_made_is_a_sentence(server, tell, words, piped, talk):
    told = tell("create", "mine", *words, piped=piped)
    assert (told.status, told.data) == (1, "")
    assert told.talk.startswith(talk)
    assert names(tell) == ["demo", "tiny"]


def test_copy_and_remove(server, tell, tmp_path):
    assert tell("cp", "tiny", "mine").talk == "copied 'tiny' to 'mine'\n"
    assert names(tell) == ["demo", "mine", "tiny"]
    assert tell("rm", "mine", "tiny").talk == "deleted 'mine'\ndeleted 'tiny'\n"
    assert (names(tell), (tmp_path / "models" / "tiny.gguf").exists()) == (["demo"], False)


def test_what_can_be_removed_is_removed_and_the_rest_is_told(server, tell):
    told = tell("rm", "nobody", "demo", "tiny")
    assert told.status == 1
    assert told.talk.splitlines() == [
        "Error: model 'nobody' not found on this machine. Try: ossian pull nobody",
        "Error: 'demo' is not deleted: it is a part of Ossian itself and takes 9 MB.",
        "deleted 'tiny'",
    ]


def test_there_is_nowhere_to_push(tell):
    told = tell("push", "tiny")
    assert told.status == 1
    assert told.talk.startswith("Error: 'tiny' cannot be pushed: Ossian keeps models on this machine")


def test_a_conversation_is_saved_as_a_model(server, terminal):
    screen = terminal("run", "tiny")
    screen.expect(">>>")
    for line, answer in (("/set system Be kind.", "Set system"), ("Hi", "You said: Hi"), ("/save mine", "Saved as")):
        screen.type(line + "\r")
        screen.expect(answer)
        screen.expect(">>>")
    assert server.post("/api/show", {"model": "mine"}).json()["messages"] == [
        {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "You said: Hi"},
    ]  # fmt: skip
