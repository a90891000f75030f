"""What OpenAI's clients send to /v1/completions. Fields with several types are read by hand."""

from typing import Any

from pydantic import Field

from ossian.api.kinds import Duration, Number, Options, Prompts, Stop, Think
from ossian.api.shapes import Shape, documented
from ossian.api.shapes_openai import ResponseFormat, StreamOptions


class OpenAICompletion(Shape):
    model_config = documented(
        {"model": "demo", "prompt": "def add(a, b):", "max_tokens": 24, "logprobs": 1},
        {"model": "demo", "prompt": ["One,", "Two,"], "stream": True},
        required=["model", "prompt"],
    )

    model: str = ""
    prompt: Prompts = None
    suffix: str = ""
    echo: bool = False
    logprobs: int | None = None
    n: int = 1
    best_of: int | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    max_tokens: int | None = None
    stop: Stop = None
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
    options: Options = Field(default_factory=dict)
    num_ctx: Number = None
    keep_alive: Duration = None
    think: Think = None
