"""What Ollama's clients send."""

from typing import Any

from pydantic import Field

from ossian.api.shapes import Shape, ToolShape


class OllamaFunction(Shape):
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class OllamaCall(Shape):
    id: str = ""
    function: OllamaFunction


class OllamaMessage(Shape):
    role: str
    content: str = ""
    thinking: str = ""
    images: list[Any] = Field(default_factory=list)
    tool_calls: list[OllamaCall] = Field(default_factory=list)
    tool_name: str = ""
    tool_call_id: str = ""


class OllamaRequest(Shape):
    """What chat and generate have in common. `think`, `format` and `keep_alive` have several types: read by hand."""

    model: str = ""
    stream: bool = True
    options: dict[str, Any] = Field(default_factory=dict)
    keep_alive: Any = None
    think: Any = None
    format: Any = None
    logprobs: bool = False
    top_logprobs: int = 0


class OllamaChat(OllamaRequest):
    """`tool_choice` is OpenAI's; Ollama has none (ollama/ollama#8421)."""

    messages: list[OllamaMessage] = Field(default_factory=list)
    tools: list[ToolShape] = Field(default_factory=list)
    tool_choice: Any = None


class OllamaGenerate(OllamaRequest):
    prompt: str = ""
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: list[int] = Field(default_factory=list)
    raw: bool = False
    images: list[Any] = Field(default_factory=list)


class OllamaPull(Shape):
    model: str = ""
    name: str = ""
    stream: bool = True


class OllamaShow(Shape):
    model: str = ""
    name: str = ""
    verbose: bool = False
