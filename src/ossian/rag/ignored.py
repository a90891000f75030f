"""What .gitignore and .ossianignore leave out, by git's rules: the nearest file decides, and in it the last line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

# The first has the last word: a person may take in for Ossian what git leaves out.
RULE_FILES = (".ossianignore", ".gitignore")
LONGEST_RULE_FILE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Rules:
    """The lines of one file, which hold for all that lies beside and under it."""

    file: Path
    spec: GitIgnoreSpec

    def decide(self, path: Path, is_folder: bool) -> bool | None:
        """Whether these lines leave a path out; None where they say nothing of it."""
        name = path.relative_to(self.file.parent).as_posix()
        return self.spec.check_file(f"{name}/" if is_folder else name).include


def rules_of(folder: Path) -> tuple[Rules, ...]:
    """The rules that are written down in one folder."""
    files = (folder / name for name in RULE_FILES)
    return tuple(Rules(file, spec) for file in files if (spec := read_rules(file)) is not None)


def rules_above(folder: Path) -> tuple[Rules, ...]:
    """The rules that hold in a folder from those above it, the nearest first, up to where its repository begins."""
    found: list[Rules] = []
    for above in (folder, *folder.parents):
        if above != folder:
            found += rules_of(above)
        if (above / ".git").exists():
            return tuple(found)
    return tuple(rules for rules in found if rules.file.name == ".ossianignore")


def find_rule(path: Path, is_folder: bool, rules: tuple[Rules, ...]) -> Path | None:
    """The file whose rules leave this path out, if any does; the nearest rules stand first."""
    for one in rules:
        decision = one.decide(path, is_folder)
        if decision is not None:
            return one.file if decision else None
    return None


def read_rules(file: Path) -> GitIgnoreSpec | None:
    try:
        if not file.is_file() or file.stat().st_size > LONGEST_RULE_FILE:
            return None
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    return GitIgnoreSpec([pattern for line in lines for pattern in patterns_of(line)])


def patterns_of(line: str) -> Iterator[GitIgnoreSpecPattern]:
    """The pattern of one line; none where git would pass the line over as well."""
    try:
        yield from GitIgnoreSpec.from_lines([line]).patterns
    except (GitIgnorePatternError, re.error):  # the second for a range that runs backwards
        return
