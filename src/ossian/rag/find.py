"""Find the files that a person means by paths, folders and globs, and tell of each other one why it is left out."""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pathspec import GitIgnoreSpec

from ossian.rag.ignored import Rules, find_rule, rules_above, rules_of
from ossian.rag.kinds import kind_of
from ossian.rag.left_out import (
    HEAD_BYTES,
    find_reason_for_folder,
    find_reason_for_head,
    find_reason_for_name,
    find_reason_for_size,
)

GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be read; `modified` in nanoseconds."""

    path: Path
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a folder with all in it, that is left out."""

    path: Path
    why: str


def find_files(paths: Iterable[Path | str]) -> Iterator[Found | Skipped]:
    """Each file once, in the order of paths and of names in a folder.

    What a person names is taken even where .gitignore leaves it out, secrets and binaries never.
    """
    seen: set[Path] = set()
    for path in paths:
        for one in find_at(normal(Path(path))):
            if one.path not in seen:
                seen.add(one.path)
                yield one


def find_changed(paths: Iterable[Path], roots: Sequence[Path]) -> Iterator[Found | Skipped]:
    """What lies at paths that have changed, as the roots that they lie under, or that lie under them, have it."""
    seen: set[Path] = set()
    for path in map(normal, paths):
        for root in roots:
            for one in find_under(path, root):
                if one.path not in seen:
                    seen.add(one.path)
                    yield one


def is_related(path: Path, root: Path) -> bool:
    """Whether one of these lies under the other."""
    path, base = normal(path), base_of(root)
    return base.is_relative_to(path) or path.is_relative_to(base)


def find_under(path: Path, root: Path) -> Iterator[Found | Skipped]:
    base, matches = base_of(root), matcher_of(root)
    if base.is_relative_to(path):
        yield from find_at(root)
    elif path.is_relative_to(base):
        yield from (one for one in descend(base, path) if matches(one.path))


def descend(base: Path, path: Path) -> Iterator[Found | Skipped]:
    """A path under a folder, unless it or a folder on the way is left out."""
    rules, at = rules_for(base), base
    for part in path.relative_to(base).parts:
        rules, at = (*rules_of(at), *rules), at / part
        if os.path.lexists(at) and (why := find_reason_for_entry(at, at.is_dir(), rules)):
            yield Skipped(at, why)
            return
    if path.is_dir():
        yield from walk(path, rules)
    elif os.path.lexists(path):
        yield look_at(path)


def normal(path: Path) -> Path:
    """A path as it is told of a file that is found."""
    return Path(os.path.normpath(path.expanduser().absolute()))


def base_of(path: Path) -> Path:
    """A path itself, or the last plain folder of a glob."""
    return normal(next(each for each in (path, *path.parents) if not GLOB.search(str(each)) or each.exists()))


def matcher_of(path: Path) -> Callable[[Path], bool]:
    """Whether a path lies at or under this one, or is matched by this glob, or lies in a folder that is."""
    base = base_of(path)
    if base == normal(path):
        return lambda one: one.is_relative_to(base)
    wanted = GitIgnoreSpec.from_lines([f"/{normal(path).relative_to(base).as_posix()}"])
    return lambda one: one.is_relative_to(base) and wanted.match_file(one.relative_to(base).as_posix())


def find_at(path: Path) -> Iterator[Found | Skipped]:
    if path.is_dir():
        yield from walk(path, rules_for(path))
    elif path.exists():
        yield look_at(path)
    elif GLOB.search(str(path)):
        yield from find_glob(path)
    else:
        yield Skipped(path, "there is no such file or folder")


def rules_for(folder: Path) -> tuple[Rules, ...]:
    """The rules above a folder that a person names, but for those that leave the folder itself out: it is wanted."""
    return tuple(rules for rules in rules_above(folder) if not find_rule(folder, True, (rules,)))


def find_glob(pattern: Path) -> Iterator[Found | Skipped]:
    """The files under the glob's last plain folder that it matches, or whose folder it matches."""
    base, matches = base_of(pattern), matcher_of(pattern)
    if not base.is_dir():
        yield Skipped(pattern, "there is no such folder")
        return
    matched = False
    for one in walk(base, rules_for(base), may_lead_to(pattern, base)):
        if matches(one.path):
            matched = True
            yield one
    if not matched:
        yield Skipped(pattern, "nothing matches")


def may_lead_to(pattern: Path, base: Path) -> Callable[[Path], bool]:
    """Whether what a glob matches may lie in a folder, so that `~/*.md` does not walk through all of a home."""
    parts = pattern.relative_to(base).parts
    if "**" in parts:
        return lambda folder: True

    def may(folder: Path) -> bool:
        names = folder.relative_to(base).parts
        return all(fnmatchcase(name, part) for name, part in zip(names, parts, strict=False))

    return may


def walk(
    folder: Path, above: tuple[Rules, ...], enters: Callable[[Path], bool] = lambda folder: True
) -> Iterator[Found | Skipped]:
    """All in a folder by name, files before folders; a link to a folder is not followed, or it could lead round."""
    pending = [(folder, above)]
    while pending:
        folder, above = pending.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield Skipped(folder, reason_of(error))
            continue
        rules = (*rules_of(folder), *above)
        folders = []
        for entry in entries:
            path, is_folder = Path(entry.path), entry.is_dir()
            if why := find_reason_for_entry(path, is_folder, rules):
                yield Skipped(path, why)
            elif is_folder:
                folders += [(path, rules)] if enters(path) else []
            else:
                yield look_at(path)
        pending += reversed(folders)


def find_reason_for_entry(path: Path, is_folder: bool, rules: tuple[Rules, ...]) -> str | None:
    """Why what stands in a folder is left out, as far as its name and the rules tell."""
    if is_folder:
        if why := find_reason_for_folder(path.name):
            return why
        if path.is_symlink():
            return "a link to a folder"
        if (path / "pyvenv.cfg").exists():
            return "made by tools, not by people"
    rule = find_rule(path, is_folder, rules)
    return f"ignored by {rule}" if rule else None


def look_at(path: Path) -> Found | Skipped:
    """One file, by its name, its size and its beginning. A link is also judged by what it leads to."""
    try:
        real = path.resolve(strict=True) if path.is_symlink() else path
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return Skipped(path, "not a file: a device, a pipe or a socket")
        why = find_reason_for_file(path, real, status.st_size)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead round
        return Skipped(path, reason_of(error))
    return Skipped(path, why) if why else Found(path, status.st_size, status.st_mtime_ns)


def find_reason_for_file(path: Path, real: Path, size: int) -> str | None:
    kind = kind_of(path)
    for name in {path, real}:
        if why := find_reason_for_name(name.name, name.suffix):
            return why
    if any(find_reason_for_folder(folder) == "may hold secrets" for folder in real.parts[:-1]):
        return "may hold secrets"
    if why := find_reason_for_size(size, kind):
        return why
    with path.open("rb") as file:
        return find_reason_for_head(file.read(HEAD_BYTES), kind)


def reason_of(error: Exception) -> str:
    """What the system says of a file that cannot be opened, in plain words."""
    if isinstance(error, PermissionError):
        return "you are not allowed to read it"
    if isinstance(error, FileNotFoundError):
        return "it is gone, or a link that leads nowhere"
    return (getattr(error, "strerror", None) or str(error)).lower()
