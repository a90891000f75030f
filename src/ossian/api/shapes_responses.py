"""What OpenAI's clients send to /v1/responses. The input and the choice of a tool are read by hand."""

from typing import Any

from pydantic import Field

from ossian.api.kinds import Choice, Duration, Number, Options, Parts, Think, Unserved
from ossian.api.shapes import Shape, documented


class ResponsesTool(Shape):
    """A function, or a group of them: Codex sends each MCP server as a `namespace`."""

    type: str = "function"
    name: str = ""
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    strict: bool = False
    output_schema: dict[str, Any] = Field(default_factory=dict)
    allowed_callers: list[str] = Field(default_factory=lambda: ["direct"])
    answers_later: bool = Field(default=False, alias="async")
    tools: list["ResponsesTool"] = Field(default_factory=list)


class ResponsesReasoning(Shape):
    effort: str = ""
    summary: str = ""
    generate_summary: str = ""
    context: str = "auto"
    mode: str = "standard"


class TextFormat(Shape):
    type: str = "text"
    name: str = ""
    description: str = ""
    json_schema: dict[str, Any] = Field(default_factory=dict, alias="schema")
    strict: bool = False


class TextShape(Shape):
    format: TextFormat = TextFormat()
    verbosity: str = "medium"


class ObfuscationShape(Shape):
    include_obfuscation: bool = False


class ResponsesPrompt(Shape):
    """What the prompt depends on: all that /v1/responses/input_tokens takes."""

    model_config = documented({"model": "demo", "input": "What is a list?"}, required=["model"])

    model: str = ""
    documents: list[str] = Field(default_factory=list)
    document_tools: bool = False
    input: Parts = None
    instructions: str = ""
    previous_response_id: str = ""
    tools: list[ResponsesTool] = Field(default_factory=list)
    tool_choice: Choice = None
    parallel_tool_calls: bool = True
    reasoning: ResponsesReasoning = ResponsesReasoning()
    text: TextShape = TextShape()
    truncation: str = "disabled"
    conversation: Unserved = None
    personality: Unserved = None
    options: Options = Field(default_factory=dict)
    num_ctx: Number = None
    keep_alive: Duration = None
    think: Think = None


class ResponsesCreate(ResponsesPrompt):
    model_config = documented(
        {"model": "demo", "input": "What is a list?", "instructions": "Be brief."},
        {"model": "demo", "input": [{"role": "user", "content": "What is a tuple?"}], "stream": True, "store": False},
        required=["model"],
    )

    stream: bool = False
    stream_options: ObfuscationShape = ObfuscationShape()
    store: bool = True
    include: list[str] = Field(default_factory=list)
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Unserved = None
    service_tier: str = "default"
    background: bool = False
    background_options: Unserved = None
    prompt: Unserved = None
    context_management: Unserved = None
    moderation: Unserved = None
    access_programs: Unserved = None
    image: Unserved = None
