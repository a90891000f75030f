"""`ossian docs`: a person's own documents, put in, listed, searched and asked."""

import json
import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ossian.cli.client import Client, connect
from ossian.cli.model_path import name_model
from ossian.cli.speak import Manner, answer_aloud
from ossian.cli.terminal import err, out, printable, settings_of, size_text, table, talk
from ossian.cli.watching import changes_in, follow
from ossian.errors import BadRequest

DEFAULT_NAME = "documents"
LONGEST_SHOWN_REASONS = 10
SHOWN_LINES = 6

Name = Annotated[str, typer.Option("--name", help="The collection.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

docs = typer.Typer(help="Answers from your own documents.", no_args_is_help=True, add_completion=False)


@docs.command("add")
def add_command(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs.")],
    name: Name = DEFAULT_NAME,
    as_json: AsJson = False,
) -> None:
    """Put files and folders in; again: what has changed since."""
    add(connect(settings_of()), name, map(absolute, paths), as_json)


def absolute(path: str) -> str:
    """A path as the server can find it."""
    return os.path.normpath(Path(path).expanduser().absolute())


def add(client: Client, name: str, paths: Iterable[str], as_json: bool) -> None:
    """Put paths in and show the progress; Ctrl+C stops, and what was read stays."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    body = {"paths": list(paths)}
    skipped: list[dict[str, Any]] = []
    step: dict[str, Any] = {}
    with (
        closing(client.stream(f"/api/library/{name}/documents", body)) as steps,
        Progress(*columns, console=err, transient=True, disable=as_json) as bars,
    ):
        bar = bars.add_task("Reading", total=None)
        for step in steps:
            if as_json:
                out.print(json.dumps(step, ensure_ascii=False), markup=False)
            elif step["status"] != "success":
                bars.update(bar, completed=step["done"], total=step["total"])
                skipped += [step] if step["status"] == "skipped" else []
    if not as_json:
        say_added(name, step, skipped)


def say_added(name: str, end: dict[str, Any], skipped: list[dict[str, Any]]) -> None:
    for step in skipped[:LONGEST_SHOWN_REASONS]:
        talk(f"left out {step['path']}: {step['reason']}")
    if len(skipped) > LONGEST_SHOWN_REASONS:
        talk(f"and {len(skipped) - LONGEST_SHOWN_REASONS} more: ossian docs status --name {name}")
    changes = f", {end['removed']} gone" if end["removed"] else ""
    same = f", {end['unchanged']} as before" if end["unchanged"] else ""
    if not (end["files"] or end["unchanged"] or end["removed"]):
        raise BadRequest("there is nothing that can be searched.", "See: ossian docs add --help")
    talk(f"{name}: {end['files']} files read, {end['chunks']} passages{same}{changes}.")
    talk(f'Ask: ossian docs ask --name {name} "…"')


@docs.command("list")
def list_collections(as_json: AsJson = False) -> None:
    """List the collections."""
    listed = connect(settings_of()).get("/api/library")["collections"]
    if as_json:
        out.print(json.dumps(listed, ensure_ascii=False), markup=False)
        return
    if not listed:
        talk("There are no documents yet. Try: ossian docs add ~/books --name books")
    rows = [(each["name"], *(str(each[key]) for key in ("files", "chunks", "pending", "skipped"))) for each in listed]
    out.print(table(("NAME", "FILES", "PASSAGES", "MEANING PENDING", "LEFT OUT"), rows), markup=False)


@docs.command("status")
def status_command(name: Name = DEFAULT_NAME, as_json: AsJson = False) -> None:
    """Show each file: whether it is searchable, or why it was left out."""
    files = connect(settings_of()).get(f"/api/library/{name}/documents")["documents"]
    if as_json:
        out.print(json.dumps(files, ensure_ascii=False), markup=False)
        return
    rows = [(each["path"], size_text(each["size"]), str(each["chunks"]), describe(each)) for each in files]
    out.print(table(("FILE", "SIZE", "PASSAGES", "STATE"), rows), markup=False)


def describe(file: dict[str, Any]) -> str:
    if file["state"] == "skipped":
        return f"left out: {file['reason']}"
    waiting = f", {file['pending']} passages wait for their meaning" if file["pending"] else ""
    remark = f", but {file['reason']}" if file["reason"] else ""
    return f"searchable{waiting}{remark}"


@docs.command("search")
def search_command(
    query: Annotated[list[str], typer.Argument(help="What to look for.")],
    name: Name = DEFAULT_NAME,
    count: Annotated[int, typer.Option("-k", help="How many passages.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Show the passages that fit best."""
    body = {"query": " ".join(query), "k": count}
    found = connect(settings_of()).post(f"/api/library/{name}/search", body)
    if as_json:
        out.print(json.dumps(found, ensure_ascii=False), markup=False)
        return
    for number, passage in enumerate(found["passages"], 1):
        place = f"page {passage['page']}" if passage["page"] else f"{passage['first_line']}-{passage['last_line']}"
        out.print(f"[{number}] {passage['path']}:{place}", style="bold", markup=False)
        lines = printable(passage["text"]).strip().splitlines()
        out.print("\n".join(f"    {line}" for line in lines[:SHOWN_LINES]), markup=False)
    if not found["fits"]:
        talk("The documents hardly cover this.")
    if found["meaning"] == "none":
        talk("Found by words alone. For meaning: ossian pull all-minilm")


@docs.command("ask")
def ask_command(
    question: Annotated[list[str], typer.Argument(help="The question.")],
    name: Name = DEFAULT_NAME,
    model: Annotated[str, typer.Option("--model", help="Who answers.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask a model, which answers from the documents and cites them."""
    settings = settings_of()
    client = connect(settings)
    asked = name_model(model, settings) if model else choose_model(client)
    messages = [{"role": "user", "content": " ".join(question)}]
    if as_json:
        body = {"model": asked, "messages": messages, "documents": [name], "stream": False}
        out.print(json.dumps(client.post("/api/chat", body), ensure_ascii=False), markup=False)
        return
    answer = answer_aloud(client, asked, messages, Manner(documents=(name,)))
    for source in answer.sources:
        if source["cited"]:
            place = f", page {source['page']}" if source["page"] else f":{source['first_line']}"
            changed = " (changed since it was read)" if source["changed"] else ""
            talk(f"[{source['number']}] {source['path']}{place}{changed}")


def choose_model(client: Client) -> str:
    """gpt-oss where it is here, else the first model that converses."""
    models = client.get("/api/tags")["models"]
    able = [str(each["name"]) for each in models if "completion" in each["capabilities"] and "+" not in each["name"]]
    if not able:
        raise BadRequest("there is no model to ask.", "Try: ossian pull gpt-oss:20b")
    return next((each for each in able if each.startswith("gpt-oss")), able[0])


@docs.command("watch")
def watch_command(name: Name = DEFAULT_NAME, as_json: AsJson = False) -> None:
    """Follow the files of a collection: what changes is read again, until Ctrl+C."""
    client = connect(settings_of())
    roots = client.get(f"/api/library/{name}")["roots"]
    changes = changes_in(roots)
    next(changes)
    add(client, name, roots, as_json)
    talk(f"Watching {', '.join(roots)}. Ctrl+C ends it.")
    follow(client, name, changes, as_json)


@docs.command("rm")
def remove_command(
    name: Annotated[str, typer.Argument(help="The collection.")],
    paths: Annotated[list[str] | None, typer.Argument(help="Only these files of it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take a collection away, or files out of it. The files stay where they lie."""
    client = connect(settings_of())
    if paths:
        gone = client.delete(f"/api/library/{name}/documents", {"paths": [absolute(path) for path in paths]})
    else:
        gone = client.delete(f"/api/library/{name}", {})
    if as_json:
        out.print(json.dumps(gone), markup=False)
    elif paths and not gone["removed"]:
        raise BadRequest(f"{name} holds none of these files.", f"See: ossian docs status --name {name}")
    else:
        talk(f"{gone['removed']} files were taken out of {name}.")
