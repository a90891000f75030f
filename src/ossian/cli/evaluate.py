"""`ossian docs eval`: how well a collection answers a person's own questions, or those it asks of itself."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ossian.cli.client import Client, ServerRefused, connect
from ossian.cli.docs import DEFAULT_NAME, AsJson, Name, docs
from ossian.cli.terminal import err, out, settings_of, table, talk
from ossian.errors import BadRequest
from ossian.rag.kinds import is_plain
from ossian.rag.measure import Figure, measure
from ossian.rag.questions import Asked, make_questions, pick

DEPTHS = (1, 5, 10)
WAYS = ("words", "meaning", "both")
MADE = 100
LINES_AT_ONCE = 2_000  # as many as the server shows
MOST_LINES = 20_000  # of one file
RIGHT = "right"


@docs.command("eval")
def eval_command(
    questions: Annotated[
        Path | None, typer.Option(help='Your own: lines of {"question": …, "path": …, "first_line": …}.')
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many questions are made at most.")] = MADE,
    name: Name = DEFAULT_NAME,
    as_json: AsJson = False,
) -> None:
    """Measure how well questions find their answers: by words, by meaning, by both."""
    client = connect(settings_of())
    files = client.get(f"/api/library/{name}/documents")["documents"]
    asked = read_questions(questions) if questions else pick(make_all(client, name, files), count)
    if not asked:
        raise BadRequest(
            f"no questions could be made of '{name}': its files have no headings and no docstrings.",
            'Write some: --questions FILE with lines of {"question": "…", "path": "…"}',
        )
    warn(asked, files)
    rows = run(client, name, asked, as_json)
    if as_json:
        figures = {way: {measure: asdict(figure) for measure, figure in row.items()} for way, row in rows.items()}
        told = {"questions": len(asked), "made": questions is None, "pending": pending(files), "ways": figures}
        out.print(json.dumps(told, ensure_ascii=False), markup=False)
        return
    show(rows)
    if questions is None:
        talk(f"{len(asked)} questions made of headings and docstrings, whose words stand in the answers:")
        talk("words look better on them than on your own. Yours: --questions FILE")


def read_questions(path: Path) -> list[Asked]:
    """A person's own questions. Raises BadRequest with the line that is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    return [read_question(line, f"{path}:{at}") for at, line in enumerate(lines, 1) if line.strip()]


def read_question(line: str, place: str) -> Asked:
    try:
        shape = json.loads(line)
    except ValueError:
        raise BadRequest(f"{place} is no JSON.") from None
    match shape:
        case {"question": str(question), "path": str(path)} if question.strip() and path.strip():
            first = shape.get("first_line")
            if first is None or (isinstance(first, int) and not isinstance(first, bool) and first > 0):
                return Asked(question, path, first)
            raise BadRequest(f"{place}: first_line must be a whole number from 1.")
    raise BadRequest(f'{place} must have "question" and "path", two texts that are not empty.')


def make_all(client: Client, name: str, files: Iterable[Mapping[str, Any]]) -> list[Asked]:
    """Questions made of all files that have lines, as far as they have not changed since they were put in."""
    made = []
    for file in files:
        if file["state"] != "skipped" and is_plain(file["kind"]):
            made += make_questions(file["path"], file["kind"], fetch_text(client, name, file["path"]))
    return made


def fetch_text(client: Client, name: str, path: str) -> str:
    """A file as the server shows it, some lines at a time; nothing of one that is gone or has changed since."""
    lines: list[str] = []
    while len(lines) < MOST_LINES:
        wanted = {"path": path, "first_line": len(lines) + 1, "last_line": len(lines) + LINES_AT_ONCE}
        try:
            shown = client.get(f"/api/library/{name}/text?{urlencode(wanted)}")
        except ServerRefused:
            return ""
        if shown["changed"]:
            return ""
        new = shown["text"].split("\n")
        lines += new
        if len(new) < LINES_AT_ONCE:
            break
    return "\n".join(lines)


def warn(asked: Sequence[Asked], files: Sequence[Mapping[str, Any]]) -> None:
    """Say what makes figures worse than they need to be."""
    known = [str(file["path"]) for file in files]
    lost = sum(not any(is_at(path, each.path) for path in known) for each in asked)
    if lost:
        talk(f"{lost} of {len(asked)} questions name a file that is not in the collection: they count as not found.")
    if waiting := pending(files):
        talk(f"{waiting} passages wait for their meaning: by meaning they cannot be found yet.")


def pending(files: Iterable[Mapping[str, Any]]) -> int:
    return sum(int(file["pending"]) for file in files)


def run(client: Client, name: str, asked: Sequence[Asked], quiet: bool) -> dict[str, dict[str, Figure]]:
    """The figures of each way of searching; of words alone where there is no meaning."""
    found: dict[str, list[list[str]]] = {way: [] for way in WAYS}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=quiet) as bars:
        bar = bars.add_task("Asking", total=len(asked))
        for each in asked:
            for way in list(found):
                body = {"query": each.question, "k": max(DEPTHS), "by": way}
                try:
                    passages = client.post(f"/api/library/{name}/search", body)["passages"]
                except ServerRefused as refused:
                    if way != "meaning" or '"meaning"' not in refused.message:
                        raise
                    talk("There is no meaning here, so words stand alone. For meaning: ossian pull all-minilm")
                    found = {"words": found["words"]}
                    break
                found[way].append(name_found(passages, each))
            bars.advance(bar)
    right = [{RIGHT}] * len(asked)
    return {way: measure(each, right, DEPTHS) for way, each in found.items()}


def name_found(passages: Iterable[Mapping[str, Any]], asked: Asked) -> list[str]:
    """What was found, in order: the right place once; of wrong ones each file once, where a file is asked for."""
    names = []
    for passage in passages:
        in_file = is_at(passage["path"], asked.path)
        in_place = asked.line is None or passage["first_line"] <= asked.line <= passage["last_line"]
        place = passage["path"] if asked.line is None else f"{passage['path']}:{passage['first_line']}"
        names.append(RIGHT if in_file and in_place else place)
    return list(dict.fromkeys(names))


def is_at(path: str, asked: str) -> bool:
    """Whether a path is the one that a question names, whole or by its end."""
    whole = Path(asked).expanduser()
    return path == str(whole.absolute()) or (not whole.is_absolute() and path.endswith(f"/{whole}"))


def show(rows: Mapping[str, Mapping[str, Figure]]) -> None:
    names = list(next(iter(rows.values())))
    out.print(table(("", *names), [(way, *map(str, row.values())) for way, row in rows.items()]), markup=False)
    talk("Percent, with the range in which 95 of 100 such samples of questions lie.")
