"""Write the training documents: python training/documents.py --train 130000 --valid 600 --out training/build"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import passages
import tool_calls
from copies import Repeater
from harmony_text import Answer, Conversation, Message, OldAnswer, Part, Thought, write_parts
from passages import Reader, read_schemas
from questions import Asker, read_topics
from tool_calls import Caller, read_specs
from values import HELD_OUT

HERE = Path(__file__).parent
SHARES = {"question": 0.20, "tool": 0.45, "passage": 0.33, "copy": 0.02}
PLAIN_KINDS = ("question", "passage", "copy")  # those that need no tools
ALONE_SHARE = 0.45
FOR_CACHE_SHARE = 0.5
EARLIER_TURNS = 3
HELD_OUT_CASES = 100


class Mixer:
    """Draws documents of each kind in its share; drawing at random is the shuffle."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.topics = read_topics(HERE / "topics")
        asker = Asker(self.topics, self.rng)
        caller = Caller(read_specs(HERE / "tools_train.txt"), asker, self.rng)
        reader = Reader(read_schemas(HERE / "passages_train.txt"), self.rng)
        self.makers = {
            "question": asker.conversation,
            "tool": caller.conversation,
            "passage": reader.conversation,
            "copy": Repeater(self.rng).conversation,
        }

    def documents(self, count: int) -> Iterator[tuple[str, list[Part]]]:
        for _ in range(count):
            (kind,) = self.rng.choices(list(SHARES), list(SHARES.values()))
            talk = self.makers[kind]()
            whole = talk if talk.tools or self.rng.random() < ALONE_SHARE else self.after_others(talk)
            yield kind, write_parts(whole, for_cache=self.rng.random() < FOR_CACHE_SHARE)

    def after_others(self, talk: Conversation) -> Conversation:
        """The same question as the last of several, so that one system message serves many answers."""
        earlier: list[Message] = []
        for _ in range(self.rng.randint(1, EARLIER_TURNS)):
            (kind,) = self.rng.choices(PLAIN_KINDS, [SHARES[kind] for kind in PLAIN_KINDS])
            other = self.makers[kind]()
            if not other.instructions:
                earlier += [
                    OldAnswer(m.text) if isinstance(m, Answer) else m
                    for m in other.messages
                    if not isinstance(m, Thought)
                ]
        return replace(talk, messages=(*earlier, *talk.messages))


def write_documents(documents: Iterator[tuple[str, list[Part]]], path: Path) -> None:
    lengths: dict[str, list[int]] = {kind: [] for kind in SHARES}
    with path.open("w") as out:
        for kind, parts in documents:
            out.write(json.dumps({"kind": kind, "parts": parts}, ensure_ascii=False) + "\n")
            lengths[kind].append(sum(len(text) for text, _ in parts))
    for kind, sizes in lengths.items():
        print(
            f"{path.name}: {len(sizes)} {kind} documents of {sum(sizes) // max(len(sizes), 1)} characters",
            file=sys.stderr,
        )


def held_out(mixer: Mixer, seed: int, count: int) -> dict[str, list[dict[str, Any]]]:
    rng = Random(seed)
    questions = [
        {"id": topic.id, "question": question, "facts": topic.facts}
        for topic in mixer.topics
        for question in topic.held_out
    ]
    specs, schemas = read_specs(HERE / "tools_held_out.txt"), read_schemas(HERE / "passages_held_out.txt")
    return {
        "questions": questions,
        "tools": tool_calls.held_out_cases(specs, rng, HELD_OUT, count),
        "passages": passages.held_out_cases(schemas, rng, HELD_OUT, count),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=130000)
    parser.add_argument("--valid", type=int, default=600)
    parser.add_argument("--cases", type=int, default=HELD_OUT_CASES, help="held-out calls and passages to measure by")
    parser.add_argument("--out", type=Path, default=HERE / "build")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    mixer = Mixer(asked.seed)
    write_documents(mixer.documents(asked.train), asked.out / "train.jsonl")
    write_documents(mixer.documents(asked.valid), asked.out / "valid.jsonl")
    (asked.out / "held_out.json").write_text(
        json.dumps(held_out(mixer, asked.seed, asked.cases), ensure_ascii=False, indent=1)
    )


if __name__ == "__main__":
    main()
