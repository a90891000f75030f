"""Follow files as they change, and have the server read them again."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from watchfiles import Change, watch

from ossian.cli.client import Client
from ossian.cli.terminal import out, talk
from ossian.errors import BadRequest, OssianError
from ossian.rag.find import base_of

SETTLE_MILLISECONDS = 200  # an editor writes a file in several steps
QUIET_MILLISECONDS = 1_000


def changes_in(roots: Iterable[str]) -> Iterator[list[str]]:
    """The paths that have changed, together where they changed together, and now and then none.

    From the first time on nothing is missed. Files that are left out are told too.
    """
    there = sorted({str(base) for root in roots if (base := base_of(Path(root))).exists()})
    if not there:
        raise BadRequest("none of these folders is there to be watched.", "Add one: ossian docs add PATH")
    told = watch(*there, step=SETTLE_MILLISECONDS, rust_timeout=QUIET_MILLISECONDS, yield_on_timeout=True)
    yield from (sorted(simplify(changes, there)) for changes in told)


def simplify(changes: Iterable[tuple[Change, str]], roots: Iterable[str]) -> set[str]:
    """What is to be read again: a folder in the place of all that changed in it where files came or went."""
    paths = set()
    for change, path in changes:
        paths.add(path if change is Change.modified or path in roots else str(Path(path).parent))
    return {path for path in paths if not any(other != path and is_under(path, other) for other in paths)}


def is_under(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def follow(client: Client, name: str, changes: Iterable[list[str]], as_json: bool) -> None:
    """Have changed paths read again, and say what came of it. What fails is tried again until it is done."""
    waiting: set[str] = set()
    said = ""
    for changed in changes:
        waiting |= set(changed)
        try:
            if waiting:
                read_again(client, name, sorted(waiting), as_json)
            waiting, said = set(), ""
        except OssianError as error:
            if str(error) != said:
                talk(f"{error} It is tried again.")
            said = str(error)


def read_again(client: Client, name: str, paths: list[str], as_json: bool) -> None:
    with closing(client.stream(f"/api/library/{name}/documents", {"paths": paths, "changed": True})) as steps:
        for step in steps:
            if as_json:
                out.print(json.dumps(step, ensure_ascii=False), markup=False)
            elif step["status"] == "reading":
                talk(f"read {step['path']}")
            elif step["status"] == "success" and step["removed"]:
                talk(f"{step['removed']} files are gone")
