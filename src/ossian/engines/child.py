"""The program inside a model's own process: our engine or llama.cpp's server, on a unix socket. Dies with its parent.

    python -m ossian.engines.child '{"model": "/x.gguf", "socket": "/run/x.sock", "context": 65536, …}'

Its standard input is a pipe from the parent that nothing is ever written to: when it closes, the parent is gone.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

NOT_FOR_US = 64  # status of a process whose engine cannot run the file: another engine may
PR_SET_PDEATHSIG = 1  # Linux, prctl(2)
BATCH_TOKENS = 512
# llama.cpp makes a vector of one batch only, but for the few models that read still more.
LARGEST_TEXT_TOKENS = 8_192
MOST_SPARE_MIB = 8_192  # as llama.cpp itself: memory for prompts that another one has pushed out of its slot


def child_environment(environment: Mapping[str, str], *, native: bool) -> dict[str, str]:
    """What the process is started with; what a person has set stays.

    Spinning barriers cost a factor of five when another process is busy on the same cores. And where freed memory goes
    back to the system at once, each array of a step is paid for in fresh pages: 10 % of reading, 5 ms of each token.
    """
    usual = {"OMP_WAIT_POLICY": "passive"}
    if native:
        usual |= {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824", "MALLOC_ARENA_MAX": "1"}
    return {**usual, **environment}


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends (Linux; elsewhere the pipe does it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def exit_when_parent_closes_the_pipe(farewells: list[Callable[[], None]]) -> None:
    """End when the parent does, or wants it; first do what must be done then. It kills who takes too long."""

    def wait_for_the_end() -> None:
        while os.read(0, 4096):
            pass
        for farewell in farewells:
            farewell()
        os._exit(0)

    threading.Thread(target=wait_for_the_end, daemon=True).start()


def batch_tokens(spec: dict[str, Any]) -> int:
    """Tokens that are read at once: for a vector the whole text."""
    return min(spec["context"], LARGEST_TEXT_TOKENS) if spec["embedding"] else BATCH_TOKENS


def serve_with_wheel(spec: dict[str, Any]) -> None:
    """Serve through the `xllamacpp` wheel. Returns never; a model that cannot be loaded raises."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = spec["model"]
    parameters.hostnames = [spec["socket"]]
    parameters.n_ctx = spec["context"] * spec["parallel"]
    parameters.n_parallel = spec["parallel"]
    parameters.n_batch = parameters.n_ubatch = batch_tokens(spec)
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = spec["threads"]
    parameters.embedding = spec["embedding"]
    if spec["reranking"]:
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    parameters.endpoint_slots = parameters.endpoint_props = True
    parameters.slot_save_path = spec["slots"]
    parameters.cache_ram_mib = min(MOST_SPARE_MIB, spec["spare"] >> 20)
    parameters.ui = parameters.warmup = False
    parameters.use_jinja = spec["template"]
    parameters.verbosity = 1
    server = xllamacpp.Server(parameters)  # the name keeps it alive
    while server is not None:
        threading.Event().wait()


def serve_natively(spec: dict[str, Any], farewells: list[Callable[[], None]]) -> None:
    """Serve with our own engine, which writes down what it has read before it ends.

    Ends with status NOT_FOR_US where it cannot run this file, or not on this machine.
    """
    from ossian.native.instruction_sets import KernelsMissing
    from ossian.native.load import load_engine
    from ossian.native.server import serve
    from ossian.native.weights import NotForUs

    try:
        engine = load_engine(
            Path(spec["model"]),
            context=spec["context"],
            parallel=spec["parallel"],
            together=spec["together"],
            threads=spec["threads"],
            kernels=spec["kernels"],
            cache=Path(spec["cache"]) if spec["cache"] else None,
            cache_bytes=spec["cache_bytes"],
            guesses=spec["guesses"],
        )
    except (KernelsMissing, NotForUs) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(NOT_FOR_US)
    farewells.append(engine.close)
    serve(engine, Path(spec["socket"]))


def binary_command(spec: dict[str, Any]) -> list[str]:
    """The command line of a llama-server binary with the same meaning as the wheel's parameters."""
    command = [spec["program"], "--model", spec["model"], "--host", spec["socket"]]
    command += ["--ctx-size", str(spec["context"] * spec["parallel"]), "--parallel", str(spec["parallel"])]
    command += ["--batch-size", str(batch_tokens(spec)), "--ubatch-size", str(batch_tokens(spec))]
    command += ["--threads", str(spec["threads"]), "--slot-save-path", spec["slots"], "--slots", "--no-webui"]
    command += ["--embedding"] if spec["embedding"] else []
    command += ["--reranking"] if spec["reranking"] else []
    return command + (["--jinja"] if spec["template"] else [])


def main() -> None:
    spec = json.loads(sys.argv[1])
    farewells: list[Callable[[], None]] = []
    os.nice(spec["nice"])
    die_with_parent()
    exit_when_parent_closes_the_pipe(farewells)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal reaches the whole group; the parent decides
    if spec["native"]:
        serve_natively(spec, farewells)
        return
    if not spec["program"]:
        serve_with_wheel(spec)
    child = subprocess.Popen(binary_command(spec), stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    farewells.append(child.kill)
    sys.exit(child.wait())


if __name__ == "__main__":
    main()
