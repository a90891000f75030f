"""What OpenAI's, llama.cpp's and Cohere's routes answer, for the OpenAPI document; tests hold the answers to it."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from ossian.api.said_ollama import Likelihood


class ErrorWords(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(TypedDict):
    error: ErrorWords


class LlamaWords(TypedDict):
    code: int
    message: str
    type: str
    n_prompt_tokens: NotRequired[int]
    n_ctx: NotRequired[int]


class LlamaError(TypedDict):
    error: LlamaWords


class OpenAIModel(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    context_length: int
    max_output_tokens: int


class OpenAIModels(TypedDict):
    object: Literal["list"]
    data: list[OpenAIModel]


class CachedShape(TypedDict):
    cached_tokens: int


class ThoughtShape(TypedDict):
    reasoning_tokens: int


class OpenAIUsage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedShape
    completion_tokens_details: ThoughtShape


class OpenAICalledFunction(TypedDict):
    name: str
    arguments: str


class OpenAICalled(TypedDict):
    index: int
    id: str
    type: Literal["function"]
    function: OpenAICalledFunction


class CompletedMessage(TypedDict):
    role: Literal["assistant"]
    content: str
    reasoning: NotRequired[str]
    reasoning_content: NotRequired[str]
    cot_id: NotRequired[str]
    tool_calls: NotRequired[list[OpenAICalled]]
    function_call: NotRequired[OpenAICalledFunction]


class Likelihoods(TypedDict):
    content: list[Likelihood]
    refusal: None


class ChatChoice(TypedDict):
    index: int
    message: CompletedMessage
    finish_reason: str
    logprobs: Likelihoods | None


class Completion(TypedDict):
    id: str
    created: int
    model: str
    system_fingerprint: str
    usage: OpenAIUsage


class ChatCompletion(Completion):
    object: Literal["chat.completion"]
    choices: list[ChatChoice]


class TextLikelihoods(TypedDict):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class TextChoice(TypedDict):
    index: int
    text: str
    finish_reason: str
    logprobs: TextLikelihoods | None


class TextCompletion(Completion):
    object: Literal["text_completion"]
    choices: list[TextChoice]


class VectorUsage(TypedDict):
    prompt_tokens: int
    total_tokens: int


class Vector(TypedDict):
    """Numbers, or the bytes of 32-bit floats in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Vectors(TypedDict):
    object: Literal["list"]
    data: list[Vector]
    model: str
    usage: VectorUsage
    ossian_truncated: NotRequired[list[int]]


class RankedDocument(TypedDict):
    text: str


class RankedResult(TypedDict):
    index: int
    relevance_score: float
    document: NotRequired[RankedDocument]


class RankTokens(TypedDict):
    input_tokens: int


class RankMeta(TypedDict):
    tokens: RankTokens


class Ranked(TypedDict):
    id: str
    object: Literal["list"]
    model: str
    results: list[RankedResult]
    usage: VectorUsage
    meta: RankMeta


class Timings(TypedDict):
    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_token_ms: float | None
    prompt_per_second: float | None
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float | None
    predicted_per_second: float | None
    draft_n: NotRequired[int]
    draft_n_accepted: NotRequired[int]


class Infilled(TypedDict, total=False):
    """All of it, or what `response_fields` name."""

    content: str
    stop: bool
    model: str
    stop_type: Literal["limit", "word", "eos"]
    stopping_word: str
    tokens_predicted: int
    tokens_evaluated: int
    tokens_cached: int
    truncated: Literal[False]
    timings: Timings


class ResponseUsage(TypedDict):
    input_tokens: int
    input_tokens_details: dict[str, int]
    output_tokens: int
    output_tokens_details: dict[str, int]
    total_tokens: int


class KeptResponse(TypedDict):
    """The fields behind `usage` repeat what was asked."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Literal["completed", "incomplete", "failed", "in_progress"]
    error: dict[str, str] | None
    incomplete_details: dict[str, str] | None
    output: list[dict[str, Any]]
    usage: ResponseUsage | None
    background: bool
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    model: str
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    reasoning: dict[str, str | None]
    safety_identifier: str | None
    service_tier: str
    store: bool
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float | None
    truncation: str
    user: str | None


class InputTokens(TypedDict):
    object: Literal["response.input_tokens"]
    input_tokens: int


class DeletedResponse(TypedDict):
    id: str
    object: Literal["response"]
    deleted: Literal[True]


class InputItems(TypedDict):
    object: Literal["list"]
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool
