"""A model that recites: for tests, for work on the page and on the editor, where exact words are wanted.

Asked `call NAME {"json": "arguments"}` it calls that tool; given a script, it recites its replies in turn; else it
echoes.
"""

import asyncio
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ossian.chat import (
    ChatRequest,
    CompletionRequest,
    Done,
    Event,
    Events,
    Logprob,
    Message,
    ModelInfo,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from ossian.store.catalogue import ModelFile

CONTEXT_TOKENS = 131_072
CALL = re.compile(r"^call (\S+) (\{.*\})$", re.MULTILINE)
Reply = Sequence[Event]

FAKE_FILE = ModelFile(
    name="fake",
    path=Path("fake"),
    size=0,
    digest="0" * 64,
    modified_at=datetime(2026, 1, 1, tzinfo=UTC),
    metadata={"general.architecture": "gpt-oss", "gpt-oss.context_length": CONTEXT_TOKENS},
    quantization="none",
    capabilities=("completion", "tools", "thinking"),
)


def find_fake(name: str) -> ModelFile | None:
    return FAKE_FILE if name.partition(":")[0] == "fake" else None


def words(text: str) -> list[str]:
    """Pieces as a tokenizer would cut them: each word with the blank before it."""
    return re.findall(r"\s*\S+\s*$|\s*\S+", text)


def count_words(request: ChatRequest) -> int:
    return sum(len(words(message.content)) for message in request.messages)


def improvise(request: ChatRequest) -> Iterator[Event]:
    """The reply without a script: the call that was asked for, the tool's words, or an echo."""
    last = request.messages[-1] if request.messages else Message("user")
    asked = CALL.search(last.content)
    if request.think:
        yield Thinking(f"{last.role} said {len(words(last.content))} words.")
    if last.role == "tool":
        yield Text(f"The tool answered: {last.content}")
    elif asked and request.tool_choice != "none" and asked[1] in {tool.name for tool in request.tools}:
        yield ToolCall(f"call_fake{len(request.messages):04}", asked[1], asked[2])
    else:
        yield Text(f"You said: {last.content}")


class FakeModel:
    """Satisfies Model. `pause` seconds pass before each word."""

    def __init__(self, script: Sequence[Reply] = (), pause: float = 0.0) -> None:
        self._replies = itertools.cycle(script) if script else None
        self._pause = pause
        self.alive = True
        self.requests: list[ChatRequest] = []
        self.hang_ups = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("fake", CONTEXT_TOKENS, 0, 0, FAKE_FILE.capabilities)

    async def chat(self, request: ChatRequest) -> Events:
        self.requests.append(request)
        reply = tuple(next(self._replies)) if self._replies else tuple(improvise(request))
        async for event in self._recite(reply, count_words(request)):
            yield event

    async def complete(self, request: CompletionRequest) -> Events:
        prompt = request.prompt if isinstance(request.prompt, str) else await self.detokenize(request.prompt)
        if request.echo:
            yield Text(prompt, tuple(Logprob(letter, -1.0 if at else math.nan) for at, letter in enumerate(prompt)))
        async for event in self._recite((Text(f"You said: {prompt}"),), len(words(prompt))):
            yield event

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """Words of the query that a text has."""
        return [float(len(set(query.split()) & set(text.split()))) for text in texts]

    async def tokenize(self, text: str) -> list[int]:
        """A token a letter."""
        return [ord(letter) for letter in text]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))

    async def count(self, request: ChatRequest) -> int:
        return count_words(request)

    async def close(self) -> None:
        self.alive = False

    async def _recite(self, reply: Reply, prompt_tokens: int) -> Events:
        said = 0
        try:
            for event in reply:
                for piece in split(event):
                    await asyncio.sleep(self._pause)
                    said += 1
                    yield piece
        except (GeneratorExit, asyncio.CancelledError):
            self.hang_ups += 1
            raise
        if not isinstance(reply[-1], Done):
            yield Done("stop", Usage(prompt_tokens, 0, said, 1e-3, 1e-3, 1e-3, 1e-3))


def split(event: Event) -> Iterator[Event]:
    """A long event as the many small ones an engine gives."""
    match event:
        case Thinking(text):
            yield from (Thinking(word) for word in words(text))
        case Text(text, logprobs=()):
            yield from (Text(word) for word in words(text))
        case _:
            yield event
