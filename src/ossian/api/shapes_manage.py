"""What Ollama's clients send to make, copy and delete models."""

from typing import Any

from pydantic import Field

from ossian.api.kinds import Texts, Unserved
from ossian.api.shapes import Shape, documented
from ossian.api.shapes_ollama import OllamaMessage


class OllamaCreate(Shape):
    """`license` is a text or a list of texts: read by hand. From `quantize` on: what is refused by name."""

    model_config = documented(
        {"model": "brief", "from": "demo", "system": "Answer in one sentence.", "parameters": {"temperature": 0.5}}
    )

    model: str = ""
    name: str = ""
    stream: bool = True
    base: str = Field("", alias="from")
    files: dict[str, str] = Field(default_factory=dict)
    template: str = ""
    license: Texts = None
    system: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    messages: list[OllamaMessage] = Field(default_factory=list)
    quantize: Unserved = None
    quantization: Unserved = None
    adapters: Unserved = None
    draft: Unserved = None
    draft_quantize: Unserved = None
    renderer: Unserved = None
    parser: Unserved = None
    requires: Unserved = None
    info: Unserved = None
    modelfile: Unserved = None
    path: Unserved = None
    remote_host: Unserved = None


class OllamaCopy(Shape):
    model_config = documented({"source": "brief", "destination": "short"}, required=["source", "destination"])

    source: str = ""
    destination: str = ""


class OllamaDelete(Shape):
    model_config = documented({"model": "short"})

    model: str = ""
    name: str = ""


class OllamaPush(Shape):
    model_config = documented({"model": "brief"})

    model: str = ""
    name: str = ""
    stream: bool = True
