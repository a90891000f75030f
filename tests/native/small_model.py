"""A small random model of the real architecture, with sizes unlike each other."""

from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind

SIZES = {
    "width": 128,
    "deep": 160,
    "heads": 8,
    "key_heads": 2,
    "head": 32,
    "experts": 6,
    "chosen": 3,
    "layers": 4,
    "vocabulary": 352,
}


def write_small(path: Path, architecture: str = "gpt-oss", matrices: Kind = Kind.Q8_0, seed: int = 3) -> None:
    """Write a small model; as `gptoss` with Ollama's names and without the keys that its files lack."""
    s, random = SIZES, np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in {
        "block_count": s["layers"],
        "context_length": 131_072,
        "embedding_length": s["width"],
        "attention.head_count": s["heads"],
        "attention.head_count_kv": s["key_heads"],
        "attention.key_length": s["head"],
        "attention.value_length": s["head"],
        "attention.sliding_window": 128,
        "expert_count": s["experts"],
        "expert_used_count": s["chosen"],
        "rope.scaling.original_context_length": 4096,
        "feed_forward_length": s["deep"],
    }.items():
        writer.add_uint32(f"{architecture}.{key}", value)
    for key, number in {
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 150_000.0,
        "rope.scaling.factor": 32.0,
    }.items():
        writer.add_float32(f"{architecture}.{key}", number)
    if architecture == "gpt-oss":
        writer.add_uint32("gpt-oss.expert_feed_forward_length", s["deep"])
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)

    def add(name: str, *sizes: int, kind: Kind = Kind.F32, scale: float = 0.5) -> None:
        if architecture == "gptoss":
            name = name.replace("attn_output", "attn_out").replace("attn_sinks.weight", "attn_sinks")
            name = name.replace("post_attention_norm", "ffn_norm")
        data = (random.standard_normal(sizes) * scale).astype(np.float32)
        writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)

    queries, keys = s["heads"] * s["head"], s["key_heads"] * s["head"]
    add("token_embd.weight", s["vocabulary"], s["width"], kind=matrices)
    add("output.weight", s["vocabulary"], s["width"], kind=matrices)
    add("output_norm.weight", s["width"])
    for layer in range(s["layers"]):
        block = f"blk.{layer}."
        for norm in ("attn_norm", "post_attention_norm"):
            add(f"{block}{norm}.weight", s["width"])
        for name, out, into in (
            ("attn_q", queries, s["width"]),
            ("attn_k", keys, s["width"]),
            ("attn_v", keys, s["width"]),
            ("attn_output", s["width"], queries),
        ):
            add(f"{block}{name}.weight", out, into, kind=matrices, scale=0.2)
            add(f"{block}{name}.bias", out)
        add(f"{block}attn_sinks.weight", s["heads"])
        add(f"{block}ffn_gate_inp.weight", s["experts"], s["width"])
        add(f"{block}ffn_gate_inp.bias", s["experts"])
        for name, out, into in (
            ("gate", s["deep"], s["width"]),
            ("up", s["deep"], s["width"]),
            ("down", s["width"], s["deep"]),
        ):
            add(f"{block}ffn_{name}_exps.weight", s["experts"], out, into, kind=Kind.MXFP4, scale=0.2)
            add(f"{block}ffn_{name}_exps.bias", s["experts"], out)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
