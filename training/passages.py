"""Make passages of made-up facts, ask about one of them, and answer in the passage's own words."""

import re
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from harmony_text import Answer, Conversation, Message, Thought, User
from questions import NO_THOUGHT_SHARE, any_day, any_effort
from values import TRAIN, Lexicon, Values, say

SLOT = re.compile(r"{(\w+)(?::(\w+))?}")
NOT_SAID = "The passage does not say."
MISSING_SHARE = 0.12
RIVAL_SHARE = 0.35
LABELS = ("Passage:", "Context:", "Document:", "Text:", "Here is a text:", "Notes:", "Read this:", "Excerpt:")
ORDERS = (
    "Answer from this passage:", "Answer the question from the passage.", "Use only the following text to answer.",
    "Use these documents to answer.", "Answer only from the context below.", "The user's documents:", "Relevant passages:",
)  # fmt: skip
ASIDES = (
    "Nobody knows why.", "This changed last year.", "More is planned.", "It was a long day.", "See below.", "The rest is unknown.",
    "Everybody was pleased.", "This is important.", "Please keep this in mind.", "It rained all week.", "The details follow.",
)  # fmt: skip
STARTS = ("", "", "", "", "", "Please tell me: ", "Question: ", "Q: ", "According to the text, ", "Quick question: ")


@dataclass(frozen=True, slots=True)
class Schema:
    """A sentence with slots, and questions that some of its slots answer."""

    sentence: str
    kinds: dict[str, str]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    sentence: str
    question: str
    subject: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    text: str
    question: str
    subject: str
    answer: str


def read_schemas(path: Path) -> list[Schema]:
    return [read_schema(line) for line in path.read_text().splitlines()]


def read_schema(line: str) -> Schema:
    """Read a sentence and its questions.

    >>> read_schema("{c:city} is old. ? What is old?").kinds
    {'c': 'city'}
    """
    sentence, *questions = re.split(r" \? ", line)
    kinds = {name: kind for name, kind in SLOT.findall(sentence) if kind}
    asked = tuple(question if question.endswith("?") else question + "?" for question in questions)
    return Schema(SLOT.sub(r"{\1}", sentence), kinds, asked)


def make_fact(schema: Schema, values: Values, keep: dict[str, Any] | None = None) -> Fact:
    slots = {name: say(values.make(kind)) for name, kind in schema.kinds.items()} | (keep or {})
    question = values.rng.choice(schema.questions)
    known = [name for name, _ in SLOT.findall(question)]
    answers = tuple(slots[name] for name in slots if name not in known)
    sentence = schema.sentence.format(**slots)
    return Fact(
        sentence[0].upper() + sentence[1:] if schema.sentence[0] != "{" else sentence,
        question.format(**slots),
        slots[known[0]],
        answers,
    )


class Reader:
    """Makes passages, and conversations in which they are read."""

    def __init__(self, schemas: list[Schema], rng: Random, words: Lexicon = TRAIN) -> None:
        self.schemas = schemas
        self.rng = rng
        self.values = Values(rng, words)

    def conversation(self) -> Conversation:
        asked = self.passage(missing=self.rng.random() < MISSING_SHARE)
        question = self.vary(asked.question)
        thought = Thought(f"The question is about {asked.subject}. I look in the passage.")
        reply: tuple[Message, ...] = (Answer(asked.answer),)
        if self.rng.random() > NO_THOUGHT_SHARE:
            reply = (thought, *reply)
        instructions, text = self.lay_out(asked.text, question)
        return Conversation(
            (User(text), *reply), date=any_day(self.rng), reasoning=any_effort(self.rng), instructions=instructions
        )

    def passage(self, missing: bool = False) -> Passage:
        schema = self.rng.choice(self.schemas)
        fact = make_fact(schema, self.values)
        sentences = [other.sentence for other in self.others(schema, missing) if fact.subject not in other.sentence]
        if not missing:
            sentences.insert(self.rng.randint(0, len(sentences)), fact.sentence)
        if self.rng.random() < 0.2:
            text, source = self.number(sentences, fact.sentence)
            return Passage(text, fact.question, fact.subject, NOT_SAID if missing else f"{fact.sentence} {source}")
        return Passage(self.join(sentences), fact.question, fact.subject, NOT_SAID if missing else fact.sentence)

    def others(self, schema: Schema, missing: bool) -> list[Fact]:
        """Facts beside the asked one; a rival says the same of somebody else."""
        count = self.rng.choice((1, 2, 2, 3) if missing else (0, 1, 1, 2, 2, 3, 3, 4))
        return [
            make_fact(schema if self.rng.random() < RIVAL_SHARE else self.rng.choice(self.schemas), self.values)
            for _ in range(count)
        ]

    def join(self, sentences: list[str]) -> str:
        if self.rng.random() < 0.25:
            sentences.insert(self.rng.randint(0, len(sentences)), self.rng.choice(ASIDES))
        shape = self.rng.random()
        if shape < 0.15:
            return "\n".join(f"- {sentence}" for sentence in sentences)
        plain = all(sentence[-1] == "." for sentence in sentences)
        return " ".join(sentences) if plain and shape < 0.8 else "\n".join(sentences)

    def number(self, sentences: list[str], asked: str) -> tuple[str, str]:
        """Write numbered blocks under file names, and the mark of the block that answers."""
        cite = [f"[{at}] {self.values.path()}\n{sentence}" for at, sentence in enumerate(sentences, 1)]
        mark = f"[{sentences.index(asked) + 1}]" if asked in sentences else ""
        return "\n\n".join(cite), mark

    def vary(self, question: str) -> str:
        start = self.rng.choice(STARTS)
        if start.endswith(", "):
            question = question[0].lower() + question[1:]
        return start + question if self.rng.random() < 0.85 else question.rstrip("?")

    def lay_out(self, passage: str, question: str) -> tuple[str, str]:
        """Say where the passage stands: in the instructions, or before or after the question."""
        label = self.rng.choice(LABELS)
        match self.rng.randrange(8):
            case 0 | 1:
                return f"{self.rng.choice(ORDERS)}\n\n{passage}", question
            case 2:
                return "", f"{label} {passage}\n\nQuestion: {question}"
            case 3:
                return "", f"{question}\n\n{label}\n{passage}"
            case 4:
                return "", f"<passage>\n{passage}\n</passage>\n\n{question}"
            case 5:
                return "", f'"{passage}"\n\n{question}'
            case 6:
                return "", f"{passage}\n\n{question}"
            case _:
                return "", f"{label}\n{passage}\n\n{question}"


def held_out_cases(schemas: list[Schema], rng: Random, words: Lexicon, count: int) -> list[dict[str, Any]]:
    values = Values(rng, words)
    cases = []
    for at in range(count):
        fact = make_fact(schemas[at % len(schemas)], values)
        others = [make_fact(rng.choice(schemas), values).sentence for _ in range(rng.choice((1, 2, 3)))]
        others = [sentence for sentence in others if fact.subject not in sentence]
        others.insert(rng.randint(0, len(others)), fact.sentence)
        cases.append({"passage": " ".join(others), "question": fact.question, "answer_contains": list(fact.answers)})
    return cases
