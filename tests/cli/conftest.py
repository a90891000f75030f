"""A person at a command line: in this process where that is enough, as a process or at a terminal where it is not."""

import io
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ossian.cli import main

PATIENCE_SECONDS = 10.0
OSSIAN = (sys.executable, "-m", "ossian")
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder and a port of its own, so that no server of this machine is met."""
    for name in [name for name in os.environ if name.startswith(("OSSIAN_", "OLLAMA_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OSSIAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OSSIAN_HOST", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    monkeypatch.setenv("TERM", "xterm")
    return tmp_path / "home"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Point the command line at a server."""
    return lambda url: monkeypatch.setenv("OSSIAN_HOST", url.removeprefix("http://"))


@dataclass(frozen=True)
class Told:
    """What a command told: its exit status, its data and its talk."""

    status: int
    data: str
    talk: str


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Run a command in this process: tell("run", "fake", "Hi", piped=b"…")."""

    def tell(*words: str, piped: bytes = b"") -> Told:
        monkeypatch.setattr(sys, "argv", ["ossian", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return Told(status, said.out, said.err)

    return tell


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command as a process of its own."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen([*OSSIAN, *words], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


class Terminal:
    """A pseudo-terminal with a command in it. `screen` is all that was written, without the steering."""

    def __init__(self, *words: str) -> None:
        self.fd, end = pty.openpty()
        self.process = subprocess.Popen([*OSSIAN, *words], stdin=end, stdout=end, stderr=end, start_new_session=True)
        os.close(end)
        self.raw = ""
        self.seen = 0

    @property
    def screen(self) -> str:
        return STEERING.sub("", self.raw)

    def type(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def expect(self, text: str) -> None:
        """Wait until something is written behind what was expected before."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (found := self.screen.find(text, self.seen)) < 0:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f"{text!r} did not come; the screen: {self.screen[self.seen :]!r}"
            self.raw += os.read(self.fd, 65536).decode(errors="replace")
        self.seen = found + len(text)

    def interrupt(self) -> None:
        """Ctrl+C while a command computes: the terminal of a real shell sends this signal."""
        self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.fd)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def terminal(*words: str) -> Terminal:
        opened.append(Terminal(*words))
        return opened[-1]

    yield terminal
    for one in opened:
        one.close()
