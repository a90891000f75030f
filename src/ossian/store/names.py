"""What people call models: aliases of the models we know, `hf.co/owner/repo:QUANT`, and paths of GGUF files."""

import re
from dataclasses import dataclass
from typing import Literal

from ossian.errors import BadRequest

PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
HUB_HOSTS = ("hf.co", "huggingface.co")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model's full name. On the Hub, `tag` is a quantization or a file of the repository."""

    registry: Literal["ossian", "hugging_face"]
    owner: str
    model: str
    tag: str

    def __str__(self) -> str:
        if self.registry == "hugging_face":
            return f"hf.co/{self.owner}/{self.model}" + (f":{self.tag}" if self.tag else "")
        return self.model if self.tag == "latest" else f"{self.model}:{self.tag}"


# The three spellings that editors, Ollama's users and OpenAI's model card use for one model.
ALIASES = {
    "gpt-oss": "gpt-oss:20b",
    "gpt-oss-20b": "gpt-oss:20b",
    "gpt-oss-120b": "gpt-oss:120b",
    "openai/gpt-oss-20b": "gpt-oss:20b",
    "openai/gpt-oss-120b": "gpt-oss:120b",
}


def read_name(text: str) -> ModelName:
    """Read a model's name, in any letter case. Raises BadRequest when it cannot be one.

    >>> read_name("gpt-oss") == read_name("gpt-oss:20b") == read_name("GPT-OSS-20b:latest")
    True
    >>> read_name("hf.co/ggml-org/gpt-oss-20b-GGUF:MXFP4")
    ModelName(registry='hugging_face', owner='ggml-org', model='gpt-oss-20b-GGUF', tag='MXFP4')
    """
    host, separator, rest = text.strip().removeprefix("https://").partition("/")
    if separator and host.lower() in HUB_HOSTS:
        return read_hub_name(rest, text)
    plain = text.strip().lower().removesuffix(":latest")
    match = re.fullmatch(rf"({PART})(?::({PART}))?", ALIASES.get(plain, plain))
    if match is None:
        raise BadRequest(f"invalid model name '{text}'.")
    return ModelName("ossian", "library", match[1], match[2] or "latest")


def read_hub_name(rest: str, text: str) -> ModelName:
    """owner/repository[:tag]; Ollama's users write `:latest` where they mean none."""
    match = re.fullmatch(rf"({PART})/({PART})(?::({PART}))?", rest)
    if match is None:
        raise BadRequest(
            f"invalid model name '{text}':", "write hf.co/owner/repository or hf.co/owner/repository:file."
        )
    tag = match[3] or ""
    return ModelName("hugging_face", match[1], match[2], "" if tag.lower() == "latest" else tag)
