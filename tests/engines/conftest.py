"""A tiny model of the real architecture with random weights, and both engines that serve it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from scripted_runner import ScriptedRunner, Speak

from ossian.bench.synthetic import SHAPES, write_synthetic
from ossian.engines.local import LocalModel, start_local
from ossian.engines.runner import Runner, RunnerSpec
from ossian.native.instruction_sets import KernelsMissing, load_kernels
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile, read_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    """A GGUF of architecture gpt-oss, 7 MB, whose words mean nothing."""
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_synthetic(path, SHAPES["tiny"])
    return read_model("tiny", path)


@pytest.fixture(params=["native", "llama.cpp"], scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """Whatever holds for one engine holds for the other."""
    if request.param == "native":
        try:
            load_kernels()
        except KernelsMissing as error:
            pytest.skip(str(error))
    return str(request.param)


@pytest.fixture
async def runner(tiny: ModelFile, engine: str) -> AsyncIterator[Runner]:
    runner = await Runner(RunnerSpec(tiny.path, context=8192, native=engine == "native")).start()
    yield runner
    await runner.close()


@pytest.fixture
async def model(tiny: ModelFile, engine: str, tmp_path: Path) -> AsyncIterator[LocalModel]:
    model = await start_local(tiny, 8192, Settings(engine=engine, home=tmp_path))
    yield model
    await model.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_model(
    tiny: ModelFile, engine: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalModel]:
    """One for all tests of a file, for those that leave it as it was; they need its event loop."""
    model = await start_local(tiny, 8192, Settings(engine=engine, home=tmp_path_factory.mktemp("home")))
    yield model
    await model.close()


@pytest.fixture
def speak(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> Speak:
    """Make the model say scripts."""

    def speak(*scripts: list[str]) -> ScriptedRunner:
        runner = ScriptedRunner(model, scripts)
        monkeypatch.setattr(model._runner, "complete", runner.complete)
        return runner

    return speak
