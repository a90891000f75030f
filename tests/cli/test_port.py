"""A port that is taken: by whom, and what to do."""

import http.server
import json
import socket
import threading

import pytest

from ossian.cli.port import Listener, find_listener, find_pid, is_at, is_here, is_taken, port_taken, who_answers
from ossian.errors import SettingInvalid
from ossian.settings import Settings


class Stranger(http.server.BaseHTTPRequestHandler):
    """Something that answers like Ollama."""

    body: object = {"version": "0.33.0"}

    def do_GET(self) -> None:
        data = json.dumps(self.body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def ollama(at):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        at(f"http://127.0.0.1:{server.server_port}")
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def rude(at):
    """Something that speaks no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                caller.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                caller.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        at(f"http://127.0.0.1:{server.getsockname()[1]}")
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_serve_names_an_ollama_that_runs_already(ollama, tell):
    told = tell("serve", "--fake")
    assert (told.status, told.data) == (1, "")
    assert told.talk == (
        f"Error: Ollama 0.33.0 is already running on port {ollama}.\n"
        f"  other port:  OSSIAN_HOST=127.0.0.1:{ollama + 1} ossian serve\n"
        "  or stop it (systemctl stop ollama, or quit its app), then: ossian serve\n"
    )


@pytest.mark.parametrize("command", [("run", "demo", "Hi"), ("list",), ("ps",), ("show", "demo"), ("stop", "demo")])
def test_no_command_takes_an_ollama_for_ours(ollama, tell, command):
    told = tell(*command)
    assert told.status == 1
    assert told.talk.startswith("Error: Ollama 0.33.0 is already running on port")


def test_a_program_that_speaks_no_http_is_said_to_be_another(rude, tell):
    told = tell("run", "demo", "Hi")
    assert (told.status, told.data) == (1, "")
    assert told.talk.startswith(
        f"Error: another program is already running on port {rude}.\n  other port:  OSSIAN_HOST"
    )


def test_a_program_that_cannot_be_seen_is_looked_for_with_more_rights():
    message = port_taken(Settings(), Listener(0, "", "", "")).message
    assert f":{11434}" in message.splitlines()[-1]
    assert "sudo" in message


@pytest.mark.parametrize(
    ("listener", "last"),
    [
        pytest.param(Listener(7, "nginx", "", ""), "  or stop it (kill 7), then: ossian serve", id="a program"),
        pytest.param(
            Listener(7, "ossian", "Ossian", "0.1.0"),
            "  or stop it (ossian stop --server), then: ossian serve",
            id="ours",
        ),
    ],
)
def test_what_can_be_seen_can_be_stopped(listener, last):
    assert port_taken(Settings(), listener).message.splitlines()[-1] == last


def test_the_last_port_has_a_neighbour_too():
    assert "127.0.0.1:65534" in port_taken(Settings(address=("127.0.0.1", 65535)), Listener(0, "", "", "")).message


def test_another_ossian_is_named_with_its_process(at, start, tell):
    server = start("serve", "--fake")
    url = server.stderr.readline().split()[4]
    settings = Settings(address=("127.0.0.1", int(url.rpartition(":")[2])))
    assert find_pid(settings.address) == server.pid
    assert find_listener(settings).product == "Ossian"
    told = tell("serve")
    assert told.status == 0
    assert told.talk.startswith("Ossian 0.1.0 is already running on port")
    assert f"(pid {server.pid}, " in told.talk
    assert "use it:      ossian run demo" in told.talk
    assert tell("stop", "--server").talk == f"The server (pid {server.pid}) has ended.\n"
    assert server.wait(5) == 0


def test_a_free_port_is_nobody_s(tell):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()[:2]
        assert is_taken(address)
    assert not is_taken(address)
    assert who_answers(Settings(address=address)) is None


def test_an_address_of_nobody_is_a_wrong_setting_and_no_taken_port():
    with pytest.raises(SettingInvalid, match=r"nothing can listen at 192\.0\.2\.1:80"):
        is_taken(("192.0.2.1", 80))


def test_here_is_what_only_this_machine_can_be():
    here = {host: is_here(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.0.2.1", "example.org")}
    assert here == {
        "127.0.0.1": True, "localhost": True, "::1": True, "0.0.0.0": True, "192.0.2.1": False, "example.org": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "listening", "same"),
    [
        pytest.param(("127.0.0.1", 1), ("127.0.0.1", 1), True, id="the same"),
        pytest.param(("127.0.0.1", 1), ("0.0.0.0", 1), True, id="who listens everywhere listens there"),
        pytest.param(("localhost", 1), ("::1", 1), True, id="localhost has two addresses"),
        pytest.param(("127.0.0.1", 1), ("192.0.2.1", 1), False, id="another address"),
        pytest.param(("127.0.0.1", 1), ("127.0.0.1", 2), False, id="another port"),
    ],
)
def test_a_port_of_another_address_is_not_ours(asked, listening, same):
    assert is_at(asked, *listening) is same
