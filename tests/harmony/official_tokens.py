"""Prompts as token ids of the published vocabulary, where record_official.py has left it on this machine."""

from pathlib import Path
from typing import Any

from ossian.harmony.render import Prompt, Special, Written

VOCABULARY = Path.home() / ".cache" / "ossian-tests" / "o200k_base.tiktoken"


def encode(prompt: Prompt, encoding: Any) -> list[int]:
    ids: list[int] = []
    for piece in prompt:
        match piece:
            case Special(name):
                ids += encoding.encode(name, allowed_special={name})
            case Written(tokens):
                ids += tokens
            case _:
                ids += encoding.encode(piece, disallowed_special=())
    return ids
