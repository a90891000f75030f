"""What Ollama's clients send to make, copy and delete models."""

from typing import Any

from pydantic import Field

from ossian.api.shapes import Shape
from ossian.api.shapes_ollama import OllamaMessage


class OllamaCreate(Shape):
    """`license` is a text or a list of texts: read by hand. From `quantize` on: what is refused by name."""

    model: str = ""
    name: str = ""
    stream: bool = True
    base: str = Field("", alias="from")
    files: dict[str, str] = Field(default_factory=dict)
    template: str = ""
    license: Any = None
    system: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    messages: list[OllamaMessage] = Field(default_factory=list)
    quantize: Any = None
    quantization: Any = None
    adapters: Any = None
    draft: Any = None
    draft_quantize: Any = None
    renderer: Any = None
    parser: Any = None
    requires: Any = None
    info: Any = None
    modelfile: Any = None
    path: Any = None
    remote_host: Any = None


class OllamaCopy(Shape):
    source: str = ""
    destination: str = ""


class OllamaDelete(Shape):
    model: str = ""
    name: str = ""


class OllamaPush(Shape):
    model: str = ""
    name: str = ""
    stream: bool = True
