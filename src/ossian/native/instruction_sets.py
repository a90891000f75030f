"""The kernels compiled for this processor, or the reason why there are none."""

import importlib
from types import ModuleType


class KernelsMissing(Exception):
    """The kernels were not compiled when Ossian was installed, or this processor cannot run them."""


def instruction_sets() -> list[str]:
    """The instruction sets that this processor has and kernels are written for, the best first."""
    try:
        processor = importlib.import_module("ossian.native._processor")
    except ImportError:
        raise KernelsMissing("the kernels were not compiled: install a C++ compiler, then Ossian again") from None
    return list(processor.instruction_sets())


def load_kernels(name: str = "") -> ModuleType:
    """The kernels for an instruction set, or for the best that this processor has. Raises KernelsMissing."""
    known = instruction_sets()
    if name and name not in known:
        raise KernelsMissing(f"this processor has no {name}, only {', '.join(known) or 'none that the kernels need'}")
    if not known:
        raise KernelsMissing("this processor has no AVX2")
    return importlib.import_module(f"ossian.native._{name or known[0]}")
