"""Starting and stopping: the address, the signals, the last words."""

import signal
import socket
import subprocess
import sys
import time

import httpx2
import pytest

from ossian.api.serve import listen, serve, write_url
from ossian.engines.fake import FAKE_FILE, FakeModel, find_fake
from ossian.engines.pool import Pool
from ossian.errors import PortTaken, SettingInvalid
from ossian.settings import Settings

PROGRAM = """
import asyncio
from ossian.api.serve import serve
from ossian.chat import Text
from ossian.engines.fake import FAKE_FILE, FakeModel, find_fake
from ossian.engines.pool import Pool
from ossian.settings import Settings

model = FakeModel([[Text("word " * 5000)]], pause=0.01)

async def start(file, context):
    return model

settings = Settings(address=("127.0.0.1", 0))
asyncio.run(serve(settings, Pool(settings, find_fake, start), lambda: [FAKE_FILE], ready=lambda url: print(url, flush=True)))
print("closed" if not model.alive else "left open")
"""  # noqa: E501


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_closes_the_models(number):
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        body = {"model": "fake", "prompt": "Hi"}
        with httpx2.stream("POST", f"{url}/api/generate", json=body) as response:
            next(response.iter_lines())
            started = time.monotonic()
            process.send_signal(number)
            rest, _ = process.communicate(timeout=10)
    assert (rest, process.returncode) == ("closed\n", 0)
    assert time.monotonic() - started < 2


async def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = Settings(address=other.getsockname()[:2])
        with pytest.raises(PortTaken, match=str(settings.address[1])):
            await serve(settings, Pool(settings, find_fake, start), list)


async def test_an_open_door_is_refused_before_anything_listens():
    settings = Settings(address=("0.0.0.0", 0))
    with pytest.raises(SettingInvalid, match="OSSIAN_API_KEY"):
        await serve(settings, Pool(settings, find_fake, start), list)


def test_localhost_means_both_its_addresses():
    sockets = listen(("localhost", 0))
    assert "127.0.0.1" in {opened.getsockname()[0] for opened in sockets}
    assert len({opened.getsockname()[1] for opened in sockets}) == 1
    for opened in sockets:
        opened.close()


def test_a_name_that_is_no_address_is_a_setting_that_is_wrong():
    with pytest.raises(SettingInvalid, match="no address of this machine"):
        listen(("no such host", 0))


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:1"), ("::1", "http://[::1]:1"), ("localhost", "http://localhost:1")],
)
def test_the_url_is_one_that_can_be_called(host, url):
    assert write_url(host, 1) == url


async def start(file, context):
    assert file == FAKE_FILE
    return FakeModel()
