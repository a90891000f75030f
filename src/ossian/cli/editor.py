"""`ossian editor`: sets VS Code up for Ossian, shows the change before it makes it, and takes it back."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ossian.cli.client import connect
from ossian.cli.editor_changes import SETTINGS, Group, custom_group, ollama_group
from ossian.cli.editor_extension import EXTENSION_ID, install, is_installed, remove
from ossian.cli.editor_folders import Editor, find_editors, this_machine
from ossian.cli.editor_plan import Step, Wanted, can_install, plan, plan_undo
from ossian.cli.editor_record import Record, delete_record, read_record, write_record, write_text
from ossian.cli.terminal import err, is_terminal, out, settings_of, talk
from ossian.errors import BadRequest, OssianError, SettingInvalid
from ossian.settings import Settings, read_address

EXTENSION_URL = "ossian.url"
USUAL_URL = "http://127.0.0.1:11434"
PACKAGE = Path(__file__).parents[3] / "editor/vscode/ossian.vsix"
COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def editor_command(
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Annotated[str, typer.Option(help="The address of the server.")] = "",
    effort: Annotated[bool, typer.Option("--effort", help="Offer a choice of thinking effort.")] = False,
    folder: Annotated[Path | None, typer.Option(help="The folder with VS Code's settings.json.")] = None,
    vsix: Annotated[Path, typer.Option(help="The extension to install.")] = PACKAGE,
    as_json: Annotated[bool, typer.Option("--json", help="Tell it as JSON.")] = False,
) -> None:
    """Set VS Code up for Ossian, or take that back."""
    settings = at_address(settings_of(), url)
    known = read_record(settings.home)
    record = known or Record()
    if undo:
        steps, wanted = plan_undo(known), Wanted({}, {}, record.programs)
    else:
        editors = choose_editors(folder)
        choose_without = partial(choose, editors, settings, url or settings.url, effort, vsix)
        wanted = choose_without(())
        steps = plan(editors, wanted, record)
    show(steps, wanted, undo, as_json)
    has_work = bool(steps or wanted.programs or undo)
    done = has_work and not dry_run and is_agreed(steps, wanted, yes, as_json)
    if done and undo:
        take_all_back(steps, record, settings)
    elif done:
        record, refused = install_all(wanted, record, settings)
        if refused:  # then VS Code's own provider leads to the server
            wanted = choose_without(refused)
            steps = plan(editors, wanted, record)
            show(steps, replace(wanted, programs=()), undo, as_json)
        make(steps, record, settings)
    if as_json:
        out.print_json(json.dumps(write_result(steps, wanted, done)))
    elif done:
        talk("Taken back." if undo else "Done. In VS Code: Developer: Reload Window, then choose a model in the chat.")


def at_address(settings: Settings, url: str) -> Settings:
    """The settings with another server."""
    if url and not url.startswith(("http://", "https://")):
        raise BadRequest(f"{url} is not an address.", f"Write it as {USUAL_URL}")
    try:
        return replace(settings, address=read_address(url)) if url else settings
    except ValueError as error:
        raise SettingInvalid(f"--url: {error}") from error


def choose_editors(folder: Path | None) -> list[Editor]:
    """Those that are here, or the one a person names. Raises OssianError where there is none."""
    if folder is not None:
        if not folder.is_dir():
            raise BadRequest(f"{folder} is not a folder.", "Name the one that holds VS Code's settings.json.")
        return [Editor("VS Code", folder.absolute())]
    editors = find_editors(this_machine())
    if not editors:
        raise OssianError("no VS Code was found.", "Start it once, or name its folder: ossian editor --folder …/User")
    return editors


def choose(
    editors: Sequence[Editor], settings: Settings, url: str, effort: bool, vsix: Path, refused: Collection[str]
) -> Wanted:
    """What VS Code is to have: Ossian's extension where it can be installed, else a provider of VS Code's own.

    refused   programs that were asked to install it, and failed
    """
    if vsix != PACKAGE and not vsix.is_file():
        raise BadRequest(f"there is no file {vsix}.")
    url = url.rstrip("/")
    able = [editor.program for editor in editors if can_install(editor)] if vsix.is_file() and not effort else []
    programs = tuple(program for program in dict.fromkeys(able) if program not in refused)
    more = {EXTENSION_URL: url} if programs and url != USUAL_URL else {}
    is_needed = any(editor.program not in programs for editor in editors)
    group = choose_group(settings, url, effort) if is_needed else {}
    return Wanted(group, {**SETTINGS, **more}, programs, vsix)


def choose_group(settings: Settings, url: str, effort: bool) -> Group:
    """The group of models. VS Code's Ollama provider sends no key, and knows nothing of effort."""
    if not (effort or settings.api_key):
        return ollama_group(url)
    group = custom_group(url, connect(settings).get("/api/tags")["models"])
    if not group["models"]:
        raise OssianError("there is no model yet.", "Try: ossian pull gpt-oss:20b")
    if settings.api_key:
        talk("The server wants a key. VS Code keeps it: in the chat's model picker Manage Models…, Ossian.")
    return group


def show(steps: Sequence[Step], wanted: Wanted, undo: bool, as_json: bool) -> None:
    """The change, before it is made."""
    if as_json:
        return
    for line in (line for step in steps for line in step.diff):
        err.print(line, style=COLOURS.get(line[:1], ""), markup=False, soft_wrap=True)
    for program in wanted.programs:
        talk(f"{'remove from' if undo else 'install into'} {program}: {EXTENSION_ID}")
    if not steps and not wanted.programs:
        talk("Nothing to change: VS Code is " + ("as it was." if undo else "set up for Ossian."))


def is_agreed(steps: Sequence[Step], wanted: Wanted, yes: bool, as_json: bool) -> bool:
    """Whether the change is wanted. Where nobody can be asked it must have been said."""
    if yes or not (steps or wanted.programs):
        return True
    if as_json or not is_terminal():
        raise BadRequest("nothing was changed, because nobody can be asked.", "Add --yes, or --dry-run to look only.")
    return typer.confirm("Make this change?", default=True, err=True)


def install_all(wanted: Wanted, record: Record, settings: Settings) -> tuple[Record, Collection[str]]:
    """Give the programs the extension: the record with those that had it not before, and those that refused it.

    One that has it and cannot bring it up to date keeps what it has.
    """
    assert wanted.package is not None
    new = [program for program in wanted.programs if not is_installed(program)]
    write_record(settings.home, replace(record, programs=tuple(dict.fromkeys((*record.programs, *new)))))
    failed = [program for program in wanted.programs if not install(program, wanted.package)]
    refused = {program for program in new if program in failed}
    kept = (*record.programs, *(program for program in new if program not in refused))
    return replace(record, programs=tuple(dict.fromkeys(kept))), refused


def make(steps: Sequence[Step], record: Record, settings: Settings) -> None:
    """Change the files; the record of how they were comes first."""
    changed = {change.path: change for change in (*record.changes, *(step.change for step in steps))}
    write_record(settings.home, replace(record, changes=tuple(changed.values())))
    for step in steps:
        write_text(step.path, step.then)


def take_all_back(steps: Sequence[Step], record: Record, settings: Settings) -> None:
    for step in steps:
        write_text(step.path, step.then)
    for program in record.programs:
        remove(program)
    delete_record(settings.home)


def write_result(steps: Sequence[Step], wanted: Wanted, done: bool) -> dict[str, Any]:
    return {
        "done": done,
        "files": [{"path": str(step.path), "diff": step.diff} for step in steps],
        "programs": list(wanted.programs),
    }
