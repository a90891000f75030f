"""`ossian bench`: how fast the engines are on this machine."""

import asyncio
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ossian.bench.contenders import choose_contenders
from ossian.bench.measures import NAMES, QUICK
from ossian.bench.report import Report, notes_of, write_json, write_markdown, write_table
from ossian.bench.rounds import Plan, run
from ossian.bench.synthetic import NAME, SHAPES, size_of, write_synthetic
from ossian.cli.model_path import name_model
from ossian.cli.terminal import is_terminal, out, settings_of, size_text, talk
from ossian.engines.memory import physical_cores
from ossian.errors import BadRequest, DiskRefused, ModelNotFound, NotSupported
from ossian.settings import Settings
from ossian.store.catalogue import Catalogue, ModelFile

REAL = "gpt-oss:20b"
SPARE_BYTES = 1_000_000_000


def bench_command(
    model: Annotated[str | None, typer.Argument(help="A model's name or path.")] = None,
    synthetic: Annotated[
        Path | None, typer.Option(help="A file of random weights, made if it is not there: 12.1 GB.")
    ] = None,
    shape: Annotated[str, typer.Option(help=f"Its shapes: {', '.join(SHAPES)}.")] = "20b",
    quick: Annotated[bool, typer.Option("--quick", help=f"Only {' and '.join(QUICK)}.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(NAMES)}; may stand more than once.")] = None,
    engine: Annotated[
        list[str] | None, typer.Option(help="native, native:avx2 …, llama.cpp, llama-server; all if none is named.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds; medians are shown.")] = 3,
    markdown: Annotated[bool, typer.Option("--markdown", help="The table as markdown.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Every figure as JSON.")] = False,
) -> None:
    """Measure our own engine and llama.cpp by turns, beside what memory and arithmetic allow."""
    if markdown and json:
        raise BadRequest("--markdown and --json cannot both be had.", "Choose one.")
    settings = settings_of()
    names = choose_names(quick, only or [])
    file = choose_model(model, synthetic, shape, settings)
    contenders, reasons = choose_contenders(engine or [], file, settings)
    for reason in reasons:
        talk(reason)
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=settings.home) as folder:
        plan = Plan(
            model=file,
            contenders=contenders,
            names=names,
            rounds=repeat,
            threads=settings.threads or physical_cores(),
            folder=Path(folder),
            load_timeout=settings.load_timeout,
            seed=secrets.randbits(32),
        )
        report = asyncio.run(run(plan, talk))
    show(report, markdown=markdown, json=json)


def show(report: Report, *, markdown: bool, json: bool) -> None:
    if markdown or json:
        print(write_markdown(report) if markdown else write_json(report))
    else:
        out.print(write_table(report))
        out.print("\n".join(notes_of(report)), markup=False)


def choose_names(quick: bool, only: list[str]) -> tuple[str, ...]:
    """The measures that are asked for. Raises BadRequest for one that does not exist."""
    if quick and only:
        raise BadRequest("--quick and --only cannot both be had.", f"--quick is: --only {' --only '.join(QUICK)}")
    if unknown := [name for name in only if name not in NAMES]:
        raise BadRequest(f"there is no measure {unknown[0]!r}.", f"Choose of: {', '.join(NAMES)}")
    return QUICK if quick else tuple(only) or NAMES


def choose_model(word: str | None, synthetic: Path | None, shape: str, settings: Settings) -> ModelFile:
    """The model that is named, or made, or else the largest of its kind that is here. Raises when it cannot be."""
    if word and synthetic:
        raise BadRequest(f"{word} and --synthetic cannot both be measured.", "Choose one.")
    catalogue = Catalogue(settings.models)
    if synthetic:
        make_synthetic(synthetic, shape)
        word = str(synthetic.expanduser().absolute())
    found = catalogue.find(name_model(word, settings)) if word else find_usual(catalogue)
    if found is None:
        raise ModelNotFound(word or REAL)
    if "completion" not in found.capabilities:
        raise NotSupported(found.name, "writing")
    if not found.vocabulary:
        raise BadRequest(f"{found.name} does not say how many tokens it knows.")
    return found


def find_usual(catalogue: Catalogue) -> ModelFile | None:
    """gpt-oss:20b, else a synthetic one, else the demo model, and then it says so."""
    synthetics = (model for model in catalogue.list() if model.metadata.get("general.name") == NAME)
    if found := catalogue.find(REAL) or next(synthetics, None):
        return found
    talk(f"{REAL} is not on this machine, so the demo model is measured, which tells little of it.")
    talk("`ossian bench --synthetic FILE.gguf` makes a file of its size and measures that.")
    return catalogue.find("demo")


def make_synthetic(path: Path, shape: str) -> None:
    """Write a file of random weights where there is none. Raises DiskRefused when there is no room for it."""
    if shape not in SHAPES:
        raise BadRequest(f"there is no shape {shape!r}.", f"Choose of: {', '.join(SHAPES)}")
    if path.suffix != ".gguf":
        raise BadRequest(f"{path} is not a model:", "the name of a model's file ends with .gguf.")
    path = path.expanduser()
    if path.exists():
        return
    size = size_of(SHAPES[shape])
    check_room(path, size)
    talk(f"{path} is not there. It will be written with random weights: {size_text(size)}. Delete it when done.")
    if is_terminal() and not typer.confirm("Write it?", default=True, err=True):
        raise typer.Exit(1)
    write_synthetic(path, SHAPES[shape])


def check_room(path: Path, size: int) -> None:
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        raise DiskRefused(
            f"{path} would take {size_text(size)}, and {size_text(free)} are free.", "Name a place on another disk."
        )
