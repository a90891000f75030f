"""Text to token ids and back, for the vocabulary in a gpt-oss file."""

import codecs
import re
from collections.abc import Sequence
from typing import Any

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as Steps

# Where words end in o200k, OpenAI's vocabulary (tiktoken, openai_public.py).
WORDS = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
NORMAL, UNUSED = 1, 5  # a token's type in a GGUF; all but the normal ones stand for themselves


def byte_letters() -> dict[str, int]:
    """The byte that each printable stand-in of GPT-2's vocabularies means."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(others)}


class Vocabulary:
    """The tokens of a file. `pieces[id]` are the bytes of a token, `special` the ids that stand for themselves."""

    def __init__(self, metadata: dict[str, Any]) -> None:
        texts, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
        merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
        letters = byte_letters()
        self.special = {
            text: number for number, (text, kind) in enumerate(zip(texts, types, strict=True)) if kind != NORMAL
        }
        self.special_ids = frozenset(self.special.values())
        self.pieces = [
            text.encode() if number in self.special_ids else bytes(letters[letter] for letter in text)
            for number, text in enumerate(texts)
        ]
        normal = {text: number for number, text in enumerate(texts) if number not in self.special_ids}
        self._words = Tokenizer(BPE(vocab=normal, merges=merges))
        self._words.pre_tokenizer = Steps([Split(Regex(WORDS), "isolated"), ByteLevel(False, use_regex=False)])
        # Some files fill their vocabulary up with tokens that nobody uses; looking for 180,000 names took two seconds.
        used = [text for text, number in self.special.items() if types[number] != UNUSED]
        self._tags = re.compile("|".join(map(re.escape, sorted(used, key=len, reverse=True))) or "(?!)")

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text. Only where `special`, a special token's name in it becomes that token."""
        if not special:
            return list(self._words.encode(text).ids)
        tokens, at = [], 0
        for tag in self._tags.finditer(text):
            tokens += [*self._words.encode(text[at : tag.start()]).ids, self.special[tag.group()]]
            at = tag.end()
        return tokens + list(self._words.encode(text[at:]).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        return b"".join(self.pieces[token] for token in tokens).decode(errors="replace")


class TextStream:
    """Tokens to text as they come: bytes wait until they make a whole letter; special tokens give no text."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        if token in self._vocabulary.special_ids:
            return ""
        return self._decoder.decode(self._vocabulary.pieces[token])

    def finish(self) -> str:
        return self._decoder.decode(b"", final=True)
