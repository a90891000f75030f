"""The command line's way to the server: always over HTTP, errors as sentences, a server started where none listens."""

import json
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from ossian.errors import OssianError, ServerUnreachable
from ossian.settings import Settings

START_SECONDS = 30.0
POLL_SECONDS = 0.1


class ServerRefused(OssianError):
    """The server answered with an error; its own sentence is the message."""


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks Ollama's dialect to the server at the address of the settings."""

    settings: Settings

    def get(self, path: str) -> Any:
        with self._connected() as http:
            return read_body(http.get(path))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        with self._connected() as http:
            return read_body(http.post(path, json=body))

    def stream(self, path: str, body: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
        """The lines of an NDJSON answer. Closing it hangs up, which stops the model."""
        with self._connected() as http, http.stream("POST", path, json=body) as response:
            if response.status_code != 200:
                response.read()
                read_body(response)
            for line in response.iter_lines():
                if line:
                    step = json.loads(line)
                    if "error" in step:
                        raise ServerRefused(step["error"])
                    yield step

    def version(self) -> dict[str, Any] | None:
        """What answers at the address: the body of /api/version, or None when nobody does."""
        try:
            with self._connected(timeout=3.0) as http:
                body = http.get("/api/version").json()
        except (ServerUnreachable, httpx2.HTTPError, ValueError):
            return None
        return body if isinstance(body, dict) else None

    @contextmanager
    def _connected(self, timeout: float | None = None) -> Iterator[httpx2.Client]:
        key = self.settings.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx2.Timeout(timeout, connect=5.0)
        with httpx2.Client(base_url=self.settings.url, headers=headers, timeout=limits, trust_env=False) as http:
            try:
                yield http
            except httpx2.ConnectError as error:
                raise ServerUnreachable(self.settings.url) from error
            except httpx2.TransportError as error:
                raise ServerRefused(f"the server broke the connection ({type(error).__name__}).") from error


def read_body(response: httpx2.Response) -> Any:
    """The JSON of an answer. Raises ServerRefused with the server's sentence."""
    if response.status_code == 200:
        return response.json()
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = response.text.strip() or f"status {response.status_code}"
    raise ServerRefused(error["message"] if isinstance(error, dict) else str(error))


def connect(settings: Settings, say: Any = None) -> Client:
    """A client whose server answers; one is started in the background when none listens on this machine."""
    client = Client(settings)
    if client.version() is None:
        start_in_background(settings)
        wait_until_it_answers(client)
        if say is not None:
            say(f"Started a server at {settings.url}. It stays for the next question; `ossian stop --server` ends it.")
    return client


def start_in_background(settings: Settings) -> None:
    """Start `ossian serve` so that it outlives this command; it writes its log into the home folder."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "server.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "ossian", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_until_it_answers(client: Client) -> None:
    end = time.monotonic() + START_SECONDS
    while client.version() is None:
        if time.monotonic() > end:
            log = client.settings.home / "server.log"
            raise OssianError(f"the server did not start; its log is {log}.", "Try `ossian serve` in a terminal.")
        time.sleep(POLL_SECONDS)
