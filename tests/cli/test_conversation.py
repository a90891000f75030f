"""`ossian run` without a question: a conversation at a terminal."""

import pytest

from ossian.chat import Message, Text, Thinking
from ossian.cli.client import Client
from ossian.cli.conversation import Conversation, Leave, obey
from ossian.cli.lines import Questions, is_unfinished, open_history, unquoted
from ossian.cli.speak import Manner
from ossian.settings import read_settings

UP, ENTER, CTRL_C, CTRL_D = "\x1b[A", "\r", "\x03", "\x04"


def test_a_conversation_remembers_what_was_said_and_not_what_was_thought(serve, at, terminal):
    server = serve([[Thinking("Hm."), Text("Hello!")], [Text("Fine.")]])
    at(server.url)
    screen = terminal("run", "fake")
    screen.expect(">>>")
    screen.type("Hi" + ENTER)
    screen.expect("Hello!")
    screen.expect(">>>")
    screen.type('"""How' + ENTER + 'are you?"""' + ENTER)
    screen.expect("Fine.")
    screen.expect(">>>")
    screen.type(CTRL_D)
    assert screen.process.wait(10) == 0
    said = [Message("user", "Hi"), Message("assistant", "Hello!"), Message("user", "How\nare you?")]
    assert [m for m in server.model.requests[-1].messages if m.role != "system"] == said


def test_neither_ctrl_c_nor_an_error_ends_the_conversation(serve, at, terminal, eventually):
    server = serve(pause=0.02)
    at(server.url)
    screen = terminal("run", "fake")
    screen.expect(">>>")
    screen.type("word " * 200 + ENTER)
    screen.expect("You said: word word")
    screen.interrupt()
    screen.expect("(stopped)")
    eventually(lambda: server.hang_ups == 1)
    screen.expect(">>>")
    screen.type(CTRL_C)
    screen.expect("Use /bye or Ctrl+D to leave.")
    screen.expect(">>>")
    screen.type("/load nosuch" + ENTER)
    screen.expect("model 'nosuch' not found")
    screen.expect(">>>")
    screen.type("/bye" + ENTER)
    assert screen.process.wait(10) == 0


def test_arrow_up_brings_the_question_of_an_earlier_day(serve, at, terminal, home):
    history = open_history(home)
    history.store_string('"""Where\nwere we?"""')
    at(serve().url)
    screen = terminal("run", "fake")
    screen.expect(">>>")
    screen.type(UP)
    screen.expect('were we?"""')
    screen.type(ENTER)
    screen.expect("You said: Where\nwere we?")
    assert (home / "history").stat().st_mode & 0o077 == 0


@pytest.fixture
def conversation(serve, at, home) -> Conversation:
    at(serve().url)
    return Conversation(Client(read_settings()), "fake", Manner(), open_history(home))


@pytest.mark.parametrize("line", ["/bye", "/exit"])
def test_there_are_two_words_for_leaving(conversation, line):
    with pytest.raises(Leave):
        obey(conversation, line)


def test_slash_commands_change_how_is_asked(conversation):
    for line in (
        "/set think high", "/set format json", "/set verbose", "/set parameter num_ctx 8192",
        '/set parameter stop ["a", "b"]', "/set parameter stop_word end here",
    ):  # fmt: skip
        obey(conversation, line)
    options = {"num_ctx": 8192, "stop": ["a", "b"], "stop_word": "end here"}
    assert conversation.manner == Manner(think="high", verbose=True, format="json", options=options)
    for line in ("/set nothink", "/set noformat", "/set quiet"):
        obey(conversation, line)
    assert conversation.manner == Manner(think=False, options=options)


def test_a_system_message_may_have_several_lines(conversation, capsys):
    obey(conversation, '/set system """Be kind.\nBe short."""')
    obey(conversation, "/show system")
    assert capsys.readouterr().out == "Be kind.\nBe short.\n"


def test_questions_can_be_kept_off_the_disk(conversation, home):
    obey(conversation, "/set nohistory")
    conversation.history.store_string("a secret")
    obey(conversation, "/set history")
    conversation.history.store_string("no secret")
    assert list(Questions(home / "history").load_history_strings()) == ["no secret"]


def test_clear_forgets_and_load_begins_anew(conversation):
    conversation.ask("Hi")
    assert len(conversation.messages) == 2
    obey(conversation, "/clear")
    assert conversation.messages == []
    conversation.ask("Hi")
    obey(conversation, "/load fake:latest")
    assert (conversation.model, conversation.messages) == ("fake:latest", [])


def test_save_makes_a_model_that_begins_where_the_conversation_is(conversation, monkeypatch):
    sent = []
    monkeypatch.setattr(Client, "post", lambda self, path, body: sent.append((path, body)))
    obey(conversation, "/set system Be kind.")
    obey(conversation, "/set parameter seed 7")
    conversation.messages = [{"role": "user", "content": "Hi"}]
    obey(conversation, "/save mine")
    assert sent == [
        (
            "/api/create",
            {
                "model": "mine",
                "from": "fake",
                "stream": False,
                "system": "Be kind.",
                "parameters": {"seed": 7},
                "messages": [{"role": "user", "content": "Hi"}],
            },
        )
    ]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        pytest.param("/?", "/set system TEXT", id="help"),
        pytest.param("/save", "/save lacks a word", id="save alone"),
        pytest.param("/set wordwrap", "The terminal wraps the lines", id="wordwrap"),
        pytest.param("/set colour red", "/set colour red is not understood. /? shows", id="unknown setting"),
        pytest.param("/set", "/set lacks a word", id="set alone"),
        pytest.param("/etc/hosts: what is it?", "A question may begin with a blank", id="unknown command"),
        pytest.param("/show license", "No license is set.", id="nothing to show"),
    ],
)
def test_nothing_is_ignored_in_silence(conversation, capsys, line, answer):
    obey(conversation, line)
    assert answer in capsys.readouterr().err


def test_every_slash_command_of_ollama_is_done_or_named_as_absent(conversation, capsys):
    obey(conversation, "/?")
    help = capsys.readouterr().err
    for word in ("parameter", "system", "history", "nohistory", "wordwrap", "format", "noformat", "verbose", "quiet"):
        assert word in help
    for word in ("think", "nothink", "/show", "/load", "/save", "/list", "/clear", "/bye"):
        assert word in help


def test_several_lines_stand_between_triple_quotes():
    assert [is_unfinished(text) for text in ('"""a', '"""a\nb"""', 'what does """ mean?', '/set system """a')] == [
        True, False, False, True,
    ]  # fmt: skip
    assert [unquoted(text) for text in ('"""\na\nb\n"""', '"""a""" ', 'a """b"""')] == ["a\nb", "a", 'a """b"""']
