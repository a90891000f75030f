"""`ossian doctor`: what will and what will not run well on this machine, in plain words."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ossian import __version__
from ossian.api.serve import refuse_open_door
from ossian.cli.port import find_listener, is_here, is_taken
from ossian.cli.terminal import out, settings_of
from ossian.engines.memory import GIB, context_for, free_memory, physical_cores, serving_of, total_memory
from ossian.errors import NotEnoughMemory, SettingInvalid
from ossian.settings import Settings
from ossian.store.catalogue import Catalogue

GPT_OSS_20B_BYTES = 12_109_566_560  # ggml-org/gpt-oss-20b-GGUF
COMFORTABLE_BYTES = GPT_OSS_20B_BYTES + 2 * GIB
CPU_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8", "asimd")
MARKS = {"good": "[green]ok   [/green]", "slow": "[yellow]so-so[/yellow]", "bad": "[red]no   [/red]"}
AGENT_CONTEXT = 65_536


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do where it is not good."""

    state: Literal["good", "slow", "bad"]
    text: str
    hint: str = ""


def doctor_command() -> None:
    """Check port, memory, processor, models and engine."""
    settings = settings_of()
    out.print(f"Ossian {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    for check in (check_port, check_memory, check_processor, check_disk, check_engine, check_models):
        for finding in check(settings):
            out.print(MARKS[finding.state], end=" ")
            out.print(finding.text, markup=False)
            if finding.hint:
                out.print(f"      {finding.hint}", style="dim", markup=False)


def check_port(settings: Settings) -> Iterator[Finding]:
    """Is the address free, or ours?"""
    host, port = settings.address
    try:
        taken = not is_here(host) or is_taken(settings.address)
        listener = find_listener(settings) if taken else None
        if not taken:
            refuse_open_door(settings)
    except SettingInvalid as error:
        yield Finding("bad", error.message, error.hint)
        return
    if listener is None:
        yield Finding("good", f"{host}:{port} is free")
    elif listener.product == "Ossian":
        yield Finding("good", f"{listener.name} answers at {host}:{port}{listener.process}")
    elif is_here(host):
        hint = f"Stop it, or choose another port: OSSIAN_HOST=127.0.0.1:{port + 1} ossian serve"
        yield Finding("bad", f"{host}:{port} is taken by {listener.name}{listener.process}", hint)
    else:
        yield Finding(
            "bad", f"no Ossian answers at {host}:{port}, another machine", "Start it there, or unset OSSIAN_HOST."
        )


def check_memory(settings: Settings) -> Iterator[Finding]:
    """Does gpt-oss:20b fit?"""
    total, free = total_memory(), free_memory()
    wanted = COMFORTABLE_BYTES / GIB
    text = f"{total / GIB:.1f} GiB of memory, {free / GIB:.1f} free; gpt-oss:20b wants {wanted:.1f} free"
    if total < GPT_OSS_20B_BYTES:
        yield Finding("bad", text, "gpt-oss:20b will not run here; the demo model will.")
    elif free < COMFORTABLE_BYTES:
        yield Finding(
            "slow", text, "Close other programs first, or its weights are read from the disk again and again."
        )
    else:
        yield Finding("good", text)


def check_processor(settings: Settings) -> Iterator[Finding]:
    """How many cores, and which instructions that speed up quantized arithmetic?"""
    flags = [flag for flag in CPU_FLAGS if flag in processor_flags()]
    cores = physical_cores()
    threads = f"{settings.threads} threads by OSSIAN_THREADS" if settings.threads else ""
    text = ", ".join(filter(None, [f"{cores} core{'s' if cores > 1 else ''}", threads, *flags]))
    if platform.machine() in ("x86_64", "AMD64") and "avx2" not in flags:
        yield Finding("slow", text, "Without AVX2 answers come slowly.")
    elif cores < 4:
        yield Finding("slow", text, "Fewer than 4 cores: gpt-oss:20b reads long prompts slowly; short ones are fine.")
    else:
        yield Finding("good", text)


def processor_flags() -> set[str]:
    """Instruction sets as Linux names them; empty where the system does not list them."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    lines = [line for line in text.splitlines() if line.startswith(("flags", "Features"))]
    return set(lines[0].split()) if lines else set()


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Is there room for the download?"""
    folder = next(path for path in (settings.models, *settings.models.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    state: Literal["good", "bad"] = "good" if free > GPT_OSS_20B_BYTES else "bad"
    hint = "" if state == "good" else "gpt-oss:20b is 12.1 GB. Free some space, or set OSSIAN_MODELS to another disk."
    yield Finding(state, f"{free / 1e9:.0f} GB free on the disk for models", hint)


def check_engine(settings: Settings) -> Iterator[Finding]:
    """Is there a program that computes?"""
    if settings.llama_server is not None:
        found = settings.llama_server.is_file() and os.access(settings.llama_server, os.X_OK)
        hint = "" if found else "It is no program. Correct OSSIAN_LLAMA_SERVER, or unset it to use the wheel."
        yield Finding("good" if found else "bad", f"engine: llama-server at {settings.llama_server}", hint)
    elif importlib.util.find_spec("xllamacpp"):
        yield Finding("good", "engine: llama.cpp (xllamacpp)")
    else:
        yield Finding("bad", "engine: none", f"{sys.executable} -m pip install xllamacpp")


def check_models(settings: Settings) -> Iterator[Finding]:
    """Which models are here, and with how much context would they run now?"""
    room = free_memory(), total_memory()
    for model in Catalogue(settings.models).list():
        try:
            context = context_for(model, settings.context_length, *room, serving_of(model, settings))
        except NotEnoughMemory as error:
            yield Finding("bad", error.message)
            continue
        text = f"{model.name} would be served with a context of {context} tokens"
        if context >= min(AGENT_CONTEXT, model.context_length):
            yield Finding("good", text)
        elif settings.context_length:
            yield Finding("slow", text, f"Editors' agents want {AGENT_CONTEXT}; OSSIAN_CONTEXT_LENGTH holds it down.")
        else:
            yield Finding("slow", text, f"Editors' agents want {AGENT_CONTEXT}; free some memory before loading.")
