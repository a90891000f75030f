"""The engines that can be measured on this machine, and how each is started."""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ossian.engines.runner import RunnerSpec
from ossian.errors import BadRequest
from ossian.native.instruction_sets import KernelsMissing, load_kernels
from ossian.native.weights import NotForUs, open_weights
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

NATIVE, WHEEL, BINARY = "native", "llama.cpp", "llama-server"
CACHE_BYTES = 4_000_000_000  # of one round: some 80,000 tokens of gpt-oss-20b


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine under the name it has in the table. `kernels`: of our own, the instruction set, the best if empty."""

    name: str
    kernels: str = ""
    program: Path | None = None

    @property
    def is_ours(self) -> bool:
        return self.name.partition(":")[0] == NATIVE

    def spec(self, model: Path, *, context: int, parallel: int, threads: int, cache: Path) -> RunnerSpec:
        """How its process is started; what it keeps of what it has read goes into `cache`."""
        return RunnerSpec(
            model=model,
            context=context,
            parallel=parallel,
            threads=threads,
            program=self.program,
            native=self.is_ours,
            kernels=self.kernels,
            cache=cache,
            cache_bytes=CACHE_BYTES,
        )


class Missing(BadRequest):
    """An engine that was asked for is not on this machine, or not for this model."""


def choose_contenders(wanted: Sequence[str], model: ModelFile, settings: Settings) -> tuple[list[Contender], list[str]]:
    """The engines that were named, or all there are; then why others are left out. Raises Missing for a named one."""
    found: list[Contender] = []
    reasons: list[str] = []
    for name in dict.fromkeys(wanted or (NATIVE, WHEEL, *([BINARY] if settings.llama_server else []))):
        try:
            found.append(find_contender(name, model, settings))
        except Missing as missing:
            if wanted:
                raise
            reasons.append(f"{name} is left out: {missing.message}")
    if not found:
        raise Missing("there is no engine to measure.", "`ossian doctor` says what is missing.")
    return found, reasons


def find_contender(name: str, model: ModelFile, settings: Settings) -> Contender:
    """An engine by its name. Raises Missing."""
    kind, _, kernels = name.partition(":")
    if kind == NATIVE:
        return find_native(name, kernels, model)
    if name == WHEEL:
        if importlib.util.find_spec("xllamacpp") is None:
            raise Missing("xllamacpp is not installed.", "pip install xllamacpp")
        return Contender(name)
    if name == BINARY:
        program = settings.llama_server
        if program is None or not (program.is_file() and os.access(program, os.X_OK)):
            raise Missing(f"OSSIAN_LLAMA_SERVER names no program ({program}).", "Set it to a llama-server binary.")
        return Contender(name, program=program)
    raise Missing(
        f"there is no engine {name!r}.", f"Write {NATIVE}, {NATIVE}:avx2 (or another set), {WHEEL} or {BINARY}."
    )


def find_native(name: str, kernels: str, model: ModelFile) -> Contender:
    """Our own engine, where its kernels run and it can run the model."""
    try:
        open_weights(model.path, load_kernels(kernels))
    except KernelsMissing as missing:
        raise Missing(f"{missing}.") from missing
    except NotForUs as refusal:
        raise Missing(f"{refusal.message}.") from refusal
    return Contender(name, kernels=kernels)
