"""`ossian serve` as a process of its own on a free port, with the model that ships in the package."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil

PATIENCE_SECONDS = 20.0


class Server:
    """Running from when it is made until it is closed. `settings` are environment variables, `options` of serve."""

    def __init__(self, home: Path, *options: str, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OSSIAN", "OLLAMA"))
        }
        self.environment |= {"OSSIAN_HOST": f"127.0.0.1:{port}", "OSSIAN_HOME": str(home), "HF_HOME": str(home / "hub")}
        self.environment |= settings
        self.log = (home / "log").open("wb")
        command = [sys.executable, "-m", "ossian", "serve", *options]
        self.process = subprocess.Popen(command, env=self.environment, stderr=self.log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(httpx2.TransportError):
                if httpx2.get(self.url).status_code == 200:
                    return
            assert time.monotonic() < end
            time.sleep(0.05)

    def runners(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def close(self) -> None:
        self.process.terminate()
        assert self.process.wait(10) is not None
        self.log.close()
