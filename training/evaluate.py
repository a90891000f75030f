"""Ask a running server the held-out cases and count the right answers: python training/evaluate.py [URL] [MODEL]"""

import argparse
import json
import re
import sys
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

BUILD = Path(__file__).parent / "build"
TIMEOUT_SECONDS = 120
MAX_TOKENS = 400

Case = dict[str, Any]
Reply = dict[str, Any]


class Server:
    def __init__(self, url: str, model: str, temperature: float, seed: int) -> None:
        self.url = url.rstrip("/").removesuffix("/v1") + "/v1/chat/completions"
        self.settings = {"model": model, "temperature": temperature, "seed": seed, "max_tokens": MAX_TOKENS}

    def fetch_reply(self, text: str, tools: list[Case] | None = None) -> Reply:
        body = self.settings | {"messages": [{"role": "user", "content": text}]} | ({"tools": tools} if tools else {})
        request = Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            message: Reply = json.load(response)["choices"][0]["message"]
        return message


def ask(server: Server, kind: str, case: Case) -> Reply:
    match kind:
        case "tools":
            return server.fetch_reply(case["question"], case["tools"])
        case "passages":
            return server.fetch_reply(f"Passage: {case['passage']}\n\nQuestion: {case['question']}")
        case _:
            return server.fetch_reply(case["question"])


def is_right(kind: str, case: Case, reply: Reply) -> bool:
    text = reply.get("content") or ""
    match kind:
        case "tools":
            return is_right_call(case, reply.get("tool_calls") or [])
        case "passages":
            return is_right_reading(case, text)
        case _:
            return all(any(fact.lower() in text.lower() for fact in group) for group in case["facts"])


def is_right_reading(case: Case, text: str) -> bool:
    """Every wanted text stands there as a whole word, and the answer is no copy of more than the passage."""
    stands = [re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text) for wanted in case["answer_contains"]]
    return all(stands) and len(text) <= len(case["passage"])


def is_right_call(case: Case, calls: list[Case]) -> bool:
    """Exactly one call, of the right function, with equal arguments; 5 equals 5.0."""
    if len(calls) != 1:
        return False
    function = calls[0]["function"]
    try:
        arguments = json.loads(function["arguments"])
    except json.JSONDecodeError:
        return False
    return bool(function["name"] == case["name"] and arguments == case["arguments"])


def measure(server: Server, kind: str, cases: list[Case]) -> tuple[list[Case], list[int]]:
    """Return the wrong cases with their replies, and the length of every answer."""
    wrong, lengths = [], []
    for case in cases:
        reply = ask(server, kind, case)
        lengths.append(len(reply.get("content") or ""))
        if not is_right(kind, case, reply):
            wrong.append({"kind": kind, "case": case, "reply": reply})
    return wrong, lengths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:11434")
    parser.add_argument("model", nargs="?", default="demo")
    parser.add_argument("--limit", type=int, help="cases of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--cases", type=Path, default=BUILD / "held_out.json")
    asked = parser.parse_args()
    server = Server(asked.url, asked.model, asked.temperature, asked.seed)
    with (BUILD / "wrong.jsonl").open("w") as out:
        for kind, cases in json.loads(asked.cases.read_text()).items():
            # A limit takes a sample, not the first topics of the first file.
            chosen = Random(asked.seed).sample(cases, min(asked.limit or len(cases), len(cases)))
            wrong, lengths = measure(server, kind, chosen)
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in wrong)
            right = len(chosen) - len(wrong)
            share = right / max(len(chosen), 1)
            print(
                f"{kind}: {share:.1%} right ({right} of {len(chosen)}), median answer {median(lengths or [0]):.0f} characters",
                flush=True,
            )
    print(f"wrong answers are in {BUILD / 'wrong.jsonl'}", file=sys.stderr)


if __name__ == "__main__":
    main()
