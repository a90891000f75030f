"""A Hugging Face Hub on loopback: what `huggingface_hub` and our pull ask of the real one, and misfortunes on demand.

python tests/loopback_hub.py FILE [BYTES_PER_SECOND]     serve FILE as gpt-oss:20b, for a look at `ossian pull`
"""

import hashlib
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PIECE_BYTES = 16 << 10
COMMIT = "c" * 40


@dataclass
class LoopbackHub:
    """Files by repository and name. What it was asked and what it sent is kept.

    break_after       bytes after which the connection of each of the first `breaks` GETs is cut
    bytes_per_second  0: as fast as it goes
    wrong_digest      tell a digest that the file does not have
    knows_ranges      False: a whole file in answer to everything
    statuses          answered to the next GETs instead of the file
    """

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    break_after: int = 0
    breaks: int = 0
    bytes_per_second: int = 0
    wrong_digest: bool = False
    knows_ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    ranges: list[int] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    sent: int = 0
    sending: int = 0
    url: str = ""

    def add(self, repository: str, file: str, data: bytes) -> bytes:
        self.files[repository, file] = data
        return data

    def digest(self, data: bytes) -> str:
        return hashlib.sha256(b"another file" if self.wrong_digest else data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        hub = self.server.hub
        hub.requests.append(f"{self.command} {self.path}")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/main)?", self.path.partition("?")[0]):
            return self.list_files(hub, match[1])
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/main/(.+)", self.path)
        if match is None or match[1] not in {repository for repository, _ in hub.files}:
            return self.say(404, {"X-Error-Code": "RepoNotFound"})
        data = hub.files.get((match[1], match[2]))
        if data is None:
            return self.say(404, {"X-Error-Code": "EntryNotFound"})
        told = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{hub.digest(data)}"', "X-Linked-Size": str(len(data))}
        hub.tokens.append(self.headers.get("Authorization", ""))
        if self.command == "HEAD":
            return self.say(200, {**told, "ETag": f'"{hub.digest(data)}"'}, size=len(data))
        return self.send_file(hub, data)

    def list_files(self, hub: LoopbackHub, repository: str) -> None:
        names = [name for owner, name in hub.files if owner == repository]
        if not names:
            return self.say(404, {"X-Error-Code": "RepoNotFound"})
        siblings = ",".join(f'{{"rfilename":"{name}"}}' for name in names)
        return self.say(200, {}, f'{{"id":"{repository}","sha":"{COMMIT}","siblings":[{siblings}]}}'.encode())

    def send_file(self, hub: LoopbackHub, data: bytes) -> None:
        if hub.statuses:
            return self.say(hub.statuses.pop(0), {})
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and hub.knows_ranges else 0
        hub.ranges.append(int(asked[1]) if asked else 0)
        self.send_response(206 if asked and hub.knows_ranges else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if asked and hub.knows_ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        cut = start + hub.break_after if hub.breaks else len(data)
        hub.breaks -= bool(hub.breaks)
        hub.sending += 1
        try:
            self.send_pieces(hub, data[start:cut])
        except OSError:
            pass
        finally:
            hub.sending -= 1
        self.close_connection = cut < len(data)
        return None

    def send_pieces(self, hub: LoopbackHub, data: bytes) -> None:
        for at in range(0, len(data), PIECE_BYTES):
            piece = data[at : at + PIECE_BYTES]
            self.wfile.write(piece)
            hub.sent += len(piece)
            if hub.bytes_per_second:
                time.sleep(len(piece) / hub.bytes_per_second)

    def say(self, status: int, headers: dict[str, str], body: bytes = b"", size: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if size is None else size))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: LoopbackHub, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.hub = hub
        hub.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def running_hub() -> Iterator[LoopbackHub]:
    server = Server(LoopbackHub())
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.hub
    server.shutdown()
    server.server_close()


def main() -> None:
    hub = LoopbackHub(bytes_per_second=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    hub.add("ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4.gguf", Path(sys.argv[1]).read_bytes())
    server = Server(hub)
    print(f"HF_ENDPOINT={hub.url}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
