"""A tiny model of the real architecture with random weights, and runners that serve it."""

import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ossian.engines.local import LocalModel, start_local
from ossian.engines.runner import Runner, RunnerSpec
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile, read_model

SYNTHETIC = Path(__file__).parents[2] / "benchmarks" / "synthetic.py"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    """A GGUF of architecture gpt-oss, 7 MB, whose words mean nothing."""
    spec = importlib.util.spec_from_file_location("synthetic", SYNTHETIC)
    assert spec is not None and spec.loader is not None
    synthetic = sys.modules["synthetic"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    synthetic.write(path, synthetic.SHAPES["tiny"])
    return read_model("tiny", path)


@pytest.fixture
async def runner(tiny: ModelFile) -> AsyncIterator[Runner]:
    runner = await Runner(RunnerSpec(tiny.path, context=8192)).start()
    yield runner
    await runner.close()


@pytest.fixture
async def model(tiny: ModelFile) -> AsyncIterator[LocalModel]:
    model = await start_local(tiny, 8192, Settings())
    yield model
    await model.close()
