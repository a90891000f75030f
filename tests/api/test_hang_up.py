"""Who leaves frees the model at once, whenever that is."""

import asyncio
import json
import socket
import time

import httpx2
import pytest

from ossian.chat import Text
from ossian.engines.fake import FakeModel

LONG = [[Text("word " * 2000)]]
STREAMS = [
    pytest.param("/api/chat", {"messages": [{"role": "user", "content": "Hi"}]}, id="chat"),
    pytest.param("/api/generate", {"prompt": "Hi"}, id="generate"),
    pytest.param("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "stream": True}, id="v1"),
]
WHOLE = [
    pytest.param("/api/chat", {"messages": [{"role": "user", "content": "Hi"}], "stream": False}, id="chat"),
    pytest.param("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}, id="v1"),
]


class Thoughtful(FakeModel):
    """Reads its prompt for ever."""

    started = 0
    left = 0

    async def chat(self, request):
        Thoughtful.started += 1
        try:
            await asyncio.sleep(60)
            yield Text("")
        finally:
            Thoughtful.left += 1


def connect(server):
    return socket.create_connection(server.url.removeprefix("http://").split(":"))


def spell(path, body):
    """A request as it goes over the wire."""
    sent = json.dumps(body)
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(sent)}\r\n\r\n{sent}".encode()


@pytest.fixture(autouse=True)
def forget():
    Thoughtful.started = Thoughtful.left = 0


@pytest.mark.parametrize(("path", "body"), STREAMS)
def test_after_the_first_word(serve, eventually, path, body):
    server = serve(LONG, pause=0.002)
    with server.client.stream("POST", server.url + path, json={"model": "fake", **body}) as response:
        next(response.iter_bytes())
    eventually(lambda: server.hang_ups == 1 and server.users == 0)


@pytest.mark.parametrize(("path", "body"), STREAMS + WHOLE)
def test_before_the_first_word(serve, eventually, path, body):
    server = serve(model=Thoughtful, comment_seconds=0.05)
    with connect(server) as connection:
        connection.sendall(spell(path, {"model": "fake", **body}))
        eventually(lambda: Thoughtful.started == 1)
        time.sleep(0.12)  # by now /v1 has sent its first comments
    eventually(lambda: Thoughtful.left == 1 and server.users == 0)


def test_while_the_model_loads(serve, eventually):
    server = serve(load_seconds=0.3)
    with connect(server) as connection:
        connection.sendall(spell("/api/chat", {"model": "fake", "keep_alive": 100}))
        time.sleep(0.05)
    time.sleep(0.05)
    started = time.monotonic()
    assert server.post("/api/generate", {"model": "fake", "prompt": "Hi", "stream": False}).status_code == 200
    assert time.monotonic() - started >= 0.25, "the load of the caller who left went on"


def test_while_waiting_in_the_queue(serve, eventually):
    server = serve(model=Thoughtful, num_parallel=1)
    open_sockets = [connect(server) for _ in range(3)]
    for connection in open_sockets:
        connection.sendall(spell("/api/generate", {"model": "fake", "prompt": "Hi"}))
    eventually(lambda: server.users == 3)
    for connection in reversed(open_sockets):
        connection.close()
    eventually(lambda: server.users == 0)
    assert Thoughtful.started == Thoughtful.left <= 2


async def test_fifty_callers_half_of_whom_hang_up(serve, eventually):
    script = [[Text("one two three four five")]]
    server = serve(script, pause=0.003, num_parallel=4)

    async def stay(client, number):
        path, body = STREAMS[number % 3].values
        response = await client.post(server.url + path, json={"model": "fake", **body})
        assert response.status_code == 200
        return "five" in response.text

    async def leave(client, number):
        path, body = STREAMS[number % 3].values
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01 * (number % 5 + 1)):
                await client.post(server.url + path, json={"model": "fake", **body})
                await asyncio.sleep(1)
        return True

    async with httpx2.AsyncClient(timeout=10, limits=httpx2.Limits(max_connections=60)) as client:
        tasks = [(stay if number % 2 else leave)(client, number) for number in range(50)]
        assert all(await asyncio.gather(*tasks))
    eventually(lambda: server.users == 0)
    assert len(server.models) == 1
    assert server.post("/api/generate", {"model": "fake", "prompt": "Hi", "stream": False}).status_code == 200


def test_one_too_many_is_told_to_come_back(serve, eventually):
    server = serve(model=Thoughtful, max_queue=0, num_parallel=1)
    with connect(server) as connection:
        connection.sendall(spell("/api/generate", {"model": "fake", "prompt": "Hi"}))
        eventually(lambda: Thoughtful.started == 1)
        second = server.post("/api/generate", {"model": "fake", "prompt": "Hi"})
        assert second.status_code == 503 and "server busy, please try again" in second.json()["error"]
    eventually(lambda: server.users == 0)


def test_stopping_the_server_ends_a_stream_with_a_word(serve):
    server = serve(LONG, pause=0.01)
    body = {"model": "fake", "prompt": "Hi"}
    with server.client.stream("POST", server.url + "/api/generate", json=body) as response:
        pieces = response.iter_lines()
        next(pieces)
        started = time.monotonic()
        server.loop.call_soon_threadsafe(server.task.cancel)
        assert "the server is stopping" in list(pieces)[-1]
    server.thread.join(3)
    assert time.monotonic() - started < 3
    assert not server.model.alive and server.hang_ups == 1
