"""An embedding model of a few kilobytes that llama.cpp really runs: BERT's shapes with random weights."""

from pathlib import Path

import numpy
from gguf import GGUFWriter, TokenType

WIDTH, INNER, HEADS, CONTEXT = 32, 64, 2, 64
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"▁{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"))
LAYER = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH, WIDTH),
    "attn_v": (WIDTH, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "attn_output_norm": (WIDTH,),
    "ffn_up": (INNER, WIDTH),
    "ffn_down": (WIDTH, INNER),
    "layer_output_norm": (WIDTH,),
}


def write_embedder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, "bert")
    write_head(writer)
    chance = numpy.random.default_rng(0)
    tables = {"token_embd": len(WORDS), "position_embd": CONTEXT, "token_types": 2}
    tensors = {f"{name}.weight": (rows, WIDTH) for name, rows in tables.items()}
    layer = {**{f"blk.0.{name}": shape for name, shape in LAYER.items()}, "token_embd_norm": (WIDTH,)}
    tensors |= {f"{name}.weight": shape for name, shape in layer.items()}
    tensors |= {f"{name}.bias": shape[:1] for name, shape in layer.items()}
    for name, shape in tensors.items():
        writer.add_tensor(name, chance.normal(0, 0.2, shape).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_head(writer: GGUFWriter) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_block_count(1)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_uint32("bert.pooling_type", 1)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(WORDS)
    writer.add_token_types([TokenType.CONTROL] * 5 + [TokenType.NORMAL] * (len(WORDS) - 5))
    for name, token in (("bos", 2), ("eos", 3), ("unknown", 1), ("seperator", 3), ("padding", 0), ("mask", 4)):
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)
    writer.add_uint32("tokenizer.ggml.token_type_count", 2)
