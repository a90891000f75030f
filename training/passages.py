"""Make passages of made-up facts, ask about one of them, and answer in the passage's own words."""

import re
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from harmony_text import Answer, Conversation, Message, OldAnswer, Thought, User
from questions import NO_THOUGHT_SHARE, any_day, any_effort
from values import TRAIN, Lexicon, Values, say

SLOT = re.compile(r"{(\w+)(?::(\w+))?}")
NOT_SAID = "The passage does not say."
MISSING_SHARE = 0.04
RIVAL_SHARE = 0.35
NUMBERED_SHARE = 0.2
MOST_QUESTIONS = 4
LABELS = ("Passage:", "Context:", "Document:", "Text:", "Here is a text:", "Notes:", "Read this:", "Excerpt:")
ORDERS = (
    "Answer from this passage:", "Answer the question from the passage.", "Use only the following text to answer.",
    "Use these documents to answer.", "Answer only from the context below.", "The user's documents:", "Relevant passages:",
)  # fmt: skip
ASIDES = (
    "Nobody knows why.", "This changed last year.", "More is planned.", "It was a long day.", "See below.", "The rest is unknown.",
    "Everybody was pleased.", "This is important.", "Please keep this in mind.", "It rained all week.", "The details follow.",
)  # fmt: skip
ANY_WORDS_SHARE = 0.4
SMALL_WORDS = ("the", "a", "of", "in", "is", "to", "for", "on", "with", "at", "was", "by", "has", "and", "under", "from", "are", "not")  # fmt: skip
ANY_QUESTIONS = (
    "What about {}?", "What is said about {}?", "Where does it say {}?", "Which sentence has {}?", "Who or what is {}?", "What is {}?",
    "Tell me about {}", "When was {}?", "Who {}?", "How many {}?", "Which {}?", "Where is {}?", "What does {} do?", "Is there something about {}?",
    "Who has the {}?", "What happened to {}?", "How long is {}?", "Why {}?", "{}?", "When does {} begin?",
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


def shared_words(fact: Fact) -> str:
    """The longest run of words that question and sentence share around the subject, as the question has them.

    >>> shared_words(Fact("The mayor of Cork is Ann.", "Who is the mayor of Cork?", "Cork", ("Ann",)))
    'the mayor of Cork'
    """
    asked = fact.question.rstrip("?").split()
    said = [word.rstrip(".,:;").lower() for word in fact.sentence.split()]
    runs = ((at, end) for at in range(len(asked)) for end in range(at + 1, len(asked) + 1))
    shared = (
        " ".join(asked[at:end])
        for at, end in runs
        if any(said[start : start + end - at] == [word.lower() for word in asked[at:end]] for start in range(len(said)))
    )
    return max((text for text in shared if fact.subject in text), key=len, default=fact.subject)


class Reader:
    """Makes passages, and conversations in which they are read."""

    def __init__(self, schemas: list[Schema], rng: Random, words: Lexicon = TRAIN) -> None:
        self.schemas = schemas
        self.rng = rng
        self.values = Values(rng, words)

    def conversation(self) -> Conversation:
        """A passage and one to four questions about it; the last may be one that it does not answer."""
        schema = self.rng.choice(self.schemas)
        facts = self.facts(schema)
        text, marks = self.write(facts)
        asked = [(fact, fact.sentence + mark) for fact, mark in zip(facts, marks, strict=True)]
        asked = self.rng.sample(asked, self.rng.randint(1, min(len(asked), MOST_QUESTIONS)))
        missing = make_fact(schema, self.values)
        if self.rng.random() < MISSING_SHARE and missing.subject not in text:
            asked[-1] = (missing, NOT_SAID)
        instructions, first = self.lay_out(text, self.vary(asked[0][0].question))
        messages: list[Message] = []
        for at, (fact, answer) in enumerate(asked):
            messages.append(User(self.vary(fact.question) if at else first))
            messages += self.reply(fact, answer) if at == len(asked) - 1 else (OldAnswer(answer),)
        return Conversation(
            tuple(messages), date=any_day(self.rng), reasoning=any_effort(self.rng), instructions=instructions
        )

    def reply(self, fact: Fact, answer: str) -> tuple[Message, ...]:
        thought = Thought(f"The question is about {shared_words(fact)}. I look in the passage.")
        return (Answer(answer),) if self.rng.random() < NO_THOUGHT_SHARE else (thought, Answer(answer))

    def facts(self, schema: Schema) -> list[Fact]:
        """One to five facts about different subjects; a rival of the first says the same of somebody else."""
        facts: dict[str, Fact] = {}
        for at in range(self.rng.choice((1, 2, 2, 3, 3, 4, 5))):
            chosen = schema if at == 0 or self.rng.random() < RIVAL_SHARE else self.rng.choice(self.schemas)
            fact = self.any_words() if self.rng.random() < ANY_WORDS_SHARE else make_fact(chosen, self.values)
            if not any(fact.subject in other.sentence or other.subject in fact.sentence for other in facts.values()):
                facts[fact.subject] = fact
        shuffled = list(facts.values())
        self.rng.shuffle(shuffled)
        return shuffled

    def any_words(self) -> Fact:
        """A sentence of any words in any order, asked for by two of them: it can be found and copied, never guessed."""
        values = self.values
        makers = (values.noun, values.noun, values.adjective, values.syllables, values.first, values.city, self.verb)
        words = [str(self.rng.choice(makers)()) for _ in range(self.rng.randint(3, 7))]
        words += [str(values.make(self.rng.choice(("number", "date", "time", "code", "person", "file", "decimal"))))]
        self.rng.shuffle(words)
        at = self.rng.randrange(len(words) - 1)
        for spot in sorted(self.rng.sample(range(1, len(words)), 2), reverse=True):
            if spot != at + 1:
                words.insert(spot, self.rng.choice(SMALL_WORDS))
                at += spot <= at
        subject = f"{words[at]} {words[at + 1]}"
        sentence = " ".join(words)
        sentence = (sentence if at == 0 else sentence[0].upper() + sentence[1:]) + "."
        return Fact(sentence, self.rng.choice(ANY_QUESTIONS).format(subject), subject, (sentence,))

    def verb(self) -> str:
        return self.rng.choice(self.values.words.verbs)

    def write(self, facts: list[Fact]) -> tuple[str, list[str]]:
        """The passage, and the mark that each fact's answer ends with where the blocks are numbered."""
        sentences = [fact.sentence for fact in facts]
        if self.rng.random() < NUMBERED_SHARE:
            blocks = [f"[{at}] {self.values.path()}\n{sentence}" for at, sentence in enumerate(sentences, 1)]
            return "\n\n".join(blocks), [f" [{at}]" for at in range(1, len(facts) + 1)]
        return self.join(sentences), [""] * len(facts)

    def join(self, sentences: list[str]) -> str:
        if self.rng.random() < 0.25:
            sentences.insert(self.rng.randint(0, len(sentences)), self.rng.choice(ASIDES))
        shape = self.rng.random()
        if shape < 0.15:
            return "\n".join(f"- {sentence}" for sentence in sentences)
        plain = all(sentence[-1] == "." for sentence in sentences)
        return " ".join(sentences) if plain and shape < 0.8 else "\n".join(sentences)

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
