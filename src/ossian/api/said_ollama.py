"""What Ollama's routes answer, for the OpenAPI document; tests hold the answers to it."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


class OllamaError(TypedDict):
    error: str


class Version(TypedDict):
    version: str
    ossian: str


class Health(TypedDict):
    status: Literal["ok"]


class CloudShape(TypedDict):
    disabled: bool
    source: str


class CloudStatus(TypedDict):
    cloud: CloudShape


class Details(TypedDict):
    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str
    context_length: NotRequired[int]


class Tag(TypedDict):
    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: Details
    capabilities: list[str]
    context_length: int
    max_output_tokens: int


class Tags(TypedDict):
    models: list[Tag]


class Loaded(TypedDict):
    name: str
    model: str
    size: int
    digest: str
    details: Details
    expires_at: str
    size_vram: int
    context_length: int


class AllLoaded(TypedDict):
    models: list[Loaded]


class Turn(TypedDict):
    role: str
    content: str


class ShownTensor(TypedDict):
    name: str
    type: str
    shape: list[int]


class Shown(TypedDict):
    license: str
    modelfile: str
    parameters: str
    template: str
    system: str
    messages: NotRequired[list[Turn]]
    details: Details
    model_info: dict[str, Any]
    tensors: NotRequired[list[ShownTensor]]
    capabilities: list[str]
    modified_at: str
    context_length: int
    max_output_tokens: int


class Step(TypedDict):
    status: str
    digest: NotRequired[str]
    total: NotRequired[int]
    completed: NotRequired[int]


class Likely(TypedDict):
    token: str
    logprob: float
    bytes: list[int]


class Likelihood(Likely):
    top_logprobs: list[Likely]


class CalledFunction(TypedDict):
    index: int
    name: str
    arguments: dict[str, Any]


class Called(TypedDict):
    id: str
    function: CalledFunction


class SaidMessage(TypedDict):
    role: Literal["assistant"]
    content: str
    thinking: NotRequired[str]
    tool_calls: NotRequired[list[Called]]


class Measured(TypedDict):
    """Times are nanoseconds; the last line of a stream has them, and a whole answer."""

    model: str
    created_at: str
    done: bool
    done_reason: NotRequired[str]
    logprobs: NotRequired[list[Likelihood]]
    total_duration: NotRequired[int]
    load_duration: NotRequired[int]
    prompt_eval_count: NotRequired[int]
    prompt_eval_duration: NotRequired[int]
    eval_count: NotRequired[int]
    eval_duration: NotRequired[int]
    ossian_cached_tokens: NotRequired[int]
    ossian_guessed_tokens: NotRequired[int]
    ossian_kept_tokens: NotRequired[int]


class Chatted(Measured):
    message: SaidMessage


class Generated(Measured):
    response: str
    thinking: NotRequired[str]
    context: NotRequired[list[int]]


class Embedded(TypedDict):
    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int
    ossian_truncated: NotRequired[list[int]]


class EmbeddedOne(TypedDict):
    embedding: list[float]


class Tokenized(TypedDict):
    tokens: list[int]
    pieces: NotRequired[list[str]]


class Detokenized(TypedDict):
    content: str
