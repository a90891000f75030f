"""The gpt-oss architecture in PyTorch, sized for two CPU cores. Knows nothing of text, files or optimizers.

Parameters carry the names of the GGUF tensors (`blk.0.attn_q.weight`, …), so that a state dict is the file.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK = 32  # weights that share one scale, in MXFP4 and in Q8_0
SWIGLU_ALPHA, SWIGLU_LIMIT = 1.702, 7.0
LOSS_ROWS = 256  # positions whose logits are held at once


@dataclass(frozen=True, slots=True)
class Shape:
    """Every number that the architecture leaves open."""

    vocabulary: int = 4096
    layers: int = 6
    width: int = 256
    query_heads: int = 8
    key_heads: int = 4
    head: int = 32
    experts: int = 4
    chosen: int = 2
    expert_width: int = 256
    window: int = 128
    context: int = 131_072
    original_context: int = 4096
    rope_base: float = 150_000.0
    yarn_factor: float = 32.0
    epsilon: float = 1e-5
    topics: int = 0  # that the heads used in training alone tell apart


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Fuse a chain of element-wise steps; matrix products stay with oneDNN, which needs no compiling."""
    return torch.compile(function, dynamic=True)


# --- quantization -----------------------------------------------------------------------------------------------


def round_to_mxfp4(weight: Tensor) -> Tensor:
    """Round to what MXFP4 can hold: blocks of 32, one power of two each, values 0, 0.5, 1, 1.5, 2, 3, 4, 6."""
    blocks = weight.float().reshape(-1, BLOCK)
    largest = blocks.abs().amax(1, keepdim=True).clamp_min(1e-30)
    scale = torch.exp2(torch.floor(torch.log2(largest)) - 2)
    size = blocks.abs() / scale
    step = torch.where(size < 2, 0.5, torch.where(size < 4, 1.0, 2.0))
    rounded = (torch.round(size / step) * step).clamp_max(6.0)
    return (rounded * scale * torch.sign(blocks)).reshape(weight.shape)


class RoundStraightThrough(torch.autograd.Function):
    """Round on the way forward; on the way back behave as if nothing had been rounded."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        return fast_round_to_mxfp4(weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


# --- attention --------------------------------------------------------------------------------------------------


def yarn_tables(shape: Shape, length: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine for each position and pair, stretched as llama.cpp's rope_yarn does (β_fast 32, β_slow 1)."""
    pairs = torch.arange(shape.head // 2, dtype=torch.float64)
    frequency = shape.rope_base ** (-2 * pairs / shape.head)

    def dimension_that_turns(times: float) -> float:
        turns = shape.original_context / (times * 2 * math.pi)
        return shape.head * math.log(turns) / (2 * math.log(shape.rope_base))

    low = max(0, math.floor(dimension_that_turns(32)))
    high = min(shape.head - 1, math.ceil(dimension_that_turns(1)))
    keep = 1 - ((pairs - low) / max(0.001, high - low)).clamp(0, 1)
    stretched = frequency / shape.yarn_factor * (1 - keep) + frequency * keep
    angle = torch.arange(length, dtype=torch.float64)[:, None] * stretched
    magnitude = 1 + 0.1 * math.log(shape.yarn_factor)
    return (angle.cos() * magnitude).float(), (angle.sin() * magnitude).float()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn each pair (i, i + head/2) of `[batch, length, heads, head]` by its position's angle."""
    first, second = x.float().chunk(2, dim=-1)
    c, s = cosine[:, None, :], sine[:, None, :]
    return torch.cat([first * c - second * s, second * c + first * s], dim=-1).to(x.dtype)


def softmax_with_sinks(scores: Tensor, sinks: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax over `[batch · key heads, group, length, length]` with one more entry per head, the sink, that is dropped.

    Returns the chances and what the sink took, `[batch · key heads, group, length]`.
    """
    kind, scores = scores.dtype, scores.float() + bias
    top = torch.maximum(scores.amax(-1), sinks[..., None])
    raised = torch.exp(scores - top[..., None])
    sink = torch.exp(sinks[..., None] - top)
    total = raised.sum(-1) + sink
    return (raised / total[..., None]).to(kind), sink / total


def softmax_backward(chances: Tensor, slope: Tensor, pull: Tensor, scale: float) -> Tensor:
    """The gradient of the scores before scaling, from that of the chances."""
    return (chances.float() * (slope.float() - pull[..., None]) * scale).to(chances.dtype)


class AttentionWithSinks(torch.autograd.Function):
    """Grouped causal attention `[batch · key heads, group · length, head]` whose softmax has a sink for each head.

    Plain products: for rows of a few hundred tokens they take a quarter of the time of PyTorch's flash kernel for CPUs.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, sinks: Tensor, bias: Tensor) -> Tensor:
        length, scale = k.shape[1], 1 / math.sqrt(k.shape[2])
        scores = torch.bmm(q * scale, k.mT).view(len(q), -1, length, length)
        chances, sink = fast_softmax_with_sinks(scores, sinks, bias)
        out = torch.bmm(chances.view(len(q), -1, length), v)
        ctx.save_for_backward(q, k, v, chances, sink, out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, chances, sink, out = ctx.saved_tensors
        length, flat = k.shape[1], chances.view(len(q), -1, k.shape[1])
        pull = (gradient.float() * out.float()).sum(-1).view(sink.shape)
        slope = torch.bmm(gradient, v.mT).view(chances.shape)
        slope = fast_softmax_backward(chances, slope, pull, 1 / math.sqrt(k.shape[2])).view(len(q), -1, length)
        dsink = -(sink * pull).sum(-1)
        return torch.bmm(slope, k), torch.bmm(slope.mT, q), torch.bmm(flat.mT, gradient), dsink, None


def attention_bias(length: int, window: int) -> Tensor:
    """Zero where a position may look (itself and the `window - 1` before it), minus infinity elsewhere."""
    distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
    return torch.zeros(length, length).masked_fill((distance < 0) | (distance >= window), -math.inf)


# --- experts ----------------------------------------------------------------------------------------------------


class Permute(torch.autograd.Function):
    """Reorder rows; the way back uses the inverse order, which is much faster than scattering."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.index_select(0, ctx.saved_tensors[0]), None, None


def swiglu(gate_up: Tensor) -> Tensor:
    """gpt-oss' clamped SwiGLU: gate · sigmoid(1.702 · gate) · (up + 1)."""
    gate, up = gate_up.float().chunk(2, dim=-1)
    gate, up = gate.clamp(max=SWIGLU_LIMIT), up.clamp(-SWIGLU_LIMIT, SWIGLU_LIMIT)
    return (gate * torch.sigmoid(SWIGLU_ALPHA * gate) * (up + 1)).to(gate_up.dtype)


def rms_norm(x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
    return (x * torch.rsqrt((x * x).mean(-1, keepdim=True) + epsilon) * weight).to(dtype)


fast_round_to_mxfp4 = compiled(round_to_mxfp4)
fast_rotate, fast_swiglu, fast_rms_norm = compiled(rotate), compiled(swiglu), compiled(rms_norm)
fast_softmax_with_sinks, fast_softmax_backward = compiled(softmax_with_sinks), compiled(softmax_backward)


class Weights(nn.Module):
    """A weight and perhaps a bias, under the names that GGUF gives them."""

    def __init__(self, *size: int, scale: float, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(*size) * scale)
        self.bias = nn.Parameter(torch.zeros(size[:-1])) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return functional.linear(x, self.weight.to(x.dtype), bias)


class Norm(nn.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return fast_rms_norm(x, self.weight, self.epsilon, dtype)  # type: ignore[no-any-return]


class Layer(nn.Module):
    """Attention with sinks, then a mixture of experts; each reads a normed copy and adds to the stream."""

    def __init__(self, shape: Shape, index: int) -> None:
        super().__init__()
        self.shape, self.windowed, self.rounded = shape, index % 2 == 0, False
        width, deep = shape.width, 1 / math.sqrt(2 * shape.layers)
        scale = 0.7 / math.sqrt(width)
        self.attn_norm = Norm(width, shape.epsilon)
        self.attn_q = Weights(shape.query_heads * shape.head, width, scale=scale)
        self.attn_k = Weights(shape.key_heads * shape.head, width, scale=scale)
        self.attn_v = Weights(shape.key_heads * shape.head, width, scale=scale)
        self.attn_output = Weights(width, shape.query_heads * shape.head, scale=scale * deep)
        self.attn_sinks = Weights(shape.query_heads, scale=0.0, bias=False)
        self.post_attention_norm = Norm(width, shape.epsilon)
        self.ffn_gate_inp = Weights(shape.experts, width, scale=0.02)
        self.ffn_gate_exps = Weights(shape.experts, shape.expert_width, width, scale=scale)
        self.ffn_up_exps = Weights(shape.experts, shape.expert_width, width, scale=scale)
        self.ffn_down_exps = Weights(shape.experts, width, shape.expert_width, scale=scale * deep)

    def forward(self, x: Tensor, tables: tuple[Tensor, Tensor], bias: Tensor, dtype: torch.dtype) -> Any:
        x = x + self.attend(self.attn_norm(x, dtype), tables, bias)
        mixed, imbalance = self.mix(self.post_attention_norm(x, torch.float32), dtype)
        return x + mixed, imbalance

    def attend(self, h: Tensor, tables: tuple[Tensor, Tensor], bias: Tensor) -> Tensor:
        batch, length, _ = h.shape
        shape = self.shape
        group, rows = shape.query_heads // shape.key_heads, batch * shape.key_heads
        q = fast_rotate(self.attn_q(h).view(batch, length, -1, shape.head), *tables)
        k = fast_rotate(self.attn_k(h).view(batch, length, -1, shape.head), *tables)
        v = self.attn_v(h).view(batch, length, -1, shape.head)
        q, k, v = (part.transpose(1, 2).reshape(rows, -1, shape.head) for part in (q, k, v))
        sinks = self.attn_sinks.weight.view(1, shape.key_heads, group).expand(batch, -1, -1).reshape(rows, group)
        out: Tensor = AttentionWithSinks.apply(q, k, v, sinks, bias)
        out = out.view(batch, shape.query_heads, length, shape.head).transpose(1, 2)
        return self.attn_output(out.reshape(batch, length, -1))  # type: ignore[no-any-return]

    def mix(self, h: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Send each position to its chosen experts: sort by expert, multiply expert by expert, sort back."""
        shape, rows = self.shape, h.reshape(-1, h.shape[-1])
        logits = self.ffn_gate_inp(rows)
        best, expert = logits.topk(shape.chosen, dim=-1)
        order = expert.flatten().argsort(stable=True)
        inverse = torch.empty_like(order)
        inverse[order] = torch.arange(len(order))
        counts = torch.bincount(expert.flatten(), minlength=shape.experts)
        copies = rows.to(dtype)[:, None].expand(-1, shape.chosen, -1).reshape(-1, shape.width)
        answers = self.run_experts(Permute.apply(copies, order, inverse), counts.tolist())
        answers = Permute.apply(answers, inverse, order).view(-1, shape.chosen, shape.width)
        mixed = torch.bmm(best.softmax(-1).to(dtype)[:, None], answers).view_as(h)
        share = counts / counts.sum()
        return mixed, shape.experts * (share * logits.softmax(-1).mean(0)).sum()

    def run_experts(self, rows: Tensor, counts: list[int]) -> Tensor:
        kind, parts = rows.dtype, rows.split(counts)
        gate_up = torch.cat([self.rounding(self.ffn_gate_exps), self.rounding(self.ffn_up_exps)], 1).to(kind)
        bias = torch.cat([self.ffn_gate_exps.bias, self.ffn_up_exps.bias], 1).to(kind)
        inner = fast_swiglu(torch.cat([functional.linear(*each) for each in zip(parts, gate_up, bias, strict=True)]))
        down, bias = self.rounding(self.ffn_down_exps).to(kind), self.ffn_down_exps.bias.to(kind)
        parts = inner.split(counts)
        return torch.cat([functional.linear(*each) for each in zip(parts, down, bias, strict=True)])

    def rounding(self, experts: Weights) -> Tensor:
        return RoundStraightThrough.apply(experts.weight) if self.rounded else experts.weight  # type: ignore[no-any-return]


class Model(nn.Module):
    """Tokens in, normed states out; `logits` and `loss` finish the work."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = Weights(shape.vocabulary, shape.width, scale=0.3, bias=False)
        self.blk = nn.ModuleList(Layer(shape, index) for index in range(shape.layers))
        self.output_norm = Norm(shape.width, shape.epsilon)
        self.output = Weights(shape.vocabulary, shape.width, scale=0.0, bias=False)
        # A token that is to be copied is found again at once: it is read and written in the same direction.
        self.output.weight.data = self.token_embd.weight.data / 8
        # Read the topic of a question from the mean of its embeddings, from the stream in the middle, and at the end.
        self.aside = nn.ModuleList(
            Weights(shape.topics, shape.width, scale=0.05) for _ in range(4 * (shape.topics > 0))
        )

    def round_experts(self, on: bool) -> None:
        """From now on the experts compute with MXFP4 values; training goes on through the rounding."""
        for layer in self.blk:
            layer.rounded = on

    def forward(self, tokens: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        streams, imbalance = self.run(tokens, dtype)
        return self.output_norm(streams[-1], dtype), imbalance

    def run(self, tokens: Tensor, dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
        """The stream as it goes into each layer and out of the last, and the imbalance of the experts."""
        length = tokens.shape[1]
        tables = yarn_tables(self.shape, length)
        windowed, full = attention_bias(length, self.shape.window), attention_bias(length, length)
        streams, imbalance = [functional.embedding(tokens, self.token_embd.weight)], torch.zeros(())
        for layer in self.blk:
            x, more = layer(streams[-1], tables, windowed if layer.windowed else full, dtype)
            streams.append(x)
            imbalance = imbalance + more / self.shape.layers
        return streams, imbalance

    def logits(self, tokens: Tensor) -> Tensor:
        return self.output(self(tokens)[0])  # type: ignore[no-any-return]


class WeightedLoss(torch.autograd.Function):
    """Cross-entropy per row and the gradient of its weighted sum, a few rows at a time so that logits stay in cache."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, output: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        drows, doutput, losses = torch.empty_like(rows), torch.zeros_like(output), torch.empty(len(rows))
        matrix = output.to(rows.dtype)
        for start in range(0, len(rows), LOSS_ROWS):
            here = slice(start, start + LOSS_ROWS)
            chance = functional.log_softmax(functional.linear(rows[here], matrix).float(), dim=-1)
            losses[here] = -chance.gather(1, targets[here, None]).squeeze(1)
            slope = chance.exp_().scatter_add_(1, targets[here, None], -torch.ones(len(chance), 1))
            slope = (slope * weights[here, None]).to(rows.dtype)
            drows[here] = slope @ matrix
            doutput += (slope.T @ rows[here]).float()
        ctx.save_for_backward(drows, doutput)
        ctx.mark_non_differentiable(losses)
        return (losses * weights).sum(), losses

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        drows, doutput = ctx.saved_tensors
        return drows * gradient.to(drows.dtype), doutput * gradient, None, None
