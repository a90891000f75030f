"""Follow files as they change, and have the server read them again."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from watchfiles import Change, watch

from ossian.cli.client import Client
from ossian.cli.terminal import out, talk
from ossian.errors import BadRequest

SETTLE_MILLISECONDS = 200  # an editor writes a file in several steps


def changes_in(roots: Iterable[str]) -> Iterator[list[str]]:
    """The paths that have changed, together where they changed together. Files that are left out are told too."""
    there = [root for root in roots if Path(root).exists()]
    if not there:
        raise BadRequest("none of these folders is there to be watched.", "Add one: ossian docs add PATH")
    for changes in watch(*there, step=SETTLE_MILLISECONDS, raise_interrupt=True):
        yield sorted(simplify(changes, there))


def simplify(changes: Iterable[tuple[Change, str]], roots: Iterable[str]) -> set[str]:
    """What is to be read again: a folder in the place of all that changed in it where files came or went."""
    paths = set()
    for change, path in changes:
        paths.add(path if change is Change.modified or path in roots else str(Path(path).parent))
    return {path for path in paths if not any(other != path and is_under(path, other) for other in paths)}


def is_under(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def follow(client: Client, name: str, paths: list[str], as_json: bool) -> None:
    """Have changed paths read again, and say what came of it."""
    with closing(client.stream(f"/api/library/{name}/documents", {"paths": paths})) as steps:
        for step in steps:
            if as_json:
                out.print(json.dumps(step, ensure_ascii=False), markup=False)
            elif step["status"] == "reading":
                talk(f"read {step['path']}")
            elif step["status"] == "success" and step["removed"]:
                talk(f"{step['removed']} files are gone")
