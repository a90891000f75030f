"""Vectors from a server that has a limit, a key and words of its own for what it refuses."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from ossian.engines.remote_embedder import RemoteEmbedder
from ossian.errors import ModelFailed

LONGEST = 100
KEY = "sesame"


class Embedding(BaseHTTPRequestHandler):
    """The length of each text as its vector; none for texts that are longer than it can read."""

    def do_POST(self) -> None:
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        if self.headers["Authorization"] != f"Bearer {KEY}":
            self.say(401, {"error": {"message": "a key is needed"}})
        elif any(len(text) > LONGEST for text in texts):
            self.say(400, {"error": {"message": "too long"}})
        else:
            self.say(200, {"data": [{"index": at, "embedding": [len(text)]} for at, text in enumerate(texts)]})

    def say(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Embedding) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


async def test_a_text_that_is_refused_is_known_by_its_beginning_and_holds_up_no_other(url: str) -> None:
    vectors = await RemoteEmbedder(url, "lengths", KEY).embed(["a" * 10, "b" * 350, "c" * 20])
    assert vectors == [[10.0], [87.0], [20.0]]


async def test_what_the_server_says_is_told(url: str) -> None:
    with pytest.raises(ModelFailed, match=r"401.*a key is needed"):
        await RemoteEmbedder(url, "lengths").embed(["a"])
