"""Settings: one table of variables, Ollama's names understood, errors that name the variable."""

from dataclasses import fields
from pathlib import Path

import pytest

from ossian.errors import SettingInvalid
from ossian.settings import VARIABLES, Settings, read_address, read_duration, read_settings

# What each variable is set to here, and what it means then.
EXAMPLES = {
    "OSSIAN_HOST": ("0.0.0.0:8080", ("0.0.0.0", 8080)),
    "OSSIAN_MODELS": ("/models", Path("/models")),
    "OSSIAN_HOME": ("/home/me", Path("/home/me")),
    "OSSIAN_LIBRARY": ("postgresql://box/team", "postgresql://box/team"),
    "OSSIAN_API_KEY": ("secret", "secret"),
    "OSSIAN_ADMIN_KEY": ("secret", "secret"),
    "OSSIAN_ORIGINS": ("https://a, https://b,", ("https://a", "https://b")),
    "OSSIAN_HOSTS": ("box.lan", ("box.lan",)),
    "OSSIAN_KEEP_ALIVE": ("1h30m", 5400.0),
    "OSSIAN_CONTEXT_LENGTH": ("8192", 8192),
    "OSSIAN_MAX_QUEUE": ("8", 8),
    "OSSIAN_MAX_LOADED_MODELS": ("2", 2),
    "OSSIAN_NUM_PARALLEL": ("4", 4),
    "OSSIAN_LOAD_TIMEOUT": ("10m", 600.0),
    "OSSIAN_THREADS": ("6", 6),
    "OSSIAN_ENGINE": ("llama.cpp", "llama.cpp"),
    "OSSIAN_CACHE_BYTES": ("0", 0),
    "OSSIAN_PROMPT_ORDER": ("official", "official"),
    "OSSIAN_SPECULATION": ("off", "off"),
    "OSSIAN_LLAMA_SERVER": ("~/llama-server", Path.home() / "llama-server"),
    "OSSIAN_MAX_BODY": ("1024", 1024),
    "OSSIAN_EMBEDDER": ("off", "off"),
    "OSSIAN_EMBEDDER_KEY": ("secret", "secret"),
    "OSSIAN_PASSAGE_TOKENS": ("800", 800),
    "OSSIAN_WORKFLOW": ("off", False),
}
NAMES = [pytest.param(variable, name, id=name) for variable in VARIABLES for name in variable.names]


def test_every_field_has_a_variable_and_every_variable_an_example_here():
    assert {variable.field for variable in VARIABLES} == {field.name for field in fields(Settings)}
    assert {variable.names[0] for variable in VARIABLES} == set(EXAMPLES)


@pytest.mark.parametrize(("variable", "name"), NAMES)
def test_a_variable_is_read(variable, name):
    text, value = EXAMPLES[variable.names[0]]
    assert getattr(read_settings({name: f' "{text}" '}), variable.field) == value


def test_our_name_wins_over_ollama_s_and_an_empty_one_counts_for_nothing():
    both = {"OSSIAN_HOST": ":1", "OLLAMA_HOST": ":2"}
    assert read_settings(both).address[1] == 1
    assert read_settings(both | {"OSSIAN_HOST": " "}).address[1] == 2
    assert read_settings({"OSSIAN_HOST": "", "PATH": "/bin"}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("OSSIAN_HOST", "a:b:c", "write 127.0.0.1:11434"),
        ("OLLAMA_HOST", "localhost:70000", "port 70000 does not exist"),
        ("OSSIAN_KEEP_ALIVE", "soon", "write 300, 5m, 1h30m or -1"),
        ("OLLAMA_LOAD_TIMEOUT", "5 minutes", "not a duration"),
        ("OSSIAN_THREADS", "many", "not a whole number"),
        ("OSSIAN_PROMPT_ORDER", "any", "not one of cache, official"),
        ("OLLAMA_MAX_QUEUE", "-1", "not a whole number"),
        ("OSSIAN_ENGINE", "Native", "not one of auto, native, llama.cpp"),
        ("OSSIAN_CACHE_BYTES", "10 GB", "not a whole number"),
        ("OSSIAN_PROMPT_ORDER", "mine", "not one of cache, official"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_variable(name, text, sentence):
    with pytest.raises(SettingInvalid, match=f"^{name}={text} cannot be understood: .*{sentence}"):
        read_settings({name: text})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", ("127.0.0.1", 11434)), ("http://127.0.0.1", ("127.0.0.1", 80)), ("https://a", ("a", 443)),
        ("http://a:1234/path", ("a", 1234)), (":8080", ("127.0.0.1", 8080)), ("a:", ("a", 11434)),
        ("[::1]:1", ("::1", 1)), ("::", ("::", 11434)),
    ],
)  # fmt: skip
def test_an_address_is_read_as_ollama_reads_it(text, address):
    assert read_address(text) == address


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("-1", -1), ("1.5", 1.5), (300, 300), ("500ms", 0.5), ("1h2m3s", 3723), ("-5m", -300), ("+1s", 1)],
)
def test_a_duration_is_read_as_go_reads_it(text, seconds):
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 m", "5x", "1h-2m", "--1"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="not a duration"):
        read_duration(text)


def test_models_lie_in_the_home_unless_they_are_elsewhere():
    assert read_settings({"OSSIAN_HOME": "/h"}).models == Path("/h/models")
    assert read_settings({"OSSIAN_HOME": "/h", "OSSIAN_MODELS": "/m"}).models == Path("/m")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("0.0.0.0", 1), "http://127.0.0.1:1"), (("::", 1), "http://127.0.0.1:1"), (("::1", 1), "http://[::1]:1"),
        (("box.lan", 80), "http://box.lan:80"),
    ],
)  # fmt: skip
def test_the_url_is_one_that_can_be_called(address, url):
    assert Settings(address=address).url == url
