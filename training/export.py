"""Write a checkpoint as a GGUF file that llama.cpp loads as architecture `gpt-oss`."""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import TokenType

from model import Shape
from tokenizer import SPECIALS, TOKENIZER

HERE = Path(__file__).parent
CHECKPOINT, MODEL = HERE / "build" / "checkpoint.pt", HERE / "build" / "ossian-demo.gguf"
TEMPERATURE = 0.1
DESCRIPTION = (
    "A demonstration: a very small model of the gpt-oss architecture, trained from scratch in a hundred minutes."
)


def kind_of(name: str) -> Kind:
    """The published gpt-oss files keep experts in MXFP4, other matrices in Q8_0, and everything small in F32."""
    if name.endswith("_exps.weight"):
        return Kind.MXFP4
    if name in ("token_embd.weight", "output.weight"):
        return Kind.Q8_0
    matrices = ("attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight")
    return Kind.Q8_0 if name.endswith(matrices) else Kind.F32


def write_model(weights: dict[str, torch.Tensor], shape: Shape, tokenizer: Path, to: Path) -> None:
    """Write the whole file: what it is, how it is shaped, its tokens, its tensors."""
    writer = gguf.GGUFWriter(str(to), "gpt-oss")
    write_identity(writer)
    write_shape(writer, shape)
    write_tokenizer(writer, json.loads(tokenizer.read_text(encoding="utf-8")))
    for name, weight in weights.items():
        if name.startswith("aside."):  # heads of the training alone
            continue
        kind = kind_of(name)
        packed = gguf.quants.quantize(weight.float().numpy(), kind)
        writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_identity(writer: gguf.GGUFWriter) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("Ossian demo")
    writer.add_description(DESCRIPTION)
    writer.add_license("apache-2.0")
    writer.add_sampling_temp(TEMPERATURE)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_MXFP4_MOE)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def write_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.expert_width)
    writer.add_expert_feed_forward_length(shape.expert_width)
    writer.add_expert_count(shape.experts)
    writer.add_expert_used_count(shape.chosen)
    writer.add_head_count(shape.query_heads)
    writer.add_head_count_kv(shape.key_heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_sliding_window(shape.window)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(shape.yarn_factor)
    writer.add_rope_scaling_orig_ctx_len(shape.original_context)


def write_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict) -> None:  # type: ignore[type-arg]
    """The vocabulary in order of id. Names of unused slots are marked so, harmony's tokens are control tokens."""
    vocabulary: dict[str, int] = dict(tokenizer["model"]["vocab"])
    vocabulary |= {added["content"]: added["id"] for added in tokenizer["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    writer.add_token_list(tokens)
    writer.add_token_types([token_type(token) for token in tokens])
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]]
    )
    writer.add_bos_token_id(vocabulary["<|startoftext|>"])
    writer.add_eos_token_id(vocabulary["<|return|>"])
    writer.add_eot_token_id(vocabulary["<|end|>"])
    writer.add_pad_token_id(vocabulary["<|endoftext|>"])
    writer.add_add_bos_token(False)


def token_type(token: str) -> TokenType:
    if token in SPECIALS:
        return TokenType.CONTROL
    return TokenType.UNUSED if token.startswith("<|unused_") else TokenType.NORMAL


def read_model(path: Path) -> dict[str, torch.Tensor]:
    """Read every tensor of a GGUF file back as F32, exactly as llama.cpp sees it."""
    return {
        tensor.name: torch.from_numpy(np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), np.float32))
        for tensor in gguf.GGUFReader(str(path)).tensors
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    parser.add_argument("--to", type=Path, default=MODEL)
    chosen = parser.parse_args()
    saved = torch.load(chosen.checkpoint, map_location="cpu", weights_only=True)
    write_model(saved["model"], Shape(**saved["shape"]), chosen.tokenizer, chosen.to)
    print(f"wrote {chosen.to}, {chosen.to.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
