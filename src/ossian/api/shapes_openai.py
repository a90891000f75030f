"""What OpenAI's clients send to /v1/chat/completions. Fields with several types are read by hand."""

from typing import Any

from pydantic import Field

from ossian.api.kinds import Choice, Duration, Number, Options, Parts, Stop, Think, Unserved
from ossian.api.shapes import FunctionShape, Shape, ToolShape, documented

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class OpenAIFunction(Shape):
    name: str
    arguments: str = ""


class OpenAICall(Shape):
    id: str = ""
    function: OpenAIFunction


class OpenAIMessage(Shape):
    role: str
    content: Parts = None
    reasoning: Any = None
    reasoning_content: Parts = None
    reasoning_text: Any = None
    thinking: Any = None
    cot_summary: Any = None
    tool_calls: list[OpenAICall] = Field(default_factory=list)
    function_call: OpenAIFunction | None = None
    tool_call_id: str = ""
    name: str = ""
    refusal: str = ""
    audio: Any = None


class StreamOptions(Shape):
    include_usage: bool = False
    include_obfuscation: bool = False


class ReasoningShape(Shape):
    effort: str = ""


class ResponseFormat(Shape):
    """`bare_schema` is where llama.cpp has the schema, with either type; instructor writes it there too."""

    type: str
    json_schema: dict[str, Any] = Field(default_factory=dict)
    bare_schema: dict[str, Any] | None = Field(default=None, alias="schema")


class OpenAIChat(Shape):
    """From `audio` on: what is refused by name."""

    model_config = documented(
        {"model": "demo", "messages": [{"role": "user", "content": "What is a list?"}]},
        {
            "model": "demo",
            "messages": [{"role": "user", "content": "What is a tuple?"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        {
            "model": "demo",
            "messages": [{"role": "user", "content": "How warm is it in Bern?"}],
            "tools": [WEATHER],
            "tool_choice": "required",
            "max_completion_tokens": 300,
        },
        required=["model", "messages"],
    )

    model: str = ""
    documents: list[str] = Field(default_factory=list)
    document_tools: bool = False
    messages: list[OpenAIMessage] = Field(default_factory=list)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: Stop = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repeat_penalty: float | None = None
    seed: int | None = None
    response_format: ResponseFormat | None = None
    tools: list[ToolShape] = Field(default_factory=list)
    tool_choice: Choice = None
    parallel_tool_calls: bool = True
    reasoning_effort: str = ""
    reasoning: ReasoningShape = ReasoningShape()
    n: int = 1
    logprobs: bool = False
    top_logprobs: int = 0
    logit_bias: dict[str, Any] = Field(default_factory=dict)
    functions: list[FunctionShape] = Field(default_factory=list)
    function_call: Choice = None
    modalities: list[str] = Field(default_factory=list)
    verbosity: str = "medium"
    options: Options = Field(default_factory=dict)
    num_ctx: Number = None
    keep_alive: Duration = None
    think: Think = None
    audio: Unserved = None
    moderation: Unserved = None
    web_search_options: Unserved = None
