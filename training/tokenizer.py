"""Train and use the byte-level BPE: 4,096 tokens, split like o200k, harmony's control tokens at the end."""

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from values import TRAIN

HERE = Path(__file__).parent
TOKENIZER = HERE / "build" / "tokenizer.json"
VOCABULARY = 4096
SPACE = "Ġ"  # how byte-level BPE writes a space
COUNTED_TEXTS = 200_000
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


# A word must have the same pieces after a space, a quote or a slash, or copying it means spelling it anew:
# merges are learned inside runs of letters, of digits, of quotes, of slashes and of other signs, never across.
RUNS = r"\p{L}+|\p{N}+|\"+|/+| +"
JOINED = 640  # frequent words and signs that then get one token together with the space before them


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
    tokenizer.pre_tokenizer = split(Regex(PATTERN), Regex(RUNS))
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIALS) - JOINED,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(read_texts(documents), trainer)
    return join_spaces(tokenizer, documents)


def split(*patterns: Regex) -> pre_tokenizers.PreTokenizer:
    """Cut at each pattern in turn, then write bytes as letters."""
    cuts = [pre_tokenizers.Split(pattern, behavior="isolated") for pattern in patterns]
    return pre_tokenizers.Sequence([*cuts, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def join_spaces(tokenizer: Tokenizer, documents: Path) -> Tokenizer:
    """Add, as the last merges, the space before frequent tokens; names and made-up words stay apart from it."""
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary, merges = model["vocab"], [tuple(merge) for merge in model["merges"]]
    names = (*TRAIN.nouns, *TRAIN.adjectives, *TRAIN.verbs, *TRAIN.first, *TRAIN.last, *TRAIN.cities)
    apart = {*names, *(name.capitalize() for name in names)}
    seen: Counter[str] = Counter()
    for text in islice(read_texts(documents), COUNTED_TEXTS):
        seen.update(re.findall(r"(?<= )(?:[A-Za-z]+|\"|[^\w\s\"/]+)", text))
    frequent = (word for word, _ in seen.most_common() if word in vocabulary and word not in apart)
    for word in islice(frequent, JOINED):
        vocabulary[SPACE + word] = len(vocabulary)
        merges.append((SPACE, word))
    joined = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    joined.pre_tokenizer, joined.decoder = split(Regex(PATTERN)), decoders.ByteLevel()
    fill_up(joined)
    return joined


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
