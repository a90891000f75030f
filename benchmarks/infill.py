"""How well a model fills a gap: lines cut out of functions of Python's own library, asked for with a suffix.

    python benchmarks/infill.py --url http://127.0.0.1:11434 --model gpt-oss:20b --count 100

The code is found in the library of the Python that runs this; one to three lines are missing. Measured of every answer:
whether its first line is the one that was cut out, whether all of it is, whether there is something and the function
parses with it, whether it says nothing that stands just before or behind the gap, and how alike it is (1 is equal).
"""

import argparse
import ast
import difflib
import importlib.util
import random
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

PATIENCE_SECONDS = 3_600.0
SHORTEST, LONGEST = 8, 60  # lines of a function
MOST_LINES = 3  # of a gap
NOT_LOOKED_AT = ("antigravity", "this", "idlelib", "test")


@dataclass(frozen=True)
class Gap:
    """A function with a hole in it. The cursor stands behind the blanks of the first line that is missing."""

    name: str
    prefix: str
    middle: str
    suffix: str


@dataclass(frozen=True)
class Verdict:
    first_line: bool
    all_of_it: bool
    parses: bool
    trimmed: bool
    empty: bool
    alikeness: float
    seconds: float


def find_sources() -> Iterator[tuple[str, str]]:
    """The modules of the standard library that are written in Python, by name."""
    for name in sorted(sys.stdlib_module_names):
        if name.startswith("_") or name in NOT_LOOKED_AT:
            continue
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            yield name, Path(spec.origin).read_text(encoding="utf-8")


def find_functions(source: str) -> Iterator[tuple[str, list[str]]]:
    """Functions of a fitting size, with their lines as they would stand alone."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            own = lines[node.lineno - 1 : node.end_lineno]
            alone = textwrap.dedent("\n".join(own))
            if SHORTEST <= len(own) <= LONGEST and "\t" not in alone and parses(alone):  # a text in it may not bend
                yield node.name, alone.splitlines()


def places(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Where one to three statements of one depth stand together: first line and number of lines."""
    (function,) = ast.parse("\n".join(lines)).body
    found = []
    for block in (getattr(node, "body", None) for node in ast.walk(function)):
        for index, first in enumerate(block if isinstance(block, list) else []):
            is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            for last in block[index : index + MOST_LINES]:
                size = last.end_lineno - first.lineno + 1
                if size <= MOST_LINES and first.lineno > 2 and last.end_lineno < len(lines) and not is_docstring:
                    found.append((first.lineno - 1, size))
    return found


def cut_gaps(count: int, seed: int) -> list[Gap]:
    """So many gaps, each in a function of its own."""
    draw = random.Random(seed)
    functions = [
        (f"{module}.{name}", lines) for module, source in find_sources() for name, lines in find_functions(source)
    ]
    draw.shuffle(functions)
    gaps = []
    for name, lines in functions:
        if len(gaps) < count and (possible := places(lines)):
            gaps.append(cut_out(name, lines, *draw.choice(possible)))
    return gaps


def cut_out(name: str, lines: Sequence[str], start: int, size: int) -> Gap:
    missing = lines[start : start + size]
    blanks = missing[0][: len(missing[0]) - len(missing[0].lstrip())]
    before = "".join(f"{line}\n" for line in lines[:start])
    middle = "\n".join(missing).removeprefix(blanks)
    return Gap(name, before + blanks, middle, "\n" + "\n".join(lines[start + size :]) + "\n")


def fill(url: str, model: str, gap: Gap, bound: int) -> tuple[str, float]:
    body = {
        "model": model,
        "prompt": gap.prefix,
        "suffix": gap.suffix,
        "max_tokens": bound,
        "temperature": 0,
        "seed": 1,
    }
    started = time.monotonic()
    response = httpx2.post(f"{url}/v1/completions", json=body, timeout=PATIENCE_SECONDS)
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code}: {response.text}")
    return response.json()["choices"][0]["text"], time.monotonic() - started


def judge(gap: Gap, written: str, seconds: float) -> Verdict:
    told, wanted = tidy(written), tidy(gap.middle)
    behind, before = tidy(gap.suffix)[:1], tidy(gap.prefix)[-1:]
    return Verdict(
        first_line=told[:1] == wanted[:1],
        all_of_it=told == wanted,
        parses=bool(told) and parses(gap.prefix + written + gap.suffix),
        trimmed=bool(told) and told[-1:] != behind and told[:1] != before,
        empty=not told,
        alikeness=difflib.SequenceMatcher(None, "\n".join(told), "\n".join(wanted)).ratio(),
        seconds=seconds,
    )


def tidy(code: str) -> list[str]:
    return [line.strip() for line in code.splitlines() if line.strip()]


def parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return True


def report(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for name in ("first_line", "all_of_it", "parses", "trimmed", "empty"):
        share = sum(getattr(verdict, name) for verdict in verdicts) / len(verdicts)
        yield f"{name.replace('_', ' ')}: {share:.0%}"
    yield f"alikeness: {sum(verdict.alikeness for verdict in verdicts) / len(verdicts):.2f}"
    yield f"seconds: {sum(verdict.seconds for verdict in verdicts) / len(verdicts):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:11434")
    parser.add_argument("--model", default="gpt-oss:20b")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--bound", type=int, default=160, help="tokens an answer may have")
    parser.add_argument("--seed", type=int, default=1, help="which gaps are cut")
    parser.add_argument("--show", type=int, default=0, help="so many answers are printed")
    options = parser.parse_args()
    verdicts = []
    for number, gap in enumerate(cut_gaps(options.count, options.seed)):
        written, seconds = fill(options.url, options.model, gap, options.bound)
        verdicts.append(judge(gap, written, seconds))
        if number < options.show:
            print(f"--- {gap.name}\n{gap.middle}\n--- was told\n{written}", flush=True)
    print(f"{len(verdicts)} gaps: " + ", ".join(report(verdicts)))


if __name__ == "__main__":
    main()
