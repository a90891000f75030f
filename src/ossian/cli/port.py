"""Who listens on a port, so that "address already in use" becomes a sentence that helps."""

import os
import socket
from dataclasses import dataclass

import httpx2
import psutil

from ossian.errors import PortTaken
from ossian.settings import Settings

ASK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Listener:
    """The program behind a port. `pid` is 0 and `program` empty when the system does not tell."""

    pid: int
    program: str
    product: str
    version: str


def is_taken(address: tuple[str, int]) -> bool:
    """Whether somebody listens there already."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return True
    return False


def find_listener(settings: Settings) -> Listener:
    """Who holds the port: the process, and what it says of itself over HTTP."""
    pid = find_pid(settings.address[1])
    try:
        program = psutil.Process(pid).name() if pid else ""
    except psutil.Error:
        program = ""
    product, version = ask_what_it_is(settings.url)
    return Listener(pid, program, product, version)


def find_pid(port: int) -> int:
    """The process that listens on a port; 0 when it belongs to somebody else or cannot be seen."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return 0
    listening = [c.pid for c in connections if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port]
    return next((pid for pid in listening if pid and pid != os.getpid()), 0)


def ask_what_it_is(url: str) -> tuple[str, str]:
    """Product and version by /api/version; two empty strings when it speaks no such thing."""
    try:
        with httpx2.Client(timeout=ASK_SECONDS, trust_env=False) as http:
            body = http.get(f"{url}/api/version").json()
    except (httpx2.HTTPError, ValueError):
        return "", ""
    if not isinstance(body, dict) or "version" not in body:
        return "", ""
    return ("Ossian", str(body["ossian"])) if "ossian" in body else ("Ollama", str(body["version"]))


def port_taken(settings: Settings, listener: Listener) -> PortTaken:
    """The sentence: by whom, and what to do."""
    port = settings.address[1]
    who = f"{listener.product} {listener.version}" if listener.product else listener.program or "another program"
    process = f" (pid {listener.pid}, {listener.program})" if listener.pid else ""
    stop = f"stop it (kill {listener.pid})" if listener.pid else "stop it"
    if listener.product == "Ollama":
        stop = "stop it (systemctl stop ollama, or quit its app)"
    lines = [f"{who} is already running on port {port}{process}."]
    if listener.product == "Ossian":
        lines.append("  use it:      ossian run demo       (commands find it by themselves)")
        stop = "stop it (ossian stop --server)"
    lines.append(f"  other port:  OSSIAN_HOST=127.0.0.1:{port + 1} ossian serve")
    lines.append(f"  or {stop}, then: ossian serve")
    return PortTaken("\n".join(lines))
