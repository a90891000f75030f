"""What `ossian editor` would do to which files. Reads them, and changes nothing."""

import difflib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ossian.cli.editor_changes import Change, Group, extension_group, take_back, with_group, with_settings
from ossian.cli.editor_folders import MODELS_FILE, SETTINGS_FILE, Editor
from ossian.cli.editor_record import Record, read_text
from ossian.cli.jsonc import NotJson
from ossian.errors import BadRequest, OssianError


@dataclass(frozen=True, slots=True)
class Wanted:
    """What VS Code is to have. `programs` are those that are given the extension, and `package` is its file.

    group   of models, where the extension is not: that has its own
    """

    group: Group
    settings: Mapping[str, Any]
    programs: tuple[str, ...] = ()
    package: Path | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One file: what it says now and what it is to say; None: no file. `change` is what the record keeps of it."""

    path: Path
    now: str | None
    then: str | None
    change: Change

    @property
    def diff(self) -> list[str]:
        """The change line by line; empty where there is none."""
        old, new = ((text or "").splitlines() for text in (self.now, self.then))
        was, will = (str(self.path) if text is not None else "no file" for text in (self.now, self.then))
        return list(difflib.unified_diff(old, new, was, will, lineterm=""))


def plan(editors: Sequence[Editor], wanted: Wanted, record: Record) -> list[Step]:
    """Every file that is not yet as it should be. Raises OssianError for one that cannot be understood."""
    steps = []
    for editor in editors:
        for name, change in ways_to_change(editor, wanted):
            path = editor.folder / name
            now, known = read_text(path), record.find(path)
            with explained(path):
                base = take_back(known, now) if known else now
                then = change(base)
            steps.append(Step(path, now, then, Change(str(path), base, then)))
    return [step for step in steps if step.now != step.then]


def ways_to_change(editor: Editor, wanted: Wanted) -> Iterator[tuple[str, Callable[[str | None], str]]]:
    """The files of an editor, each with what makes its new text of the old one."""
    if not editor.settings_only:
        group = extension_group() if editor.program in wanted.programs else wanted.group
        yield MODELS_FILE, lambda text: with_group(text, group)
    yield SETTINGS_FILE, lambda text: with_settings(text, wanted.settings)


def plan_undo(record: Record | None) -> list[Step]:
    """Every file as it was, but for what the person has changed since."""
    if record is None:
        raise BadRequest("nothing was changed by `ossian editor`, or it was taken back already.")
    steps = []
    for change in record.changes:
        path = Path(change.path)
        now = read_text(path)
        with explained(path):
            steps.append(Step(path, now, take_back(change, now), change))
    return [step for step in steps if step.now != step.then]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say of which file it is that something cannot be understood."""
    try:
        yield
    except NotJson as error:
        raise OssianError(f"{path}, {error.message}", "Mend it in VS Code. Nothing was changed.") from error


def can_install(editor: Editor) -> bool:
    return bool(editor.program) and shutil.which(editor.program) is not None
