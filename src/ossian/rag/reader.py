"""Has files read and split by a child process: a hostile one costs bounded time and memory, never the server.

The child serves many files. One that hangs, dies or has met the end of its memory is replaced.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ossian.errors import Unreadable
from ossian.rag.pieces import Chunk

LENGTH_BYTES = 8
MOST_ANSWER_BYTES = 1 << 30
AT_ONCE = 1 << 20
START_SECONDS = 60
LAST_WORDS_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost."""

    wall_seconds: float = 180
    processor_seconds: int = 90
    memory_bytes: int = 3 << 29  # 1.5 GiB


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read of a file. `remarks` say what of it could not be, such as pages that are pictures."""

    kind: str
    chunks: tuple[Chunk, ...]
    remarks: tuple[str, ...] = ()


class Reader:
    """Reads files one at a time, from any thread; the process starts with the first."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.child: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and with it what it is reading."""
        self.closed = True
        if self.child:
            self.child.kill()
        with self.lock:
            self.give_up()

    def read(self, path: Path) -> Contents:
        """What a file holds; Unreadable, with the reason, where it cannot be told."""
        with self.lock:
            child = self.ask(path)
            try:
                said = json.loads(receive(child, self.limits.wall_seconds))
            except TimeoutError as error:
                self.give_up()
                seconds = self.limits.wall_seconds
                raise Unreadable(f"reading it took more than {seconds:g} seconds, and was stopped") from error
            except EOFError as error:
                raise Unreadable(self.why_it_ended(child)) from error
            if said.get("spent"):
                self.give_up()
            if "why" in said:
                raise Unreadable(said["why"])
            return contents_of(said)

    def ask(self, path: Path) -> subprocess.Popen[bytes]:
        """Hand a file to the child; to a new one where there is none or it is gone."""
        spec = {"path": str(path), "memory": self.limits.memory_bytes, "seconds": self.limits.processor_seconds}
        question = json.dumps(spec).encode() + b"\n"
        for child in (self.child, None):
            if self.closed:
                break
            try:
                self.child = child or start()
                return send(self.child, question)
            except (OSError, EOFError, TimeoutError):
                self.give_up()
        raise Unreadable("reading it was stopped" if self.closed else "the program that reads files cannot be started")

    def give_up(self) -> None:
        """End the child; the next file gets another."""
        if self.child:
            end(self.child)
        self.child = None

    def why_it_ended(self, child: subprocess.Popen[bytes]) -> str:
        with suppress(subprocess.TimeoutExpired):
            child.wait(LAST_WORDS_SECONDS)  # its own status, not that of being killed
        self.give_up()
        if self.closed:
            return "reading it was stopped"
        if child.returncode == -signal.SIGXCPU:
            seconds = self.limits.processor_seconds
            return f"reading it took more than {seconds} seconds of the processor, and was stopped"
        memory = f"{self.limits.memory_bytes >> 20:,} MB"
        return f"the program that reads it broke (status {child.returncode}), likely for want of more than {memory}"


def start() -> subprocess.Popen[bytes]:
    """A child of its own session, so that Ctrl+C in a terminal is the parent's to answer."""
    command = [sys.executable, "-m", "ossian.rag.reading_child"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, start_new_session=True)


def send(child: subprocess.Popen[bytes], question: bytes) -> subprocess.Popen[bytes]:
    """Ask, and hear that it has begun: what ends the child from then on is the file's doing."""
    assert child.stdin
    child.stdin.write(question)
    child.stdin.flush()
    receive(child, START_SECONDS)
    return child


def end(child: subprocess.Popen[bytes]) -> None:
    """Make sure that it is gone, and let go of its pipes."""
    child.kill()
    child.wait()
    assert child.stdin and child.stdout
    child.stdout.close()
    with suppress(BrokenPipeError):
        child.stdin.close()


def receive(child: subprocess.Popen[bytes], seconds: float) -> bytes:
    """One answer. TimeoutError where it takes longer, EOFError where the child has ended."""
    assert child.stdout
    deadline = time.monotonic() + seconds
    length = int.from_bytes(take(child.stdout.fileno(), LENGTH_BYTES, deadline), "little")
    if length > MOST_ANSWER_BYTES:
        raise EOFError
    return take(child.stdout.fileno(), length, deadline)


def take(pipe: int, count: int, deadline: float) -> bytes:
    taken = bytearray()
    while len(taken) < count:
        if not select.select([pipe], [], [], max(0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        piece = os.read(pipe, min(AT_ONCE, count - len(taken)))
        if not piece:
            raise EOFError
        taken += piece
    return bytes(taken)


def contents_of(said: dict[str, Any]) -> Contents:
    chunks = (
        Chunk(text, context, first, last, page, tuple(symbols))
        for text, context, first, last, page, symbols in said["chunks"]
    )
    return Contents(said["kind"], tuple(chunks), tuple(said["remarks"]))
