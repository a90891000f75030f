"""Train the demo model for a given number of minutes on the processor."""

import argparse
import json
import math
import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from data import Batch, Document, build_batch, endless_batches, group, read_documents
from model import Model, Shape, WeightedLoss
from optimizer import build_optimizers
from tokenizer import TOKENIZER, Encoder

BUILD = Path(__file__).parent / "build"
SEED = 20
BATCH_TOKENS = 8192
MUON_RATE, ADAM_RATE, MUON_DECAY = 0.02, 4e-3, 0.05
WARM_UP_STEPS, LAST_RATE = 40, 0.02  # the last learning rate, as a share of the first
ROUNDING_STARTS = 0.75  # share of the budget after which experts compute in MXFP4
IMBALANCE_WEIGHT = 0.01
LARGEST_GRADIENT = 1.0
SAY_SECONDS, SAVE_SECONDS, VALIDATE_SECONDS = 20, 300, 300
VALIDATION_DOCUMENTS = 300
DTYPE = torch.bfloat16  # 420 against 85-180 GFLOP/s in float32 on two Zen 4 cores
ENVIRONMENT = {
    # Waiting threads that spin steal the cores from other programs and from the thread of the backward pass.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Never give big buffers back to the system: fresh pages cost more than the arithmetic done on them.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_ARENA_MAX": "1",
}


def settle() -> None:
    """Start again with the settings that libraries read only once, when they are loaded."""
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENVIRONMENT)


class Losses:
    """Mean loss for each kind of document, over the positions that are learned in full."""

    def __init__(self) -> None:
        self.total: dict[str, float] = defaultdict(float)
        self.count: dict[str, float] = defaultdict(float)

    def add(self, batch: Batch, losses: torch.Tensor) -> None:
        full = (batch.weights >= 1).float()
        table = torch.zeros_like(batch.weights)
        table[batch.weights > 0] = losses
        for kind, total, count in zip(batch.kinds, (table * full).sum(1).tolist(), full.sum(1).tolist(), strict=True):
            self.total[kind] += total
            self.count[kind] += count

    def means(self) -> dict[str, float]:
        return {kind: round(self.total[kind] / max(1.0, self.count[kind]), 4) for kind in sorted(self.total)}


def rate_at(fraction: float, step: int) -> float:
    """The learning rate's share: a short warm-up by steps, then half a cosine over the budget."""
    cosine = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
    return cosine * min(1.0, (step + 1) / WARM_UP_STEPS)


def compute_loss(model: Model, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean weighted loss, the imbalance of the experts, and the loss at each position that is not padding."""
    states, imbalance = model(batch.tokens, DTYPE)
    used = batch.weights > 0
    weights = batch.weights[used]
    loss, losses = WeightedLoss.apply(states[used], model.output.weight, batch.targets[used], weights / weights.sum())
    return loss, imbalance, losses


@torch.no_grad()
def validate(model: Model, batches: list[list[Document]]) -> dict[str, float]:
    losses = Losses()
    for together in batches:
        batch = build_batch(together)
        losses.add(batch, compute_loss(model, batch)[2])
    return losses.means()


class Run:
    """A training run: what it has learned, how long it has worked, and where it writes that down."""

    def __init__(self, model: Model, minutes: float, build: Path) -> None:
        self.model, self.budget, self.build = model, minutes * 60, build
        self.optimizers = build_optimizers(model, MUON_RATE, ADAM_RATE, MUON_DECAY)
        self.first_rates = [optimizer.param_groups[0]["lr"] for optimizer in self.optimizers]
        self.step, self.tokens, self.worked, self.stopped = 0, 0, 0.0, False

    def stop(self) -> None:
        """End after this step, with everything saved; `--resume` goes on."""
        self.stopped = True

    def save(self) -> None:
        """Write beside, then rename: whoever reads the checkpoint finds the old one or the new one."""
        beside = self.build / "checkpoint.pt.part"
        state = {"model": self.model.state_dict(), "shape": asdict(self.model.shape)}
        state |= {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}
        state |= {"step": self.step, "tokens": self.tokens, "worked": self.worked}
        torch.save(state, beside)
        beside.rename(self.build / "checkpoint.pt")

    def resume(self) -> None:
        state = torch.load(self.build / "checkpoint.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.tokens, self.worked = state["step"], state["tokens"], state["worked"]

    def write(self, entry: dict[str, Any]) -> None:
        place = {"step": self.step, "tokens": self.tokens, "seconds": round(self.worked, 1)}
        with (self.build / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(place | entry) + "\n")

    def learn(self, batch: Batch) -> torch.Tensor:
        """One step: loss, gradients, both optimizers."""
        fraction = self.worked / self.budget
        self.model.round_experts(fraction >= ROUNDING_STARTS)
        share = rate_at(fraction, self.step)
        for optimizer, rate in zip(self.optimizers, self.first_rates, strict=True):
            for group_ in optimizer.param_groups:
                group_["lr"] = rate * share
        loss, imbalance, losses = compute_loss(self.model, batch)
        (loss + IMBALANCE_WEIGHT * imbalance).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step, self.tokens = self.step + 1, self.tokens + len(losses)
        return losses

    def work(self, batches: Iterator[Batch], held_out: list[list[Document]]) -> None:
        """Learn until the budget is spent; speak, validate and save at their intervals."""
        said = saved = validated = self.worked
        seen, losses = self.tokens, Losses()
        while self.worked < self.budget and not self.stopped:
            start, batch = time.monotonic(), next(batches)
            losses.add(batch, self.learn(batch))
            self.worked += time.monotonic() - start
            if self.worked - said >= SAY_SECONDS:
                self.say(losses.means(), (self.tokens - seen) / (self.worked - said))
                said, seen, losses = self.worked, self.tokens, Losses()
            if held_out and self.worked - validated >= VALIDATE_SECONDS:
                self.say_held_out(held_out)
                validated = self.worked
            if self.worked - saved >= SAVE_SECONDS:
                self.save()
                saved = self.worked
        self.save()
        if held_out:
            self.say_held_out(held_out)

    def say(self, losses: dict[str, float], speed: float) -> None:
        self.write({"tokens_per_second": round(speed), "loss": losses, "rounded": self.model.blk[0].rounded})
        shown = "  ".join(f"{kind} {loss:.3f}" for kind, loss in losses.items())
        done = f"{self.worked / 60:6.1f} of {self.budget / 60:.0f} min"
        print(f"{done}  step {self.step}  {self.tokens / 1e6:.2f} M tokens  {speed:.0f} tokens/s  {shown}", flush=True)

    def say_held_out(self, held_out: list[list[Document]]) -> None:
        means = validate(self.model, held_out)
        self.write({"held_out": means})
        print("  held out: " + "  ".join(f"{kind} {loss:.3f}" for kind, loss in means.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--build", type=Path, default=BUILD, help="folder of train.jsonl, valid.jsonl and all results")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint; its minutes count")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    settle()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(SEED)
    encoder = Encoder(chosen.build / TOKENIZER.name)
    documents = read_documents(chosen.build / "train.jsonl", encoder)
    print(f"read {len(documents)} documents, {sum(len(d.ids) for d in documents) / 1e6:.2f} M tokens", flush=True)
    held_out: list[list[Document]] = []
    if (chosen.build / "valid.jsonl").exists():
        chooser = random.Random(SEED)
        kept = read_documents(chosen.build / "valid.jsonl", encoder)
        kept = chooser.sample(kept, min(len(kept), VALIDATION_DOCUMENTS))
        held_out = group(kept, BATCH_TOKENS, chooser)
    run = Run(Model(Shape()), chosen.minutes, chosen.build)
    if chosen.resume:
        run.resume()
    signal.signal(signal.SIGTERM, lambda *_: run.stop())
    run.work(endless_batches(documents, BATCH_TOKENS, SEED + run.step), held_out)


if __name__ == "__main__":
    main()
