"""The files that `ossian editor` changes, written whole or not at all, and the record by which it takes that back."""

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ossian.cli.editor_changes import Change
from ossian.errors import OssianError

RECORD_FILE = "editor.json"


@dataclass(frozen=True, slots=True)
class Record:
    """What was changed: files as they were and as they became, and the programs that were given the extension."""

    changes: tuple[Change, ...] = ()
    programs: tuple[str, ...] = ()

    def find(self, path: Path) -> Change | None:
        return next((change for change in self.changes if change.path == str(path)), None)


def read_record(home: Path) -> Record | None:
    """The record of the last time. Raises OssianError where it is damaged."""
    path = home / RECORD_FILE
    text = read_text(path)
    if text is None:
        return None
    try:
        known = json.loads(text)
        return Record(tuple(Change(**change) for change in known["changes"]), tuple(known["programs"]))
    except (ValueError, KeyError, TypeError) as error:
        raise OssianError(
            f"{path} is damaged, and says no longer what VS Code's files were.", "Delete it to begin anew."
        ) from error


def write_record(home: Path, record: Record) -> None:
    home.mkdir(parents=True, exist_ok=True)
    words = {"changes": [asdict(change) for change in record.changes], "programs": list(record.programs)}
    write_text(home / RECORD_FILE, json.dumps(words, indent=1))


def delete_record(home: Path) -> None:
    (home / RECORD_FILE).unlink(missing_ok=True)


def read_text(path: Path) -> str | None:
    """The text of a file to the letter, its line ends too; None where there is none."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise OssianError(f"{path} is not a text in UTF-8.", "Nothing was changed.") from error


def write_text(path: Path, text: str | None) -> None:
    """Put a file in the place of the old one in one step, with its rights; None: delete it. A link stays one."""
    path = path.resolve()
    if text is None:
        path.unlink(missing_ok=True)
        return
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        with suppress(FileNotFoundError):
            Path(beside).chmod(path.stat().st_mode & 0o777)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
