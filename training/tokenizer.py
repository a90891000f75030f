"""Train and use the byte-level BPE: 4,096 tokens, split like o200k, harmony's control tokens at the end."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).parent
TOKENIZER = HERE / "build" / "tokenizer.json"
VOCABULARY = 4096
SPECIALS = (
    "<|startoftext|>",
    "<|endoftext|>",
    "<|return|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
)

# The pattern that llama.cpp uses for tokenizer.ggml.pre = "gpt-4o" (src/llama-vocab.cpp): o200k's, with letter classes
# written so that std::regex can run them. Ours must be its twin, not o200k's, or accents would be split differently.
ENDINGS = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?"
PATTERN = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+" + ENDINGS,
        r"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*" + ENDINGS,
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


def read_texts(documents: Path) -> Iterator[str]:
    """The ordinary texts of a documents file: every part that is not a control token."""
    with documents.open(encoding="utf-8") as lines:
        for line in lines:
            for text, _ in json.loads(line)["parts"]:
                if text not in SPECIALS:
                    yield text


def train(documents: Path) -> Tokenizer:
    """Learn merges; all 256 bytes come first, so that nothing is ever unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(read_texts(documents), trainer)
    fill_up(tokenizer)
    return tokenizer


def fill_up(tokenizer: Tokenizer) -> None:
    """Add the control tokens as the last ids; a small corpus leaves a gap before them, filled with unused names."""
    gap = VOCABULARY - len(SPECIALS) - tokenizer.get_vocab_size()
    tokenizer.add_special_tokens([f"<|unused_{index}|>" for index in range(gap)])
    tokenizer.add_special_tokens(list(SPECIALS))


class Encoder:
    """Turns parts of documents into ids: control tokens by name, everything else as ordinary text."""

    def __init__(self, path: Path = TOKENIZER) -> None:
        self.tokenizer = Tokenizer.from_file(str(path))
        # Text that merely looks like a control token must stay text.
        self.tokenizer.encode_special_tokens = True
        self.special = {name: self.tokenizer.token_to_id(name) for name in SPECIALS}

    def encode(self, part: str) -> list[int]:
        if part in self.special:
            return [self.special[part]]
        return self.tokenizer.encode(part, add_special_tokens=False).ids  # type: ignore[no-any-return]

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False)  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=Path, default=HERE / "build" / "train.jsonl")
    parser.add_argument("--to", type=Path, default=TOKENIZER)
    chosen = parser.parse_args()
    tokenizer = train(chosen.documents)
    chosen.to.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(chosen.to))
    print(f"wrote {chosen.to}, {tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
