"""Muon for the matrices inside layers, Adam for all else. Knows nothing of models beyond names and sizes."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

NEWTON_STEPS = 5
MOMENTUM = 0.95
MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")


def orthogonalize(gradients: Tensor) -> Tensor:
    """Push every singular value of each matrix of a stack towards 1 (Newton-Schulz, Keller Jordan's coefficients)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradients.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(NEWTON_STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum whose steps are orthogonal matrices; stacks of experts are taken matrix by matrix."""

    def __init__(self, parameters: list[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                self.move(parameter, group["lr"], group["weight_decay"])

    def move(self, parameter: nn.Parameter, rate: float, decay: float) -> None:
        gradient, state = parameter.grad, self.state[parameter]
        if gradient is None:
            return
        speed = state.setdefault("speed", torch.zeros_like(parameter))
        speed.lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(speed, MOMENTUM)
        rows, columns = parameter.shape[-2:]
        parameter.mul_(1 - rate * decay)
        parameter.add_(orthogonalize(ahead), alpha=-rate * max(1.0, rows / columns) ** 0.5)


def build_optimizers(
    parameters: Iterable[tuple[str, nn.Parameter]], muon_rate: float, adam_rate: float, decay: float
) -> list[torch.optim.Optimizer]:
    """Two optimizers that together hold every parameter once."""
    matrices, rest = [], []
    for name, parameter in parameters:
        inside = name.endswith(".weight") and any(kind in name for kind in MATRICES)
        (matrices if inside else rest).append(parameter)
    adam = torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.0, foreach=True)
    return [Muon(matrices, muon_rate, decay), adam]
