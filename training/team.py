"""Several processes that train one model together. Knows nothing of what they learn."""

import multiprocessing

import torch

from model import Model


class Team:
    """What the processes of one run share: parameters, one gradient each, a few numbers, and a barrier.

    One thread a process: products of this size gain nothing from a second thread and lose by waiting for it
    (4,096 tokens took 1.4 s with two threads, 1.05 s with one).
    """

    def __init__(self, model: Model, members: int) -> None:
        self.model, self.members = model.share_memory(), members
        size = sum(parameter.numel() for parameter in model.parameters())
        self.gradients = torch.zeros(members, size).share_memory_()
        self.numbers = torch.zeros(2, dtype=torch.float64).share_memory_()  # seconds worked, whether to stop
        self.context = multiprocessing.get_context("fork")
        self.barrier = self.context.Barrier(members)
        self.asked_to_stop = self.context.Event()

    def share_out(self, member: int) -> list[tuple[str, torch.nn.Parameter]]:
        """The parameters that one member moves: every second, third, … one, so that each has as much work."""
        return list(self.model.named_parameters())[member :: self.members]

    def average(self, member: int) -> float:
        """Give every parameter the mean gradient of all members; return its length."""
        self.gradients[member] = torch.cat([read_gradient(p) for p in self.model.parameters()])
        self.barrier.wait()
        mean, start = self.gradients.mean(0), 0
        for parameter in self.model.parameters():
            parameter.grad = mean[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()
        return float(mean.norm())


def read_gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    return torch.zeros(parameter.numel()) if parameter.grad is None else parameter.grad.flatten()
