"""Kernels of every instruction set this processor has, and a small random model."""

from pathlib import Path
from types import ModuleType

import pytest
from small_model import write_small

from ossian.native.instruction_sets import KernelsMissing, instruction_sets, load_kernels


def known_sets() -> list[str]:
    try:
        return instruction_sets()
    except KernelsMissing:
        return []


@pytest.fixture(params=known_sets() or [pytest.param("none", marks=pytest.mark.skip("the kernels were not compiled"))])
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    return load_kernels(request.param)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, sizes unlike each other, and numbers of ordinary size everywhere."""
    path = tmp_path_factory.mktemp("native") / "small.gguf"
    write_small(path)
    return path
