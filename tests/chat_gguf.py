"""GGUF files of the families that bring a template of their own, with random weights of a few hundred kilobytes."""

from pathlib import Path

import gguf
import numpy as np

from ossian.bench.synthetic import byte_alphabet

LAYERS, WIDTH, HEADS, HEAD_SIZE, INNER = 2, 64, 4, 16, 128

# Written for these tests, in the manner of the families they are named for.
CHATML = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""
LLAMA = """\
{{- bos_token -}}
{%- for message in messages -%}
{%- if message.role not in ('system', 'user', 'assistant') -%}
{{- raise_exception('only system, user and assistant may speak') -}}
{%- endif -%}
<|start_header_id|>{{ message.role }}<|end_header_id|>

{{ message.content | trim }}<|eot_id|>
{%- endfor -%}
{%- if add_generation_prompt -%}
<|start_header_id|>assistant<|end_header_id|>

{% endif -%}
"""
THINKING = """\
{%- if tools -%}
<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif -%}
# Tools

<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>

For each call write an object with name and arguments between tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% elif messages[0].role == 'system' -%}
<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif -%}
{%- for message in messages -%}
{%- if message.role == 'user' or (message.role == 'system' and not loop.first) -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% elif message.role == 'assistant' -%}
<|im_start|>assistant
{% if message.reasoning_content and loop.last -%}
<think>
{{ message.reasoning_content }}
</think>

{% endif -%}
{{ message.content }}
{%- for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% elif message.role == 'tool' -%}
<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% if enable_thinking is defined and enable_thinking is false -%}
<think>

</think>

{% endif -%}
{%- endif -%}
"""
OPEN_THOUGHT = """\
{{- bos_token -}}
{%- for message in messages -%}
{%- if message.role == 'system' -%}
{{ message.content }}
{%- elif message.role == 'user' -%}
<|im_start|>user
{{ message.content }}<|im_end|>
{%- elif message.role == 'assistant' -%}
<|im_start|>assistant
{%- set content = message.content -%}
{%- if '</think>' in content -%}{%- set content = content.split('</think>')[-1] -%}{%- endif -%}
{{ content }}<|im_end|>
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
<think>
{% endif -%}
"""
"""DeepSeek-R1's manner: the template opens the thought itself, and knows no way not to."""
SPECIALS = (
    "<|begin_of_text|>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
    "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",
)  # fmt: skip
WORDS = ("<think>", "</think>", "<tool_call>", "</tool_call>")
"""Tokens of their own that are text all the same, as Qwen3 has them."""


def tokens() -> list[str]:
    return [*byte_alphabet(), *WORDS, *SPECIALS]


def token(text: str) -> int:
    """The id of a token."""
    return tokens().index(text)


def write_chat_models(folder: Path) -> Path:
    """One model of each manner, under the name of its manner."""
    folder.mkdir(parents=True, exist_ok=True)
    write_chat_model(folder / "chatml.gguf", "qwen2", CHATML)
    write_chat_model(folder / "llama.gguf", "llama", LLAMA, end="<|eot_id|>")
    write_chat_model(folder / "thinking.gguf", "qwen3", THINKING)
    write_chat_model(folder / "r1.gguf", "qwen2", OPEN_THOUGHT)
    write_chat_model(folder / "base.gguf", "llama", "", gaps=True)
    return folder


def write_chat_model(
    path: Path, architecture: str, template: str, *, end: str = "<|im_end|>", gaps: bool = False
) -> Path:
    """A model of one of llama, qwen2 and qwen3; without a template when that is empty."""
    writer = gguf.GGUFWriter(path, architecture)
    write_metadata(writer, end)
    for name in ("prefix", "suffix", "middle") if gaps else ():
        writer.add_uint32(f"tokenizer.ggml.fim_{name[:3]}_token_id", token(f"<|fim_{name}|>"))
    if template:
        writer.add_chat_template(template)
    random = np.random.default_rng(7)
    for name, shape in tensors(architecture):
        is_norm = name.endswith("norm.weight")
        weights = np.ones(shape) if is_norm else random.standard_normal(shape) * 0.05
        writer.add_tensor(name, weights.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_metadata(writer: gguf.GGUFWriter, end: str) -> None:
    names = tokens()
    kinds = gguf.TokenType
    types = [kinds.NORMAL] * 256 + [kinds.USER_DEFINED] * len(WORDS) + [kinds.CONTROL] * len(SPECIALS)
    writer.add_block_count(LAYERS)
    writer.add_context_length(32_768)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HEAD_SIZE)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(names))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(names)
    writer.add_token_types([int(kind) for kind in types])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(names.index("<|begin_of_text|>"))
    writer.add_eos_token_id(names.index(end))
    writer.add_add_bos_token(False)


def tensors(architecture: str) -> list[tuple[str, tuple[int, ...]]]:
    size = len(tokens())
    found: list[tuple[str, tuple[int, ...]]] = [(f"{name}.weight", (size, WIDTH)) for name in ("token_embd", "output")]
    found.append(("output_norm.weight", (WIDTH,)))
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        found += [(f"{block}{name}.weight", (WIDTH,)) for name in ("attn_norm", "ffn_norm")]
        found += [(f"{block}attn_{name}.weight", (WIDTH, WIDTH)) for name in ("q", "k", "v", "output")]
        found += [(f"{block}attn_{name}.bias", (WIDTH,)) for name in "qkv" if architecture == "qwen2"]
        found += [(f"{block}attn_{name}_norm.weight", (HEAD_SIZE,)) for name in "qk" if architecture == "qwen3"]
        found += [(f"{block}ffn_{name}.weight", (INNER, WIDTH)) for name in ("gate", "up")]
        found += [(f"{block}ffn_down.weight", (WIDTH, INNER))]
    return found
