"""Who listens on a port, so that "address already in use" becomes a sentence that helps."""

import errno
import os
import socket
import sys
from dataclasses import dataclass

import httpx2
import psutil

from ossian.errors import PortTaken, SettingInvalid
from ossian.settings import Settings, is_loopback

ASK_SECONDS = 3.0
EVERYWHERE = ("0.0.0.0", "::")
LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Listener:
    """The program behind a port. `pid` is 0 and `program` empty when the system does not tell."""

    pid: int
    program: str
    product: str
    version: str

    @property
    def name(self) -> str:
        return f"{self.product} {self.version}".strip() or self.program or "another program"

    @property
    def process(self) -> str:
        """The process in brackets, with its program where the name does not say it already."""
        program = f", {self.program}" if self.product and self.program else ""
        return f" (pid {self.pid}{program})" if self.pid else ""


def is_here(host: str) -> bool:
    """Whether an address is of this machine, so that a server can be started there."""
    return host in EVERYWHERE or is_loopback(host)


def is_taken(address: tuple[str, int]) -> bool:
    """Whether somebody listens there already. Raises SettingInvalid when nobody could."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except (OSError, UnicodeError) as error:
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                return True
            why = error.strerror if isinstance(error, OSError) else error
            raise SettingInvalid(
                f"nothing can listen at {address[0]}:{address[1]}: {why}.", "OSSIAN_HOST sets another address."
            ) from error
    return False


def find_listener(settings: Settings) -> Listener:
    """Who holds the port: the process, and what it says of itself over HTTP."""
    pid = find_pid(settings.address) if is_here(settings.address[0]) else 0
    try:
        program = psutil.Process(pid).name() if pid else ""
    except psutil.Error:
        program = ""
    product, version = who_answers(settings) or ("", "")
    return Listener(pid, program, product, version)


def find_pid(address: tuple[str, int]) -> int:
    """The process that listens at an address; 0 when it belongs to somebody else or cannot be seen."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return 0
    pids = (c.pid for c in connections if c.status == psutil.CONN_LISTEN and c.laddr and is_at(address, *c.laddr))
    return next((pid for pid in pids if pid and pid != os.getpid()), 0)


def is_at(address: tuple[str, int], host: str, port: int) -> bool:
    """Whether somebody who listens at host and port is who answers at an address."""
    if port != address[1]:
        return False
    if address[0].lower() == "localhost":
        return host in EVERYWHERE or is_loopback(host)
    return host == address[0] or host in EVERYWHERE or address[0] in EVERYWHERE


def who_answers(settings: Settings) -> tuple[str, str] | None:
    """Product and version by /api/version; None when nobody listens, two empty strings when it is a stranger."""
    key = settings.admin_key or settings.api_key
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx2.Client(timeout=ASK_SECONDS, headers=headers, trust_env=False) as http:
            body = http.get(f"{settings.url}/api/version").json()
    except (httpx2.ConnectError, httpx2.ConnectTimeout):
        return None
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise SettingInvalid(
            f"{settings.url} is no address.", "OSSIAN_HOST wants one such as 127.0.0.1:11434"
        ) from error
    except (httpx2.HTTPError, ValueError):
        return "", ""
    match body:
        case {"ossian": version}:
            return "Ossian", str(version)
        case {"version": version}:
            return "Ollama", str(version)
        case {"error": str(sentence)} if "API key" in sentence:
            return "Ossian", ""
        case _:
            return "", ""


def port_taken(settings: Settings, listener: Listener, command: str = "ossian serve") -> PortTaken:
    """The sentence: by whom, and what to do. `command` is what the person wanted."""
    port = settings.address[1]
    other = port + 1 if port < LAST_PORT else port - 1
    lines = [f"{listener.name} is already running on port {port}{listener.process}."]
    if listener.product == "Ossian":
        lines.append("  use it:      ossian run demo       (commands find it by themselves)")
    lines.append(f"  other port:  OSSIAN_HOST=127.0.0.1:{other} {command}")
    lines.append(f"  or {how_to_stop(listener, port)}, then: {command}")
    return PortTaken("\n".join(lines))


def how_to_stop(listener: Listener, port: int) -> str:
    """What ends the program behind a port, or shows whose it is."""
    if listener.product == "Ollama":
        return "stop it (systemctl stop ollama, or quit its app)"
    if listener.product == "Ossian" and listener.pid:
        return "stop it (ossian stop --server)"
    if listener.pid:
        return f"stop it (kill {listener.pid})"
    look = f"sudo lsof -i :{port}" if sys.platform == "darwin" else f"sudo ss -ltnp 'sport = :{port}'"
    return f"see whose it is ({look}) and stop it"
