"""The commands beside `run`: tables for people, sentences for errors, a server that starts when it is needed."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from ossian import __version__
from ossian.cli import models
from ossian.engines.memory import GIB, total_memory


def test_without_a_command_the_commands_are_shown(tell):
    told = tell()
    assert (told.status, told.talk) == (0, "")
    assert all(command in told.data for command in ("serve", "run", "pull", "list", "ps", "show", "stop", "doctor"))


def test_the_version_is_told(tell):
    assert tell("--version").data == f"ossian version is {__version__}\n"


def test_list_is_a_table(serve, at, tell):
    at(serve().url)
    heads, *rows = tell("list").data.splitlines()
    assert heads.split() == ["NAME", "ID", "SIZE", "MODIFIED"]
    assert {row.split()[0] for row in rows} == {"fake", "plain", "embedder"}
    assert all(row.endswith("ago") for row in rows)


def test_ps_shows_what_is_loaded_and_stop_unloads_it(serve, at, tell):
    at(serve().url)
    tell("run", "fake", "Hi")
    (row,) = tell("ps").data.splitlines()[1:]
    assert " ".join(row.split()) == "fake 000000000000 0 B 100% CPU 131072 5 minutes from now"
    stopped = tell("stop", "fake")
    assert (stopped.status, stopped.data, stopped.talk) == (0, "", "")
    assert tell("ps").data.splitlines()[1:] == []


def test_show_tells_what_a_model_is_and_how_it_is_served(serve, at, tell):
    at(serve().url)
    rows = {line[2:20].strip(): line[20:] for line in tell("show", "fake").data.splitlines()}
    assert rows["architecture"] == "gpt-oss"
    assert int(rows["context served"]) <= int(rows["context trained"]) == 131_072
    assert rows["capabilities"] == "completion, tools, thinking"
    assert tell("show", "fake", "--modelfile").data.startswith("FROM fake\n")


def test_that_there_is_nothing_to_show_is_talk_and_not_data(serve, at, tell):
    at(serve().url)
    told = tell("show", "fake", "--license")
    assert (told.status, told.data, told.talk) == (0, "", "No license is set.\n")


@pytest.mark.parametrize("command", [("ps",), ("stop", "fake"), ("stop", "--server")], ids=" ".join)
def test_who_asks_only_for_what_runs_starts_no_server(tell, home, command):
    told = tell(*command)
    assert (told.status, told.data) == (1, "")
    assert told.talk.startswith("Error: no Ossian server answers at http://127.0.0.1:")
    assert not home.exists()


def test_stop_asks_which_model(tell):
    assert tell("stop").talk == "Error: which model?\nossian stop MODEL, or ossian stop --server\n"


def test_a_server_is_started_in_the_background_and_stays_until_it_is_ended(tell, home):
    first = tell("list")
    assert first.status == 0
    assert first.talk.startswith("Started a server at http://127.0.0.1:")
    assert "is running at" in (home / "server.log").read_text()
    assert tell("ps").status == 0
    assert "has ended" in tell("stop", "--server").talk
    assert tell("ps").status == 1


def test_a_server_that_does_not_start_says_why(tell, monkeypatch):
    monkeypatch.setenv("OSSIAN_HOST", "0.0.0.0:18499")
    told = tell("list")
    assert told.status == 1
    assert told.talk.startswith("Error: the server did not start. It said:\nlistening on 0.0.0.0 would let everybody")
    assert "OSSIAN_API_KEY" in told.talk


def test_a_home_that_cannot_be_written_is_told(tell, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("OSSIAN_HOME", str(tmp_path / "file" / "home"))
    told = tell("list")
    assert (told.status, told.data) == (1, "")
    assert "cannot be written" in told.talk
    assert "Set OSSIAN_HOME" in told.talk


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OSSIAN_HOST", "a b:c"), ("OSSIAN_HOST", "127.0.0.1:99999"), ("OLLAMA_KEEP_ALIVE", "soon"),
        ("OSSIAN_THREADS", "many"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["serve", "list", "doctor"])
def test_a_setting_that_cannot_be_understood_is_named(tell, monkeypatch, command, variable, value):
    monkeypatch.delenv("OSSIAN_HOST")
    monkeypatch.setenv(variable, value)
    told = tell(command)
    assert (told.status, told.data) == (1, "")
    assert told.talk.startswith(f"Error: {variable}={value} cannot be understood: ")


def test_a_script_wants_a_model_that_recites(tell):
    assert "ossian serve --fake --script FILE" in tell("serve", "--script", "replies.json").talk


def test_a_fault_of_ours_is_a_sentence_and_its_traceback_a_file(tell, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(models, "connect", lambda settings: {}["gone"])
    told = tell("list")
    (path,) = tmp_path.glob("ossian-fault-*.txt")
    assert told.status == 1
    assert told.talk == f"Error: a fault in Ossian itself, KeyError: 'gone'\nPlease report it with {path}.\n"
    assert "Traceback" in path.read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_is_a_sentence(serve, at, tell, monkeypatch):
    at(serve().url)
    with suppress(OSError), Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        told = tell("list")
    assert told.status == 1
    assert told.talk.startswith("Error: the output cannot be used: No space left on device.")


def test_doctor_finds_what_is_so(tell):
    told = tell("doctor")
    assert (told.status, told.talk) == (0, "")
    assert "is free\n" in told.data
    assert f"ok    {total_memory() / GIB:.1f} GiB of memory" in told.data.replace("so-so ", "ok    ")
    assert "engine: llama.cpp (xllamacpp)" in told.data


def test_doctor_names_who_has_the_port(serve, at, tell):
    at(serve().url)
    assert f"ok    Ossian {__version__} answers at 127.0.0.1:" in tell("doctor").data


def test_doctor_says_when_the_address_would_be_open_to_everybody(tell, monkeypatch):
    monkeypatch.setenv("OSSIAN_HOST", "0.0.0.0:18499")
    assert "no    listening on 0.0.0.0 would let everybody" in tell("doctor").data


def test_doctor_does_not_believe_in_a_server_that_is_no_program(tell, monkeypatch, tmp_path):
    (tmp_path / "llama-server").touch()
    monkeypatch.setenv("OSSIAN_LLAMA_SERVER", str(tmp_path / "llama-server"))
    assert "no    engine: llama-server at" in tell("doctor").data


@pytest.mark.parametrize("module", ["models", "run", "docs"])
def test_a_command_that_goes_over_http_does_not_wait_for_the_servers_rooms(module: str) -> None:
    code = f"import sys, ossian.cli.{module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    rooms = {name.split(".")[1] for name in loaded if name.startswith("ossian.")}
    assert not rooms & {"api", "answer", "engines", "native", "harmony", "bench"}
    assert not {"fastapi", "numpy", "nicegui", "uvicorn"} & set(loaded)
