"""What OpenAI's clients send to /v1/completions. Fields with several types are read by hand."""

from typing import Any

from pydantic import Field

from ossian.api.shapes import Shape
from ossian.api.shapes_openai import ResponseFormat, StreamOptions


class OpenAICompletion(Shape):
    model: str = ""
    prompt: Any = None
    suffix: str = ""
    echo: bool = False
    logprobs: int | None = None
    n: int = 1
    best_of: int | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    max_tokens: int | None = None
    stop: Any = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repeat_penalty: float | None = None
    seed: int | None = None
    logit_bias: dict[str, Any] = Field(default_factory=dict)
    response_format: ResponseFormat | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    num_ctx: Any = None
    keep_alive: Any = None
    think: Any = None
