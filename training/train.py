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
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from data import Batch, Document, build_batch, endless_batches, endless_repeats, endless_topics, group, read_documents
from meanings import QUESTIONS, learn_meanings
from model import Model, Shape, WeightedLoss
from optimizer import build_optimizers
from recognise import Questions, compute_topic_loss, count_recognised
from team import Team
from tokenizer import TOKENIZER, Encoder
from wiring import wire_copying, wire_pooling

BUILD = Path(__file__).parent / "build"
SEED = 20
BATCH_TOKENS = 4096  # a process; two processes make a step of 8,192
MUON_RATE, ADAM_RATE, MUON_DECAY = 0.02, 4e-3, 0.05
WARM_UP_STEPS, LAST_RATE = 40, 0.02  # the last learning rate, as a share of the first
LATER_RATE = 0.6  # of the first, where a run begins with another's weights
SETTLED = 0.03  # share of such a run in which heads beside the model learn alone what the weights tell
COPYING_ENDS = 0.03  # share of the budget spent on random tokens said twice, before any conversation
REPEAT_SHARE = 0.06  # of the batches afterwards, or tokens that conversations lack are unlearnt
TOPIC_SHARE = 0.3  # of the batches: questions alone, or too few are seen to learn which of 345 topics each is about
TOPIC_WEIGHT = 0.2
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
    "TOKENIZERS_PARALLELISM": "false",
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


def compute_loss(
    model: Model, batch: Batch, *, heads_alone: bool = False
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean weighted loss, the penalties beside it, and the loss at each position that is not padding."""
    streams, imbalance = model.run(batch.tokens, DTYPE)
    used = batch.weights > 0
    weights, states = batch.weights[used], model.output_norm(streams[-1], DTYPE)[used]
    loss, losses = WeightedLoss.apply(states, model.output.weight, batch.targets[used], weights / weights.sum())
    beside = IMBALANCE_WEIGHT * imbalance
    if batch.asked:
        streams = [stream.detach() for stream in streams] if heads_alone else streams
        beside = beside + TOPIC_WEIGHT * compute_topic_loss(model, streams, batch.asked)
    return loss, beside, losses


@torch.no_grad()
def validate(model: Model, batches: list[list[Document]]) -> dict[str, float]:
    losses = Losses()
    for together in batches:
        batch = build_batch(together)
        losses.add(batch, compute_loss(model, batch)[2])
    return losses.means()


class Run:
    """One member's part of a training run; member 0 also keeps the clock, speaks, validates and saves."""

    def __init__(self, team: Team, member: int, chosen: argparse.Namespace, questions: Questions) -> None:
        self.team, self.member, self.model, self.questions = team, member, team.model, questions
        self.budget, self.build = chosen.minutes * 60, chosen.build
        share, self.settled = (LATER_RATE, SETTLED) if chosen.start else (1.0, 0.0)
        self.optimizers = build_optimizers(team.share_out(member), MUON_RATE * share, ADAM_RATE * share, MUON_DECAY)
        self.first_rates = [optimizer.param_groups[0]["lr"] for optimizer in self.optimizers]
        self.step, self.tokens = 0, 0

    @property
    def worked(self) -> float:
        return float(self.team.numbers[0])

    @property
    def stopped(self) -> bool:
        return bool(self.team.numbers[1])

    def save(self) -> None:
        """Write beside, then rename: whoever reads the checkpoint finds the old one or the new one."""
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        write_file(self.build / f"optimizers-{self.member}.pt", optimizers)
        if self.member == 0:
            place = {"step": self.step, "tokens": self.tokens, "worked": self.worked}
            model = {"model": self.model.state_dict(), "shape": asdict(self.model.shape)}
            write_file(self.build / "checkpoint.pt", model | place)

    def resume(self) -> None:
        state = torch.load(self.build / "checkpoint.pt", weights_only=True)
        saved = torch.load(self.build / f"optimizers-{self.member}.pt", weights_only=True)
        for optimizer, one in zip(self.optimizers, saved, strict=True):
            optimizer.load_state_dict(one)
        self.step, self.tokens = state["step"], state["tokens"]
        if self.member == 0:
            self.model.load_state_dict(state["model"])
            self.team.numbers[0] = state["worked"]
        self.team.barrier.wait()

    def write(self, entry: dict[str, Any]) -> None:
        place = {"step": self.step, "tokens": self.tokens, "seconds": round(self.worked, 1)}
        with (self.build / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(place | entry) + "\n")

    def learn(self, batch: Batch) -> torch.Tensor:
        """One step: loss, gradients, both optimizers on this member's parameters."""
        fraction = self.worked / self.budget
        self.model.round_experts(fraction >= ROUNDING_STARTS)
        share = rate_at(fraction, self.step)
        loss, beside, losses = compute_loss(self.model, batch, heads_alone=fraction < self.settled)
        (loss + beside).backward()
        length = self.team.average(self.member)
        for optimizer, rate in zip(self.optimizers, self.first_rates, strict=True):
            for group_ in optimizer.param_groups:
                group_["lr"] = rate * share
                for parameter in group_["params"]:
                    parameter.grad.mul_(min(1.0, LARGEST_GRADIENT / (length + 1e-6)))
            optimizer.step()
        self.model.zero_grad(set_to_none=True)
        self.step, self.tokens = self.step + 1, self.tokens + batch.tokens.numel() * self.team.members
        return losses

    def work(self, batches: Callable[[float], Batch], held_out: list[list[Document]]) -> None:
        """Learn until the budget is spent; speak, validate and save at their intervals."""
        said = saved = validated = self.worked
        seen, losses = self.tokens, Losses()
        while self.worked < self.budget and not self.stopped:
            start, batch = time.monotonic(), batches(self.worked / self.budget)
            losses.add(batch, self.learn(batch))
            if self.member == 0:
                self.team.numbers[0] += time.monotonic() - start
                self.team.numbers[1] = float(self.team.asked_to_stop.is_set())
            self.team.barrier.wait()
            if self.worked - saved >= SAVE_SECONDS:
                self.save()
                saved = self.worked
            if self.member == 0 and self.worked - said >= SAY_SECONDS:
                self.say(losses.means(), (self.tokens - seen) / (self.worked - said))
                said, seen, losses = self.worked, self.tokens, Losses()
            if self.member == 0 and held_out and self.worked - validated >= VALIDATE_SECONDS:
                self.say_held_out(held_out)
                validated = self.worked
        self.save()
        if self.member == 0 and held_out:
            self.say_held_out(held_out)

    def say(self, losses: dict[str, float], speed: float) -> None:
        self.write({"tokens_per_second": round(speed), "loss": losses, "rounded": self.model.blk[0].rounded})
        shown = "  ".join(f"{kind} {loss:.3f}" for kind, loss in losses.items())
        done = f"{self.worked / 60:6.1f} of {self.budget / 60:.0f} min"
        print(f"{done}  step {self.step}  {self.tokens / 1e6:.2f} M tokens  {speed:.0f} tokens/s  {shown}", flush=True)

    def say_held_out(self, held_out: list[list[Document]]) -> None:
        means, told = validate(self.model, held_out), count_recognised(self.model, self.questions.held_out(), DTYPE)
        self.write({"held_out": means, "recognised": told})
        shown = "  ".join(f"{kind} {loss:.3f}" for kind, loss in means.items())
        print(f"  held out: {shown}  topics told {told}", flush=True)


def write_file(path: Path, state: Any) -> None:
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.rename(path)


def choose_held_out(path: Path, encoder: Encoder) -> list[list[Document]]:
    if not path.exists():
        return []
    chooser, kept = random.Random(SEED), read_documents(path, encoder)
    return group(chooser.sample(kept, min(len(kept), VALIDATION_DOCUMENTS)), BATCH_TOKENS, chooser)


def begin(encoder: Encoder, chosen: argparse.Namespace) -> Model:
    """A model with heads that copy and tokens that have a meaning, or one that has been trained before."""
    questions = Questions(encoder, SEED)
    model = Model(Shape(topics=questions.topics))
    if chosen.start:
        model.load_state_dict(torch.load(chosen.start, weights_only=True)["model"], strict=False)
    elif not chosen.resume:
        wire_copying(model)
        wire_pooling(model)
        asked = [questions.ask() for _ in range(QUESTIONS)]
        learn_meanings(model.token_embd.weight.data, model.aside[0], asked)
    return model


def mix(documents: list[Document], run: Run, copying: float) -> Callable[[float], Batch]:
    """Batches of every kind in their shares; random tokens alone for the first part of the budget."""
    seed = SEED + 1000 * run.member + run.step
    run.questions.rng.seed(seed)
    repeats, chooser = endless_repeats(BATCH_TOKENS, seed), random.Random(seed)
    others = [endless_topics(run.questions.ask, BATCH_TOKENS, seed), endless_batches(documents, BATCH_TOKENS, seed)]

    def choose(done: float) -> Batch:
        if done < copying or chooser.random() < REPEAT_SHARE:
            return next(repeats)
        return next(others[chooser.random() > TOPIC_SHARE])

    return choose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--build", type=Path, default=BUILD, help="folder of train.jsonl, valid.jsonl and all results")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint; its minutes count")
    parser.add_argument(
        "--start", type=Path, help="a checkpoint to begin a new run with, at a lower rate (see unpack.py)"
    )
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    settle()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    encoder = Encoder(chosen.build / TOKENIZER.name)
    documents = read_documents(chosen.build / "train.jsonl", encoder)
    print(f"read {len(documents)} documents, {sum(len(d.ids) for d in documents) / 1e6:.2f} M tokens", flush=True)
    held_out = choose_held_out(chosen.build / "valid.jsonl", encoder)
    team = Team(begin(encoder, chosen), chosen.processes)
    signal.signal(signal.SIGTERM, lambda *_: team.asked_to_stop.set())

    def work(member: int) -> None:
        run = Run(team, member, chosen, Questions(encoder, SEED + 1000 * member))
        if chosen.resume:
            run.resume()
        run.work(mix(documents, run, copying=0.0 if chosen.start else COPYING_ENDS), held_out)

    others = [team.context.Process(target=work, args=(member,)) for member in range(1, chosen.processes)]
    for other in others:
        other.start()
    work(0)
    for other in others:
        other.join()


if __name__ == "__main__":
    main()
