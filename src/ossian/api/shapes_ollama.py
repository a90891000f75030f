"""What Ollama's clients send."""

from typing import Any

from pydantic import Field

from ossian.api.kinds import Duration, Format, Options, Think, Unserved, UnservedList
from ossian.api.shapes import Shape, ToolShape, documented


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
    images: UnservedList = Field(default_factory=list)
    tool_calls: list[OllamaCall] = Field(default_factory=list)
    tool_name: str = ""
    tool_call_id: str = ""


class OllamaRequest(Shape):
    """What chat and generate have in common. `think`, `format` and `keep_alive` have several types: read by hand.

    With or without `truncate` and `shift`: nothing is cut, and a prompt that is too long is refused with both lengths.
    """

    model: str = ""
    stream: bool = True
    options: Options = Field(default_factory=dict)
    keep_alive: Duration = None
    think: Think = None
    format: Format = None
    logprobs: bool = False
    top_logprobs: int = 0
    truncate: bool = True
    shift: bool = True
    debug_render_only: bool = Field(False, alias="_debug_render_only")
    documents: list[str] = Field(default_factory=list)


class OllamaChat(OllamaRequest):
    """`tool_choice` is OpenAI's; Ollama has none (ollama/ollama#8421)."""

    model_config = documented(
        {"model": "demo", "messages": [{"role": "user", "content": "What is a list?"}], "stream": False},
        {"model": "demo", "messages": [{"role": "user", "content": "What is a tuple?"}], "think": "low"},
        {
            "model": "demo",
            "messages": [{"role": "user", "content": "Name a city."}],
            "format": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            "stream": False,
            "options": {"num_predict": 200},
        },
        required=["model"],
    )

    messages: list[OllamaMessage] = Field(default_factory=list)
    tools: list[ToolShape] = Field(default_factory=list)
    tool_choice: Any = None
    document_tools: bool = False


class OllamaGenerate(OllamaRequest):
    model_config = documented(
        {"model": "demo", "prompt": "What is a list?", "stream": False, "keep_alive": "10m"},
        {"model": "demo", "prompt": "def add(a, b):", "suffix": "    return c", "options": {"num_predict": 32}},
        required=["model"],
    )

    prompt: str = ""
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: list[int] = Field(default_factory=list)
    raw: bool = False
    images: UnservedList = Field(default_factory=list)
    width: Unserved = None
    height: Unserved = None
    steps: Unserved = None


class OllamaPull(Shape):
    model_config = documented({"model": "gpt-oss:20b"}, {"model": "gpt-oss:20b", "stream": False})

    model: str = ""
    name: str = ""
    stream: bool = True


class OllamaShow(Shape):
    model_config = documented({"model": "demo"})

    model: str = ""
    name: str = ""
    verbose: bool = False
    system: str = ""
    template: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
