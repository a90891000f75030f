"""The vocabulary: what is asked, what is answered, and who can answer. Pure frozen values; knows nothing else."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "developer", "user", "assistant", "tool"]
Reasoning = Literal["low", "medium", "high"]
StopReason = Literal["stop", "length"]

MODEL_CAPABILITIES = ("completion", "tools", "insert", "vision", "audio", "embedding", "rerank", "thinking", "image")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of an offered function: part of a message, and an event. `arguments` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    `thinking` and `calls` belong to the assistant; `call_id` and `name` (of the tool) to a tool's result.
    `written` is the assistant's turn in the token ids it wrote, with what opened it, where they are remembered.
    """

    role: Role
    content: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""
    written: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call. `parameters` is a JSON schema of an object, kept as it was sent.

    strict: arguments must satisfy every keyword of the schema, and one that cannot be kept is refused; else such a
    keyword is advice to the model.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class OnlyTool:
    """The caller's choice of the one tool that must be called."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | OnlyTool


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn. None: the model's own default.

    logit_bias    added to logits, by token id
    samplers      which of these means are used, and in which order, by llama.cpp's names for them
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    samplers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What any front door asks of any model.

    think            False: no thinking is made or shown
    max_tokens       bound on all that is written, thinking included; None: up to the context
    context          tokens of context the caller wants (Ollama's num_ctx); None: what the machine gives
    keep_alive       seconds to stay loaded afterwards; negative: for ever; None: the setting
    format           None, "json", or a JSON schema that the final answer must satisfy
    tool_choice      whether a tool may, must or must not be called, or which one must
    one_call         at most one tool is called in this answer
    top_logprobs     None: no log-probabilities; else those of every token of the answer, and of so many likeliest ones
    past             token ids of an earlier conversation, which this one goes on from: `tokens` of its Done
    keep_tokens      Done is to hold the tokens of prompt and answer
    documents        collections of the person's documents to answer from
    document_tools   the model may look into them by itself
    A last message of the assistant is a prefill: the model goes on from there.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    reasoning: Reasoning = "medium"
    think: bool = True
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    context: int | None = None
    keep_alive: float | None = None
    format: Literal["json"] | Mapping[str, Any] | None = None
    tool_choice: ToolChoice = "auto"
    one_call: bool = False
    top_logprobs: int | None = None
    past: tuple[int, ...] = ()
    keep_tokens: bool = False
    documents: tuple[str, ...] = ()
    document_tools: bool = False


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Raw text, or token ids, to be continued without any conversation around it.

    suffix           what must follow
    past             token ids that stand before the prompt
    keep_tokens      as in ChatRequest
    writing_seconds  bound on the time of writing, after which the line is ended
    echo             the prompt comes first, with the log-probabilities of its tokens
    """

    model: str
    prompt: str | tuple[int, ...]
    suffix: str = ""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    context: int | None = None
    keep_alive: float | None = None
    format: Literal["json"] | Mapping[str, Any] | None = None
    top_logprobs: int | None = None
    past: tuple[int, ...] = ()
    keep_tokens: bool = False
    writing_seconds: float | None = None
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Logprob:
    """How likely a token was: natural logarithms, before temperature. `likeliest` are the choices, the best first.

    A prompt's first token, before which nothing stands, has not a number.
    """

    text: str
    logprob: float
    bytes: bytes = b""
    likeliest: tuple["Logprob", ...] = ()


@dataclass(frozen=True, slots=True)
class Thinking:
    """A piece of the chain of thought."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer, with the log-probabilities of its tokens where they were asked for."""

    text: str
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One passage of a document that the model was given, under the number it cites it by.

    digest     of the file's bytes when it was read, in hexadecimal digits
    changed    the file is another now, or gone
    cited      the answer cites it
    """

    number: int
    collection: str
    path: str
    first_line: int
    last_line: int
    page: int | None
    text: str
    digest: str = ""
    changed: bool = False
    cited: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """The passages that stood in the prompt, in the order of their numbers; told once, before Done."""

    passages: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost. Counts are tokens, times are seconds.

    `prompt_tokens` includes `cached_tokens`, and `completion_tokens` includes `thinking_tokens`; `kept_tokens` of them
    were among `guessed_tokens` that the engine had guessed.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    load_seconds: float = 0.0
    prompt_seconds: float = 0.0
    completion_seconds: float = 0.0
    total_seconds: float = 0.0
    thinking_tokens: int = 0
    guessed_tokens: int = 0
    kept_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an answer; always the last event.

    stop      the caller's stop string, where one ended it
    tokens    all that was read and written, the model's own marks included, where the caller wants to go on from it
    written   the token ids of an answer that calls tools, with those that opened it: put behind what was asked, they
              are what the model has read and written
    looked_up   names of the tools on documents that the model called on the way, and that were answered here
    """

    reason: StopReason
    usage: Usage
    stop: str = ""
    tokens: tuple[int, ...] = ()
    written: tuple[int, ...] = ()
    looked_up: tuple[str, ...] = ()


Event = Thinking | Text | ToolCall | Sources | Done
Events = AsyncGenerator[Event, None]
"""Whoever opens it closes it: that is how a hang-up travels down to the engine."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a loaded model is and serves. `context` is what is served, in tokens; `size` is bytes in memory.

    together: so many answers it writes at once, 0: whoever loaded it knows
    """

    name: str
    context: int
    size: int
    size_on_gpu: int = 0
    capabilities: tuple[str, ...] = ()
    together: int = 0


class Model(Protocol):
    """Anything that answers: a local engine, a remote server, a script that recites."""

    @property
    def info(self) -> ModelInfo: ...

    def chat(self, request: ChatRequest) -> Events:
        """Answer a conversation. Raises ContextTooLong before the first event when it does not fit."""
        ...

    def complete(self, request: CompletionRequest) -> Events:
        """Continue raw text: Text events, then Done."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of floats per text."""
        ...

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, on the model's own scale. Raises NotSupported."""
        ...

    async def count(self, request: ChatRequest) -> int:
        """Tokens of the prompt that this conversation becomes."""
        ...

    async def tokenize(self, text: str) -> list[int]:
        """Token ids of raw text, in which special tokens are read as what they are."""
        ...

    async def detokenize(self, tokens: Sequence[int]) -> str: ...
