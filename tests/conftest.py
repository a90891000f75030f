"""A real server on a real socket, with the model that recites behind a real pool."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chat_gguf import write_chat_models
from ossian.api.serve import serve as serve_forever
from ossian.engines.fake import FAKE_FILE, FakeModel, Reply
from ossian.engines.pool import LoadedModel, Pool
from ossian.engines.start import start_model
from ossian.settings import Settings
from ossian.store.catalogue import Catalogue, ModelFile

PATIENCE_SECONDS = 10.0
PLAIN_FILE = replace(FAKE_FILE, name="plain", path=Path("plain"), digest="1" * 64, capabilities=("completion",))
EMBEDDER_FILE = replace(FAKE_FILE, name="embedder", path=Path("embedder"), digest="2" * 64, capabilities=("embedding",))
FILES = (FAKE_FILE, PLAIN_FILE, EMBEDDER_FILE)


@dataclass
class RunningServer:
    """A server in a thread of its own. `models` are all that were started, the first one first."""

    settings: Settings
    make_model: Callable[[], FakeModel]
    comment_seconds: float
    files: tuple[ModelFile, ...] = FILES
    load_seconds: float = 0.0
    catalogue: Catalogue | None = None
    real: bool = False
    models: list[FakeModel] = field(default_factory=list)
    url: str = ""
    pool: Pool | None = None

    def start(self) -> None:
        self.client = httpx2.Client(timeout=PATIENCE_SECONDS)
        self.listening = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)
        self.thread.start()
        assert self.listening.wait(PATIENCE_SECONDS)

    async def run(self) -> None:
        async def start(file: ModelFile, context: int) -> LoadedModel:
            if self.real:
                return await start_model(file, context, self.settings)
            await asyncio.sleep(self.load_seconds)
            self.models.append(self.make_model())
            return self.models[-1]

        self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()
        self.pool = Pool(self.settings, self.find, start)
        try:
            await serve_forever(
                self.settings,
                self.pool,
                self.catalogue.list if self.catalogue else lambda: self.files,
                ready=self.note_url,
                comment_seconds=self.comment_seconds,
            )
        except asyncio.CancelledError:
            pass
        finally:
            self.listening.set()

    def find(self, name: str) -> ModelFile | None:
        if self.catalogue:
            return self.catalogue.find(name)
        return next((file for file in self.files if file.name == name.partition(":")[0]), None)

    def note_url(self, url: str) -> None:
        self.url = url
        self.listening.set()

    def leave(self) -> None:
        """Tell it to stop."""
        with suppress(RuntimeError):  # the loop of a server that has stopped is closed
            self.loop.call_soon_threadsafe(self.task.cancel)

    def stop(self) -> None:
        self.client.close()
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive(), "the server did not stop"

    @property
    def model(self) -> FakeModel:
        return self.models[-1]

    @property
    def hang_ups(self) -> int:
        return sum(model.hang_ups for model in self.models)

    @property
    def users(self) -> int:
        return sum(seat.users for seat in self.pool.loaded())

    def post(self, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        return self.client.post(self.url + path, json=body, **more)

    def get(self, path: str, **more: Any) -> httpx2.Response:
        return self.client.get(self.url + path, **more)


Serve = Callable[..., RunningServer]


@contextmanager
def servers(leaving: list[RunningServer], home: Path) -> Iterator[Serve]:
    """Start servers: serve(script, pause=…, comment_seconds=…, model=…, files=…, load_seconds=…, and any setting).

    With stored=True the models are those that lie in the folder of the setting `models`; with real=True they speak.
    """
    running: list[RunningServer] = []

    def start(
        script: Sequence[Reply] = (),
        *,
        pause: float = 0.0,
        comment_seconds: float = 5.0,
        model: Callable[[], FakeModel] | None = None,
        files: tuple[ModelFile, ...] = FILES,
        load_seconds: float = 0.0,
        stored: bool = False,
        real: bool = False,
        **settings: Any,
    ) -> RunningServer:
        chosen = Settings(**{"address": ("127.0.0.1", 0), "home": home, "cache_bytes": 0, **settings})
        make_model = model or (lambda: FakeModel(script, pause))
        catalogue = Catalogue(chosen.models) if stored else None
        running.append(RunningServer(chosen, make_model, comment_seconds, files, load_seconds, catalogue, real))
        running[-1].start()
        return running[-1]

    yield start
    for server in running:
        server.leave()
    leaving += running


@pytest.fixture(scope="session")
def leaving() -> Iterator[list[RunningServer]]:
    """Servers that were told to stop: each takes a moment, and no test waits for it."""
    servers: list[RunningServer] = []
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def serve(leaving: list[RunningServer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    with servers(leaving, tmp_path_factory.mktemp("home")) as start:
        yield start


@pytest.fixture(scope="module")
def serve_steadily(leaving: list[RunningServer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """The same for servers that all tests of a file share, because they leave nothing behind."""
    with servers(leaving, tmp_path_factory.mktemp("home")) as start:
        yield start


@pytest.fixture(scope="module")
def steady_server(serve_steadily: Serve) -> RunningServer:
    return serve_steadily()


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until something is true, and fail when it takes too long."""

    def wait(true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not come true"
            time.sleep(0.005)

    return wait


@pytest.fixture(scope="session")
def chat_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny models that bring a chat template: chatml, llama, thinking, r1; and base, which has none."""
    return write_chat_models(tmp_path_factory.mktemp("chat-models"))
