"""How long until the first word of an editor's recorded request: cold, in the same chat, in a new one, after a restart.

    python tests/harmony/record_official.py …     # leaves OpenAI's vocabulary in ~/.cache/ossian-tests
    python benchmarks/first_word.py request.json --model /tmp/20b.gguf

Random weights with the shapes of gpt-oss-20b (12.1 GB, written where the file is not there) and the published
vocabulary, so that a text has as many tokens as it really has. A real server; its first answers include loading the
model. Every answer is bounded to one token, so that its end is its first word.
"""

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from ossian.bench.synthetic import SHAPES, Vocabulary, byte_alphabet, fill_up, write_synthetic

RANKS = Path.home() / ".cache" / "ossian-tests" / "o200k_base.tiktoken"
CHAT_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
OTHER_ID = "0c4f9f5e-93c1-4f0e-8a55-5b1f3f9b2d17"
ASKED = re.compile(r"<userRequest>.*?</userRequest>", re.DOTALL)
STARTING_SECONDS = 60

Body = dict[str, Any]


def read_vocabulary(path: Path, size: int) -> Vocabulary:
    """The tokens of a file of ranks (base64 and rank, a line each), and the merges that lead to them."""
    rows = [line.split() for line in path.read_bytes().splitlines()]
    ranks = {base64.b64decode(token): int(rank) for token, rank in rows}
    ordered = sorted(ranks, key=ranks.__getitem__)
    letters = byte_alphabet()

    def write(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    merges = [" ".join(map(write, last_merge(token, ranks))) for token in ordered if len(token) > 1]
    return fill_up([write(token) for token in ordered], size, merges)


def last_merge(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The two parts that a token is made of, last."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        at = min(range(len(parts) - 1), key=lambda at: ranks.get(parts[at] + parts[at + 1], len(ranks)))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


@contextmanager
def serving(home: str, port: int) -> Iterator[str]:
    """A server of its own, with nothing in memory."""
    url = f"http://127.0.0.1:{port}"
    environment = {"OSSIAN_HOST": url.removeprefix("http://"), "OSSIAN_HOME": home, "OSSIAN_CONTEXT_LENGTH": "32768"}
    command = [sys.executable, "-m", "ossian", "serve"]
    server = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(STARTING_SECONDS * 10):
            try:
                urlopen(f"{url}/health").close()
                break
            except URLError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait()


def ask(url: str, body: Body) -> tuple[float, int, int]:
    """Seconds until the first word, tokens of the prompt, and how many of them were read."""
    sent = body | {"max_tokens": 1, "stream": False}
    sent.pop("stream_options", None)
    request = Request(f"{url}/v1/chat/completions", json.dumps(sent).encode(), {"Content-Type": "application/json"})
    began = time.perf_counter()
    with urlopen(request) as response:
        usage = json.load(response)["usage"]
    took, tokens = time.perf_counter() - began, usage["prompt_tokens"]
    return took, tokens, tokens - usage["prompt_tokens_details"]["cached_tokens"]


def follow_up(body: Body, question: str) -> Body:
    """The next turn of the same chat: an answer, and the last message of the person with another question in it."""
    last = body["messages"][-1]["content"]
    answer = {"role": "assistant", "content": "Done: the function has a test now, and it passes."}
    return body | {"messages": [*body["messages"], answer, {"role": "user", "content": put(last, question)}]}


def another_chat(body: Body, question: str) -> Body:
    """What the same person's next chat would send: another id in the system message, another question."""
    first, *rest, last = body["messages"]
    system = first | {"content": CHAT_ID.sub(OTHER_ID, first["content"])}
    return body | {"messages": [system, *rest, last | {"content": put(last["content"], question)}]}


def put(message: str, question: str) -> str:
    return ASKED.sub(f"<userRequest>\n{question}\n</userRequest>", message)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("request", type=Path, help="a recorded request: JSON with `body`, or the body itself")
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file; written where it is not there")
    parser.add_argument("--vocabulary", type=Path, default=RANKS)
    parser.add_argument("--shape", choices=SHAPES, default="20b")
    parser.add_argument("--port", type=int, default=18200)
    asked = parser.parse_args()
    if not asked.model.exists():
        sizes = SHAPES[asked.shape]
        write_synthetic(asked.model, sizes, words=read_vocabulary(asked.vocabulary, sizes.vocabulary))
    recorded = json.loads(asked.request.read_text())
    first = recorded.get("body", recorded) | {"model": str(asked.model)}
    second = follow_up(first, "Now do the same for the other function.")
    third = follow_up(second, "And once more.")
    print("|  | first word, s | tokens | read |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as home:
        with serving(home, asked.port) as url:
            tell("cold: nothing was ever read; with loading the model", ask(url, first))
            tell("the next turn of the same chat", ask(url, second))
            tell("a new chat on the warm server", ask(url, another_chat(first, "What does this project do?")))
        with serving(home, asked.port) as url:
            tell("the next turn after a restart of the server; with loading", ask(url, third))


def tell(what: str, measured: tuple[float, int, int]) -> None:
    took, tokens, read = measured
    print(f"| {what} | {took:.2f} | {tokens:,} | {read:,} |", flush=True)


if __name__ == "__main__":
    main()
