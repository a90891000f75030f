"""`ossian editor`: real files, changed and put back to the letter."""

import json
from pathlib import Path

import pytest

from ossian.cli.editor_folders import Machine, all_editors, find_editors
from ossian.cli.jsonc import parse

MODELS = "chatLanguageModels.json"
SETTINGS = "settings.json"
MINE = """{
  // letters
  "editor.fontSize": 14, // not 13
  "files.autoSave": "off",
}
"""
OTHERS = '[\n\t{"vendor": "ollama", "name": "Old", "url": "http://192.168.1.9:11434"}\n]\n'


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a VS Code that was started once, in the home of somebody who has nothing else."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    folder = tmp_path / ".config/Code/User"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def program(tmp_path):
    """A `code` that notes what it is told, may fail to install, and may have extensions already."""

    def write(status: int = 0, has: str = "") -> Path:
        path, told = tmp_path / "bin/code", tmp_path / "told"
        path.parent.mkdir(exist_ok=True)
        lists = f'if [ "$1" = --list-extensions ]; then echo "{has}"; exit; fi'
        path.write_text(f'#!/bin/sh\n{lists}\necho "$@" >> {told}\necho no room >&2\nexit {status}\n')
        path.chmod(0o755)
        return told

    return write


@pytest.fixture
def vsix(tmp_path):
    path = tmp_path / "ossian.vsix"
    path.touch()
    return str(path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read(path: Path):
    return parse(path.read_text()).value


URL = "http://127.0.0.1:11434"
GROUP = {"vendor": "ollama", "name": "Ossian", "url": URL}


def test_an_editor_without_files_is_set_up_and_put_back(tell, user):
    done = tell("editor", "--yes", "--url", URL)
    assert done.status == 0, done.talk
    assert read(user / MODELS) == [GROUP]
    assert read(user / SETTINGS) == {"chat.byokUtilityModelDefault": "mainAgent"}
    assert tell("editor", "--undo", "--yes").status == 0
    assert contents(user) == {}


@pytest.mark.parametrize(
    ("settings", "models"),
    [
        pytest.param(MINE, OTHERS, id="with comments"),
        pytest.param(MINE.replace("\n", "\r\n"), OTHERS.replace("\n", "\r\n"), id="Windows"),
        pytest.param("", "", id="empty"),
        pytest.param("{}", "[]", id="nothing in them"),
        pytest.param('\ufeff{"chat.byokUtilityModelDefault": "none"} // chosen', "[ /* none */ ]", id="chosen before"),
    ],
)
def test_files_are_put_back_to_the_letter(tell, user, settings, models):
    (user / SETTINGS).write_bytes(settings.encode())
    (user / MODELS).write_bytes(models.encode())
    before = contents(user)
    tell("editor", "--yes", "--url", URL)
    assert read(user / SETTINGS)["chat.byokUtilityModelDefault"] == "mainAgent"
    assert read(user / MODELS)[-1] == GROUP
    for comment in ("// letters", "// not 13", "// chosen"):
        assert (comment in settings) == (comment in (user / SETTINGS).read_text())
    tell("editor", "--yes", "--url", "http://127.0.0.1:5000/")  # once more, with another address
    assert read(user / MODELS)[-1] == {**GROUP, "url": "http://127.0.0.1:5000"}
    assert tell("editor", "--undo", "--yes").status == 0
    assert contents(user) == before


def test_what_was_changed_since_is_kept(tell, user):
    (user / SETTINGS).write_text(MINE)
    (user / MODELS).write_text(OTHERS)
    tell("editor", "--yes", "--url", URL)
    with (user / SETTINGS).open("r+") as file:
        text = file.read().replace('"off"', '"afterDelay"').replace("// not 13", "// not 12")
        file.seek(0)
        file.write(text)
    groups = read(user / MODELS)
    (user / MODELS).write_text(json.dumps([*groups, {"vendor": "x", "name": "Later"}], indent=4))
    assert tell("editor", "--undo", "--yes").status == 0
    assert (user / SETTINGS).read_text() == MINE.replace('"off"', '"afterDelay"').replace("not 13", "not 12")
    assert read(user / MODELS) == [*parse(OTHERS).value, {"vendor": "x", "name": "Later"}]


def test_what_was_changed_of_ours_stays_as_the_person_has_it(tell, user):
    tell("editor", "--yes", "--url", URL)
    (user / SETTINGS).write_text('{"chat.byokUtilityModelDefault": "none"}')
    (user / MODELS).write_text(json.dumps([{**GROUP, "name": "My own"}]))
    before = contents(user)
    assert tell("editor", "--undo", "--yes").status == 0
    assert contents(user) == before


def test_what_was_deleted_since_stays_away(tell, user):
    tell("editor", "--yes", "--url", URL)
    (user / SETTINGS).unlink()
    (user / MODELS).write_text("[]")
    assert tell("editor", "--undo", "--yes").status == 0
    assert contents(user) == {}


def test_the_change_is_shown_and_not_made(tell, user):
    told = tell("editor", "--dry-run", "--url", URL)
    assert told.status == 0
    assert '+        "vendor": "ollama",' in told.talk
    assert '+    "chat.byokUtilityModelDefault": "mainAgent"' in told.talk
    assert contents(user) == {}


def test_nobody_who_can_be_asked_means_no(tell, user):
    told = tell("editor", "--url", URL)
    assert (told.status, "Add --yes" in told.talk) == (1, True)
    assert contents(user) == {}


def test_a_person_is_asked(terminal, user):
    asked = terminal("editor", "--url", URL)
    asked.expect("Make this change?")
    asked.type("n\n")
    asked.process.wait(10)
    assert contents(user) == {}
    asked = terminal("editor", "--url", URL)
    asked.expect("Make this change?")
    asked.type("\n")
    asked.expect("Developer: Reload Window")
    assert read(user / MODELS) == [GROUP]


def test_a_second_time_there_is_nothing_to_change(tell, user):
    tell("editor", "--yes", "--url", URL)
    again = tell("editor", "--url", URL)
    assert (again.status, again.talk) == (0, "Nothing to change: VS Code is set up for Ossian.\n")
    assert tell("editor", "--undo").status == 1
    assert contents(user).keys() == {MODELS, SETTINGS}


@pytest.mark.parametrize("url", [URL, "http://localhost:11434/"])
def test_a_group_that_leads_there_already_is_enough(tell, user, url):
    (user / MODELS).write_text(json.dumps([{"vendor": "ollama", "name": "Ollama", "url": url}]))
    before = contents(user)
    tell("editor", "--yes", "--url", URL)
    assert (user / MODELS).read_bytes() == before[MODELS]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        pytest.param(SETTINGS, '{\n "a": 1\n "b": 2}', "line 3: a comma or } was expected.", id="broken"),
        pytest.param(SETTINGS, "[]", "line 1: an object of settings was expected.", id="a list of settings"),
        pytest.param(MODELS, "{}", "line 1: an array of groups was expected.", id="no list of groups"),
    ],
)
def test_what_cannot_be_understood_is_left_alone(tell, user, name, text, words):
    (user / name).write_text(text)
    told = tell("editor", "--yes", "--url", URL)
    assert (told.status, f"{name}, {words}" in told.talk, "Nothing was changed." in told.talk) == (1, True, True)
    assert contents(user) == {name: text.encode()}


def test_a_file_that_is_no_text_is_left_alone(tell, user):
    (user / SETTINGS).write_bytes(b"\xff\xfe{\x00}\x00")
    told = tell("editor", "--yes", "--url", URL)
    assert (told.status, "is not a text in UTF-8" in told.talk) == (1, True)


def test_a_link_stays_one_and_rights_stay(tell, user, tmp_path):
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    real.chmod(0o640)
    (user / SETTINGS).symlink_to(real)
    tell("editor", "--yes", "--url", URL)
    assert (user / SETTINGS).is_symlink()
    assert (read(real), real.stat().st_mode & 0o777) == ({"chat.byokUtilityModelDefault": "mainAgent"}, 0o640)


def test_effort_makes_a_custom_endpoint_of_the_models_there_are(serve, at, tell, user):
    server = serve()
    at(server.url)
    assert tell("editor", "--yes", "--effort").status == 0
    (group,) = read(user / MODELS)
    fake = next(model for model in group["models"] if model["id"] == "fake")
    shown = server.post("/api/show", {"model": "fake"}).json()
    assert fake.pop("maxInputTokens") + fake["maxOutputTokens"] == shown["context_length"]
    assert fake == {
        "id": "fake",
        "name": "fake",
        "url": f"{server.url}/v1",
        "toolCalling": True,
        "vision": False,
        "thinking": True,
        "supportsReasoningEffort": ["low", "medium", "high"],
        "maxOutputTokens": shown["max_output_tokens"],
    }
    assert [model["id"] for model in group["models"]] == ["fake", "plain"]


def test_a_server_with_a_key_needs_a_custom_endpoint(serve, at, tell, user, monkeypatch):
    at(serve(api_key="secret").url)
    monkeypatch.setenv("OSSIAN_API_KEY", "secret")
    told = tell("editor", "--yes")
    assert (told.status, "VS Code keeps it" in told.talk) == (0, True)
    assert read(user / MODELS)[0]["vendor"] == "customendpoint"
    assert "secret" not in (user / MODELS).read_text()


def test_the_extension_is_installed_where_code_is_there_and_removed(tell, user, program, vsix):
    told = program()
    assert tell("editor", "--yes", "--vsix", vsix, "--url", "http://127.0.0.1:5000").status == 0
    assert read(user / MODELS) == [{"vendor": "ossian", "name": "Ossian"}]
    assert read(user / SETTINGS)["ossian.url"] == "http://127.0.0.1:5000"
    assert tell("editor", "--undo", "--yes").status == 0
    assert told.read_text().splitlines() == [
        f"--install-extension {vsix} --force", "--uninstall-extension ossian.ossian",
    ]  # fmt: skip
    assert contents(user) == {}


def test_where_the_extension_cannot_be_installed_the_editors_own_provider_leads_there(tell, user, program, vsix):
    told = program(status=3)
    done = tell("editor", "--yes", "--vsix", vsix, "--url", URL)
    assert (done.status, "code --install-extension failed: no room" in done.talk) == (0, True)
    assert '"vendor": "ollama"' in done.talk
    assert read(user / MODELS) == [GROUP]
    told.unlink()
    assert tell("editor", "--undo", "--yes").status == 0
    assert contents(user) == {}
    assert not told.exists()


def test_an_extension_that_was_there_before_is_not_removed(tell, user, program, vsix):
    told = program(has="some.other Ossian.ossian")
    assert tell("editor", "--yes", "--vsix", vsix, "--url", URL).status == 0
    assert tell("editor", "--undo", "--yes").status == 0
    assert told.read_text().splitlines() == [f"--install-extension {vsix} --force"]


def test_it_is_told_as_json(tell, user):
    told = tell("editor", "--dry-run", "--json", "--url", URL)
    result = json.loads(told.data)
    assert (result["done"], result["programs"]) == (False, [])
    assert [Path(file["path"]).name for file in result["files"]] == [MODELS, SETTINGS]
    assert json.loads(tell("editor", "--yes", "--json", "--url", URL).data)["done"] is True
    assert json.loads(tell("editor", "--undo", "--yes", "--json").data)["done"] is True


def test_a_folder_can_be_named(tell, user, tmp_path):
    other = tmp_path / "data/User"
    other.mkdir(parents=True)
    tell("editor", "--yes", "--url", URL, "--folder", str(other))
    assert (read(other / MODELS), contents(user)) == ([GROUP], {})
    assert "is not a folder" in tell("editor", "--folder", str(tmp_path / "none")).talk


def test_sentences_for_what_cannot_be_done(tell, user):
    assert "nothing was changed by `ossian editor`" in tell("editor", "--undo", "--yes").talk
    assert "is not an address" in tell("editor", "--url", "localhost").talk
    assert "there is no file" in tell("editor", "--vsix", "none.vsix", "--yes").talk
    user.rmdir()
    assert "no VS Code was found" in tell("editor", "--yes").talk


def test_a_damaged_record_is_not_guessed_at(tell, user, home):
    home.mkdir()
    (home / "editor.json").write_text("{")
    told = tell("editor", "--undo", "--yes")
    assert (told.status, "is damaged" in told.talk) == (1, True)


@pytest.mark.parametrize(
    ("system", "folder"),
    [
        ("linux", ".config/Code/User"),
        ("linux", ".config/VSCodium/User"),
        ("linux", ".config/Code - Insiders/User"),
        ("linux", ".local/share/code-server/User"),
        ("linux", ".var/app/com.visualstudio.code/config/Code/User"),
        ("darwin", "Library/Application Support/Code/User"),
        ("win32", "AppData/Roaming/Code - Insiders/User"),
        ("linux", ".vscode-server/data/Machine"),
    ],
)
def test_every_build_is_found_where_it_is(tmp_path, system, folder):
    (tmp_path / folder).mkdir(parents=True)
    assert [editor.folder for editor in find_editors(Machine(system, tmp_path, {}))] == [tmp_path / folder]


def test_wsl_has_the_editors_of_windows_as_well(tmp_path):
    ann, public = tmp_path / "Users/Ann/AppData/Roaming/Code/User", tmp_path / "Users/Public/AppData/Roaming/Code/User"
    for folder in (ann, public, tmp_path / "home/.vscode-server/data/Machine"):
        folder.mkdir(parents=True)
    found = find_editors(Machine("linux", tmp_path / "home", {}, tmp_path / "Users"))
    assert [(editor.name, editor.settings_only) for editor in found] == [
        ("VS Code on Windows", False),
        ("VS Code Server", True),
    ]


def test_folders_that_variables_name_come_first(tmp_path):
    config = tmp_path / "elsewhere"
    folders = {editor.folder for editor in all_editors(Machine("linux", tmp_path, {"XDG_CONFIG_HOME": str(config)}))}
    assert config / "Code/User" in folders
    assert not any(folder.is_relative_to(tmp_path / ".config") for folder in folders)


def test_a_file_that_cannot_be_read_is_a_sentence(tell, user):
    (user / SETTINGS).mkdir()
    told = tell("editor", "--yes", "--url", URL)
    assert (told.status, told.talk) == (1, f"Error: {user / SETTINGS} cannot be used: Is a directory.\n")
    assert [path.name for path in user.iterdir()] == [SETTINGS]
