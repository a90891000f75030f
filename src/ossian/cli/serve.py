"""`ossian serve`: put the parts together and listen."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from ossian.answer import open_library
from ossian.api.serve import refuse_open_door, serve
from ossian.cli.port import find_listener, is_taken, port_taken
from ossian.cli.script import read_script
from ossian.cli.terminal import settings_of, talk
from ossian.engines.fake import FAKE_FILE, FakeModel, find_fake
from ossian.engines.pool import LoadedModel, Pool
from ossian.engines.start import start_in_background, start_model
from ossian.errors import SettingInvalid
from ossian.settings import Settings
from ossian.store.cache_folder import clear_parts
from ossian.store.catalogue import Catalogue, ModelFile
from ossian.store.remove import tidy

Models = Callable[[], Sequence[ModelFile]]


def serve_command(
    fake: Annotated[bool, typer.Option("--fake", help="Serve a model that recites, for tests.")] = False,
    script: Annotated[Path | None, typer.Option(help="JSON replies for --fake; see docs/reference.md.")] = None,
    pause: Annotated[float, typer.Option(help="Seconds before each word of --fake.")] = 0.0,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every request.")] = False,
) -> None:
    """Listen at OSSIAN_HOST (127.0.0.1:11434) for Ollama's and OpenAI's clients."""
    settings = settings_of()
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("httpcore2").setLevel(logging.WARNING)
    logging.getLogger("mcp").setLevel(logging.WARNING)
    if script and not fake:
        raise SettingInvalid("--script is for the model that recites.", "Write: ossian serve --fake --script FILE")
    refuse_open_door(settings)
    if is_taken(settings.address):
        listener = find_listener(settings)
        taken = port_taken(settings, listener)
        if listener.product != "Ossian":
            raise taken
        talk(str(taken))  # what was wanted is there: a server that answers
        return
    pool, models = build_fake(settings, script, pause) if fake else build_pool(settings)
    documents = open_library(settings, pool, None if fake else partial(start_in_background, settings=settings))
    said = "Ossian is running at {}  (Ctrl+C ends it)"
    mount = import_module("ossian.web.mount").mount  # half a second, which no other command should wait for
    asyncio.run(
        serve(
            settings,
            pool,
            models,
            documents,
            decorate=partial(mount, settings=settings),
            ready=lambda url: talk(said.format(url)),
        )
    )


def build_pool(settings: Settings) -> tuple[Pool, Models]:
    """The models of this disk, each in a process of its own when it is asked for."""
    catalogue = Catalogue(settings.models)
    tidy(settings.models)
    clear_parts(settings.home / "cache")

    async def start(file: ModelFile, context: int) -> LoadedModel:
        return await start_model(file, context, settings)

    return Pool(settings, catalogue.find, start), catalogue.list


def build_fake(settings: Settings, script: Path | None, pause: float) -> tuple[Pool, Models]:
    """One model that recites."""
    model = FakeModel(read_script(script) if script else (), pause)

    async def start(file: ModelFile, context: int) -> LoadedModel:
        model.alive = True
        return model

    return Pool(settings, find_fake, start), lambda: [FAKE_FILE]
