"""What Anthropic's clients send to /v1/messages. Blocks of all kinds share one shape; readers say what is missing."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ossian.api.kinds import Duration, Number, Options, Think, Unserved, UnservedList
from ossian.api.shapes import Shape, documented


def as_blocks(content: Any) -> Any:
    """A string is short for one block of text.

    >>> as_blocks("Hi")
    [{'type': 'text', 'text': 'Hi'}]
    """
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def as_source(source: Any) -> Any:
    """The source of a document is an object; that of a search result is the name of a place.

    >>> as_source("https://a.b")
    {'type': 'name', 'data': 'https://a.b'}
    """
    return {"type": "name", "data": source} if isinstance(source, str) else source


def blocks_or_text() -> BeforeValidator:
    """Reads a string as one block, and tells the OpenAPI document so."""
    return BeforeValidator(as_blocks, json_schema_input_type=str | list["BlockShape"])


class SourceShape(Shape):
    type: str
    data: str | None = None
    content: Annotated[list["BlockShape"], blocks_or_text()] = Field(default_factory=list)


Source = Annotated[SourceShape | None, BeforeValidator(as_source, json_schema_input_type=str | SourceShape | None)]


class BlockShape(Shape):
    """`citations` is a list in a text and an object in a document or a search result."""

    type: str
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] = Field(default_factory=dict)
    tool_use_id: str | None = None
    content: Annotated[list["BlockShape"], blocks_or_text()] = Field(default_factory=list)
    is_error: bool = False
    source: Source = None
    title: str = ""
    context: str = ""
    citations: Any = None


Blocks = Annotated[list[BlockShape], blocks_or_text()]


class AnthropicMessage(Shape):
    role: str
    content: Blocks


class AnthropicTool(Shape):
    type: str = "custom"
    name: str = ""
    description: str = ""
    input_schema: dict[str, Any] = Field(default_factory=dict)
    input_examples: list[Any] = Field(default_factory=list)
    allowed_callers: list[str] = Field(default_factory=lambda: ["direct"])
    strict: bool = False


class ChoiceShape(Shape):
    type: str
    name: str = ""
    disable_parallel_tool_use: bool = False


class ThinkingShape(Shape):
    type: str
    budget_tokens: int | None = None
    display: str = "summarized"


class OutputShape(Shape):
    effort: str = ""
    format: dict[str, Any] | None = None


class EditShape(Shape):
    type: str


class ContextManagement(Shape):
    edits: list[EditShape] = Field(default_factory=list)


class AnthropicPrompt(Shape):
    """All that shapes the prompt, which is what /v1/messages/count_tokens asks about."""

    model_config = documented(
        {"model": "demo", "system": "Be brief.", "messages": [{"role": "user", "content": "What is a list?"}]},
        required=["model", "messages"],
    )

    model: str = ""
    documents: list[str] = Field(default_factory=list)
    document_tools: bool = False
    messages: list[AnthropicMessage] = Field(default_factory=list)
    system: Blocks = Field(default_factory=list)
    tools: list[AnthropicTool] = Field(default_factory=list)
    tool_choice: ChoiceShape = ChoiceShape(type="auto")
    thinking: ThinkingShape | None = None
    output_config: OutputShape = OutputShape()
    output_format: dict[str, Any] | None = None
    context_management: ContextManagement = ContextManagement()
    container: Unserved = None
    mcp_servers: UnservedList = Field(default_factory=list)
    speed: str = "standard"
    inference_geo: str = "global"
    diagnostics: Unserved = None
    compaction: Unserved = None
    thread: Unserved = None
    fallbacks: Unserved = None
    fallback_credit_token: Unserved = None
    think: Think = None


class AnthropicChat(AnthropicPrompt):
    model_config = documented(
        {"model": "demo", "max_tokens": 300, "messages": [{"role": "user", "content": "What is a list?"}]},
        {
            "model": "demo",
            "max_tokens": 300,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "messages": [{"role": "user", "content": [{"type": "text", "text": "What is a tuple?"}]}],
            "stream": True,
        },
        required=["model", "max_tokens", "messages"],
    )

    max_tokens: int = 0
    stream: bool = False
    stop_sequences: list[str] = Field(default_factory=list)
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    options: Options = Field(default_factory=dict)
    num_ctx: Number = None
    keep_alive: Duration = None
