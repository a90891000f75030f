"""`ossian run` with a question: the answer to stdout, everything else to stderr, errors as sentences."""

import signal
import sys

import pytest

from ossian.chat import Done, Text, Thinking, Usage
from ossian.cli.speak import Shown

LONG = "word " * 2000


def test_piped_text_stands_before_the_question_and_only_the_answer_comes_out(serve, at, tell):
    at(serve().url)
    told = tell("run", "fake", "What", "is this?", piped=b"A text.\n")
    assert (told.status, told.data, told.talk) == (0, "You said: A text.\nWhat is this?\n", "")


def test_bytes_that_are_no_text_are_asked_as_well_as_they_can_be(serve, at, tell):
    at(serve().url)
    told = tell("run", "fake", "caf\udce9", piped=b"\xff\xfe")
    assert (told.status, told.data) == (0, "You said: \ufffd\ufffd\ncaf\ufffd\n")


def test_thinking_is_dim_on_a_terminal_and_no_answer_can_steer_it(serve, at, terminal):
    at(serve([[Thinking("Hm."), Text("Yes.\x1b[2J")]]).url)
    screen = terminal("run", "fake", "Is it?")
    screen.expect("Hm.")
    screen.expect("Yes.[2J")
    assert screen.process.wait(10) == 0
    assert "\x1b[2;3mHm.\x1b[0m" in screen.raw


@pytest.mark.parametrize("shown", [True, False], ids=["shown", "hidden"])
def test_thinking_can_be_hidden(capsys, monkeypatch, shown):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Shown(shown) as screen:
        screen.show("thinking", "Hm.")
        screen.show("content", "Yes.")
    said = capsys.readouterr()
    assert said.out == "Yes.\n"
    assert ("Hm." in said.err) is shown


def test_verbose_tells_what_the_cache_saved(serve, at, tell):
    done = Done("stop", Usage(120, 100, 30, 1.0, 1.0, 1.0, 3.0))
    at(serve([[Text("Yes."), done]]).url)
    told = tell("run", "fake", "Is it?", "--verbose")
    assert told.data == "Yes.\n"
    assert told.talk.splitlines()[1:] == [
        "read  120 tokens, 100 of them from the cache, 20 at 20.0 tokens/s",
        "wrote 30 tokens at 30.0 tokens/s",
    ]


def test_options_reach_the_model(serve, at, tell):
    server = serve()
    at(server.url)
    assert tell("run", "fake", "Hi", "--think", "High", "--format", "json", "--keepalive", "-1").status == 0
    (request,) = server.model.requests
    assert (request.reasoning, request.format, request.keep_alive) == ("high", "json", -1.0)


def test_what_the_server_refuses_is_its_sentence(serve, at, tell):
    at(serve().url)
    told = tell("run", "nosuch", "Hi")
    assert (told.status, told.data) == (1, "")
    assert told.talk == "Error: model 'nosuch' not found on this machine. Try: ossian pull nosuch\n"


def test_without_a_question_and_a_terminal_it_says_how_to_ask(tell):
    told = tell("run", "fake")
    assert told.status == 1
    assert told.talk.startswith("Error: there is no question.\nWrite one: ossian run")


def test_a_missing_key_is_told_with_its_variable(serve, at, tell, monkeypatch):
    at(serve(api_key="secret").url)
    told = tell("run", "fake", "Hi")
    assert told.status == 1
    assert "OSSIAN_API_KEY" in told.talk
    monkeypatch.setenv("OSSIAN_API_KEY", "secret")
    assert tell("run", "fake", "Hi").data == "You said: Hi\n"


def test_a_server_elsewhere_is_not_started_here(tell, monkeypatch, home):
    monkeypatch.setenv("OSSIAN_HOST", "ossian.invalid:11434")
    told = tell("run", "fake", "Hi")
    assert (told.status, told.data) == (1, "")
    assert told.talk.startswith("Error: no Ossian server answers at http://ossian.invalid:11434.")
    assert not (home / "server.log").exists()


def test_a_server_that_goes_away_ends_the_answer_with_a_sentence(at, start, home):
    server = start("serve", "--fake", "--pause", "0.02")
    assert "is running" in server.stderr.readline()
    asking = start("run", "fake", LONG)
    assert asking.stdout.read(9) == "You said:"
    server.kill()
    rest, talk = asking.communicate(timeout=10)
    assert asking.returncode == 1
    assert rest.endswith("\n")
    assert talk.startswith("Error: the server at http://127.0.0.1:")
    assert "went away in the middle of the answer" in talk


def test_ctrl_c_stops_the_model_and_the_command(serve, at, start, eventually):
    server = serve(pause=0.02)
    at(server.url)
    asking = start("run", "fake", LONG)
    asking.stdout.read(9)
    asking.send_signal(signal.SIGINT)
    _, talk = asking.communicate(timeout=10)
    assert (asking.returncode, talk) == (130, "(stopped)\n")
    eventually(lambda: server.hang_ups == 1)


def test_a_reader_who_leaves_stops_the_model_without_a_word(serve, at, start, eventually):
    server = serve(pause=0.005)
    at(server.url)
    asking = start("run", "fake", LONG)
    asking.stdout.read(9)
    asking.stdout.close()
    assert asking.wait(10) == 1
    assert asking.stderr.read() == ""
    eventually(lambda: server.hang_ups == 1)
