"""The command line's way to the server: always over HTTP, errors as sentences, a server started where none listens."""

import json
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx2

from ossian.cli.port import find_listener, is_here, port_taken, who_answers
from ossian.cli.terminal import talk, waiting
from ossian.errors import OssianError, ServerUnreachable, SettingInvalid
from ossian.settings import Settings

START_SECONDS = 30.0
CONNECT_SECONDS = 5.0
POLL_SECONDS = 0.1


class ServerRefused(OssianError):
    """The server answered with an error; its own sentence is the message."""


class ServerBroke(OssianError):
    """The server went away while it was answering."""

    def __init__(self, settings: Settings) -> None:
        log = settings.home / "server.log"
        where = f"Its log is {log}." if is_here(settings.address[0]) and log.exists() else "`ossian serve` starts one."
        super().__init__(f"the server at {settings.url} went away in the middle of the answer.", where)


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

    def delete(self, path: str, body: dict[str, Any]) -> Any:
        with self._connected() as http:
            return read_body(http.request("DELETE", path, json=body))

    def has(self, path: str) -> bool:
        """Whether something is there."""
        with self._connected() as http:
            return http.head(path).status_code == httpx2.codes.OK

    def upload(self, path: str, file: BinaryIO) -> None:
        with self._connected() as http:
            read_body(http.post(path, content=file))

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

    def answers(self, command: str = "ossian serve") -> bool:
        """Whether an Ossian server listens. Raises PortTaken when somebody else does; `command` goes into its hint."""
        match who_answers(self.settings):
            case None:
                return False
            case "Ossian", _:
                return True
            case _:
                raise port_taken(self.settings, find_listener(self.settings), command)

    @contextmanager
    def _connected(self) -> Iterator[httpx2.Client]:
        url, key = self.settings.url, self.settings.admin_key or self.settings.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx2.Timeout(None, connect=CONNECT_SECONDS)
        try:
            with httpx2.Client(base_url=url, headers=headers, timeout=limits, trust_env=False) as http:
                yield http
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise ServerUnreachable(url) from error
        except httpx2.HTTPError as error:
            raise ServerBroke(self.settings) from error


def read_body(response: httpx2.Response) -> Any:
    """The JSON of an answer, if it has any. Raises ServerRefused with the server's sentence."""
    if response.is_success:
        return response.json() if response.content else None
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = response.text.strip() or f"status {response.status_code}"
    sentence = error["message"] if isinstance(error, dict) else str(error)
    hint = "Here: set OSSIAN_API_KEY to the key the server was started with." if "API key" in sentence else ""
    raise ServerRefused(sentence, hint)


def reach(settings: Settings) -> Client:
    """A client whose server answers. Raises ServerUnreachable."""
    client = Client(settings)
    if not client.answers("ossian serve"):
        raise ServerUnreachable(settings.url)
    return client


def connect(settings: Settings) -> Client:
    """The same, and where none listens on this machine one is started in the background."""
    client = Client(settings)
    if client.answers("ossian run"):
        return client
    if not is_here(settings.address[0]):
        raise ServerUnreachable(settings.url)
    with waiting("Starting a server"):
        start_in_background(client)
    talk(f"Started a server at {settings.url}. It stays for the next question; `ossian stop --server` ends it.")
    return client


def start_in_background(client: Client) -> None:
    """Start `ossian serve` so that it outlives this command, and wait until it answers."""
    path = client.settings.home / "server.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("ab")
    except OSError as error:
        raise SettingInvalid(
            f"{path} cannot be written: {error.strerror}.", "Set OSSIAN_HOME to a folder of yours."
        ) from error
    with log:
        before = log.tell()
        server = subprocess.Popen(
            [sys.executable, "-m", "ossian", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    end = time.monotonic() + START_SECONDS
    while not client.answers():
        if server.poll() is not None:
            raise OssianError("the server did not start. It said:", last_words(path, before))
        if time.monotonic() > end:
            raise OssianError(f"the server did not start in {START_SECONDS:.0f} s.", f"Its log is {path}.")
        time.sleep(POLL_SECONDS)


def last_words(log: Path, before: int) -> str:
    """What a server wrote from a place in its log on."""
    return log.read_bytes()[before:].decode(errors="replace").strip().removeprefix("Error: ")
