"""A real PostgreSQL server for tests, from the binaries in the package `pgserver`, on a socket in a folder of its own.

PostgreSQL refuses to run as root: started by root, it runs as `nobody`.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

SERVANT = "nobody"
OPTIONS = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=64MB")


def find_binaries() -> Path:
    spec = find_spec("pgserver")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package pgserver, which brings PostgreSQL, is not installed")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@dataclass
class PostgresProcess:
    """A server on the files in a folder: started, ended and started again."""

    folder: Path
    binaries: Path
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.binaries / program, *arguments], check=True, capture_output=True, user=servant(), cwd=self.folder
        )

    def prepare(self) -> None:
        """Make the files of a new server."""
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale", "-N")

    def start(self) -> None:
        arguments = ["-D", str(self.data), "-l", str(self.folder / "log"), "-w", "-t", "60"]
        self.run("pg_ctl", "start", *arguments, "-o", " ".join([*OPTIONS, "-k", str(self.folder)]))

    def stop(self, how: str = "immediate") -> None:
        self.run("pg_ctl", "stop", "-D", str(self.data), "-m", how, "-w")

    def new_database(self, *statements: str) -> str:
        """The URL of an empty database."""
        name = f"library{next(self.numbers)}"
        self.psql("postgres", f"CREATE DATABASE {name}")
        for statement in statements:
            self.psql(name, statement)
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def psql(self, database: str, statement: str) -> None:
        place = ("-h", str(self.folder), "-U", "postgres", "-d", database)
        self.run("psql", "-q", "-v", "ON_ERROR_STOP=1", *place, "-c", statement)


def servant() -> str | None:
    return SERVANT if os.geteuid() == 0 else None


@contextmanager
def running_postgres() -> Iterator[PostgresProcess]:
    """A server of its own, gone with its files at the end."""
    binaries = find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # pytest's own folder is for its owner only, and too long for a socket
    if servant():
        shutil.chown(folder, servant())
    server = PostgresProcess(folder, binaries)
    try:
        try:
            server.prepare()
            server.start()
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"PostgreSQL does not run here: {getattr(error, 'stderr', b'') or error!r}")
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
