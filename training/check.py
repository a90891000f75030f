"""Does llama.cpp compute what PyTorch computes? Compares token ids and greedy log-probabilities of an exported file."""

import argparse
import json
import random
import urllib.request
from pathlib import Path
from typing import Any

import torch
import xllamacpp

from export import MODEL, read_model
from model import Model, Shape
from tokenizer import TOKENIZER, Encoder

STEPS, LIKELIEST = 8, 10
# llama.cpp rounds activations to int8 before every product with a quantized matrix; PyTorch does not.
ALLOWED = 0.25
PROMPTS = (
    "What is a context window?",
    "def add(a, b):\n    return a + b\n\nprint(add(1, 2))\n",
    "The quick brown fox jumps over the lazy dog. " * 4,
    "One, two, three; eins, zwei, drei. " * 30,  # longer than the window of 128
    "".join(f"Line {number}: the value is {number * 37 % 101}.\n" for number in range(60)),
)
PIECES = (
    "Hello world", "don't we'll I'M", "HTTPServer isOpen", "x = {'a': [1, 22, 333, 4444]}\n", "    return\n\n\n", "\t\tif x:\r\n",
    "é à ü ñ", "naïve Ünïcode", "cafe\u0301", "中文字符", "日本語テキスト", "Привет Мир", "😀👍🏽", "مرحبا", "  trailing  ", "a/b//c\n/d",
    "1,234.56", "!!!???\n\n", "\u00a0nbsp", "ﬁ ligature", "0x1F4A9", "snake_case_name", "CamelCaseÉtude", "…—“quotes”",
)  # fmt: skip


class Llama:
    """llama.cpp's own HTTP server on a free port of this machine."""

    def __init__(self, path: Path) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.port, params.verbosity = 4096, 1, 0, 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
        self.server = xllamacpp.Server(params)

    def post(self, route: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(self.server.listening_address + route, json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def tokenize(self, text: str) -> list[int]:
        body = {"content": text, "add_special": False, "parse_special": False}
        return self.post("/tokenize", body)["tokens"]  # type: ignore[no-any-return]

    def continue_greedily(self, ids: list[int]) -> list[dict[str, Any]]:
        body = {"prompt": ids, "n_predict": STEPS, "temperature": 0, "n_probs": LIKELIEST, "ignore_eos": False}
        return self.post("/completion", body | {"cache_prompt": False})["completion_probabilities"]  # type: ignore[no-any-return]


def texts(count: int) -> list[str]:
    """Pieces alone and joined at random, the same every time."""
    chooser = random.Random(20)
    mixed = ["".join(chooser.choices([*PIECES, " ", "\n"], k=8)) for _ in range(count - len(PIECES))]
    return [*PIECES, *mixed]


def compare_tokens(llama: Llama, encoder: Encoder, count: int = 200) -> int:
    """How many of the texts get different ids."""
    different = 0
    for text in texts(count):
        ours, theirs = encoder.encode(text), llama.tokenize(text)
        if ours != theirs:
            different += 1
            print(f"different ids for {text!r}:\n  ours   {ours}\n  theirs {theirs}")
        assert encoder.decode(ours) == text
    print(f"tokenizer: {count - different} of {count} texts get equal ids")
    return different


@torch.no_grad()
def compare_prompt(llama: Llama, model: Model, ids: list[int]) -> tuple[float, int]:
    """The biggest difference among the likeliest log-probabilities, and at how many steps the first choice is equal."""
    biggest, equal, ids = 0.0, 0, list(ids)
    for step in llama.continue_greedily(ids):
        ours = model.logits(torch.tensor([ids]))[0, -1].log_softmax(-1)
        for entry in step["top_logprobs"]:
            biggest = max(biggest, abs(entry["logprob"] - float(ours[entry["id"]])))
        equal += int(ours.argmax()) == step["id"]
        ids.append(step["id"])
    return biggest, equal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    chosen = parser.parse_args()
    model, encoder, llama = Model(Shape()), Encoder(chosen.tokenizer), Llama(chosen.model)
    model.load_state_dict(read_model(chosen.model))
    different, worst = compare_tokens(llama, encoder), 0.0
    for prompt in PROMPTS:
        ids = encoder.encode(prompt)
        biggest, equal = compare_prompt(llama, model, ids)
        worst = max(worst, biggest)
        print(f"{len(ids):4} tokens: biggest difference {biggest:.4f}, first choice equal at {equal} of {STEPS} steps")
    print(f"biggest difference of all: {worst:.4f}")
    if different or worst > ALLOWED:
        raise SystemExit("llama.cpp and PyTorch disagree")


if __name__ == "__main__":
    main()
