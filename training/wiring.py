"""Start the model with heads that would take long to form. Training is free to change every number set here.

Heads that copy ask "where did this token stand before?" and take what followed. They form by themselves in long training
(Olsson et al., "In-context Learning and Induction Heads", 2022); in the hour or two that two processor cores have, they did
not. Heads that pool take the mean of what was said just now, from which a question's topic can be told (see meanings.py).
"""

import torch
from torch import Tensor

from model import Layer, Model, Shape, yarn_tables

SHARP = 4.5  # of the look at the token before; at most some 30 in the logit
STAND_OUT = 1.0  # of the note "this token came before me", against 0.3 of the token itself
MATCH = 1.75  # of query and key; a match is then worth about 14
COPY = 1.5
FAST_PAIRS = 4  # pairs of dimensions that turn fast enough to tell a position from its neighbours
NEAR_PAIRS, NEAR = (3, 4, 5), 1.2  # pairs that turn once in some 60, 120 and 300 tokens: what is near counts most
POOLING, POOLED = (
    (2, 3),
    4.0,
)  # layers whose heads, trained without this, did next to nothing; and how loud their sum is
WIRED = 2  # key/value heads of the first layer that look at the token before


def wire_copying(model: Model) -> None:
    """Wire layer 0 to note the token before, and layer 1, which sees everything, to copy what followed a match.

    Three orthogonal parts of the stream keep apart what a token is read by (`seen`), what the token before was
    (`before`) and what is copied (`copied`).
    """
    shape, size = model.shape, WIRED * model.shape.head
    basis, _ = torch.linalg.qr(torch.randn(shape.width, shape.width))
    seen, before, copied = basis.T[:size], basis.T[size : 2 * size], basis.T[2 * size :]
    with torch.no_grad():
        for head in range(WIRED):
            here = slice(head * shape.head, (head + 1) * shape.head)
            look_back(model.blk[0], head, shape)
            wire_values(model.blk[0], head, seen[here], STAND_OUT * before[here])
        for head in range(shape.key_heads):
            half = slice(head * shape.head // 2, (head + 1) * shape.head // 2)
            look_for_match(model.blk[1], head, seen[half], before[half])
            part = copied[head * shape.head : (head + 1) * shape.head]
            wire_values(model.blk[1], head, part, COPY * part)


def wire_pooling(model: Model) -> None:
    """Wire the heads of two layers to add, between them, every dimension of the mean of the nearest tokens."""
    parts = iter(torch.linalg.qr(torch.randn(model.shape.width, model.shape.width))[0].split(model.shape.head))
    with torch.no_grad():
        for layer in (model.blk[at] for at in POOLING):
            layer.attn_output.weight.zero_()
            for head in range(model.shape.key_heads):
                look_near(layer, head)
                part = next(parts)
                wire_values(layer, head, part, POOLED * part)


def rows_of(layer: Layer, head: int) -> tuple[slice, slice]:
    """The rows of the first query head of a group, and of its key and value."""
    shape = layer.shape
    query = head * (shape.query_heads // shape.key_heads)
    return slice(query * shape.head, (query + 1) * shape.head), slice(head * shape.head, (head + 1) * shape.head)


def look_back(layer: Layer, head: int, shape: Shape) -> None:
    """Biases alone: a key that every position has, and a query that fits it best one position later."""
    query, key = rows_of(layer, head)
    cosine, sine = (table[1] for table in yarn_tables(shape, 2))
    angle, half = torch.atan2(sine, cosine), shape.head // 2
    length = torch.where(torch.arange(half) < FAST_PAIRS, SHARP, 0.0)
    layer.attn_q.weight[query], layer.attn_k.weight[key] = 0, 0
    layer.attn_k.bias[key] = torch.cat([length, torch.zeros(half)])
    layer.attn_q.bias[query] = torch.cat([length * angle.cos(), -length * angle.sin()])


def look_near(layer: Layer, head: int) -> None:
    """Biases alone, as in `look_back`: they fit best where query and key stand close together."""
    query, key = rows_of(layer, head)
    near = torch.zeros(layer.shape.head)
    near[list(NEAR_PAIRS)] = NEAR
    layer.attn_q.weight[query], layer.attn_k.weight[key] = 0, 0
    layer.attn_q.bias[query], layer.attn_k.bias[key] = near, near


def look_for_match(layer: Layer, head: int, seen: Tensor, before: Tensor) -> None:
    """Compare what this token is with what stood before others, in the dimensions that hardly turn with distance."""
    query, key = rows_of(layer, head)
    half, quarter = layer.shape.head // 2, layer.shape.head // 4
    slow = [*range(quarter, half), *range(half + quarter, 2 * half)]
    for weights, rows, directions in ((layer.attn_q, query, seen), (layer.attn_k, key, before)):
        wired = torch.zeros(layer.shape.head, layer.shape.width)
        wired[slow] = MATCH * directions
        weights.weight[rows] = wired


def wire_values(layer: Layer, head: int, read: Tensor, write: Tensor) -> None:
    query, key = rows_of(layer, head)
    layer.attn_v.weight[key] = read
    layer.attn_output.weight[:, query] = write.T
