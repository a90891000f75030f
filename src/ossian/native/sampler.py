"""Draw the next token from logits, by the rules and in the order of llama.cpp: bias, penalties, cuts, temperature."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ossian.native.weights import Array

Ids = NDArray[np.int64]
STRETCH = 512
SAMPLERS = ("penalties", "top_k", "typ_p", "top_p", "min_p", "temperature")  # those served here, in llama.cpp's order


@dataclass(frozen=True, slots=True)
class Rules:
    """How to draw; the defaults change nothing.

    `bias` is added to logits by token id; `repeat_last` is how many tokens the penalties look back; `samplers` are
    the rules that count, in their order.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repeat_last: int = 64
    seed: int | None = None
    bias: Mapping[int, float] = field(default_factory=dict)
    samplers: tuple[str, ...] = SAMPLERS

    @property
    def is_greedy(self) -> bool:
        return self.temperature <= 0 and "temperature" in self.samplers

    def cuts(self, name: str) -> bool:
        """Whether a rule cuts anything."""
        match name:
            case "top_k":
                return self.top_k > 0
            case "typ_p":
                return self.typical_p < 1
            case "top_p":
                return self.top_p < 1
        return name == "min_p" and self.min_p > 0


@dataclass(frozen=True, slots=True)
class Likely:
    """How likely a token was before any rule, as a natural logarithm."""

    token: int
    logprob: float


def read_rules(body: Mapping[str, Any]) -> Rules:
    """The rules in a body of llama.cpp's /completion."""
    seed = body.get("seed")
    return Rules(
        temperature=float(body.get("temperature", 0.8)),
        top_k=int(body.get("top_k", 40)),
        top_p=float(body.get("top_p", 0.95)),
        min_p=float(body.get("min_p", 0.05)),
        typical_p=float(body.get("typical_p", 1.0)),
        repeat_penalty=float(body.get("repeat_penalty", 1.0)),
        presence_penalty=float(body.get("presence_penalty", 0.0)),
        frequency_penalty=float(body.get("frequency_penalty", 0.0)),
        repeat_last=int(body.get("repeat_last_n", 64)),
        seed=None if seed is None or seed < 0 else int(seed),
        bias={int(token): float(value) for token, value in body.get("logit_bias", ())},
        samplers=tuple(body.get("samplers", SAMPLERS)),
    )


class Sampler:
    """One answer's rules, what it has written lately, and its dice."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._dice = np.random.default_rng(rules.seed)
        self._lately: deque[int] = deque(maxlen=max(0, rules.repeat_last))

    def draw(self, logits: Array, allowed: NDArray[np.bool_] | None = None) -> int:
        """The next token; `allowed` says which a grammar lets through."""
        logits = self._change(logits)
        if allowed is not None:
            logits[~allowed[: len(logits)]] = -np.inf
        token = int(logits.argmax()) if self._rules.is_greedy else self._throw(logits)
        self._lately.append(token)
        return token

    def _change(self, logits: Array) -> Array:
        """Logits with bias and penalties."""
        rules, logits = self._rules, logits.copy()
        for token, value in rules.bias.items():
            if 0 <= token < len(logits):
                logits[token] += value
        penalised = "penalties" in rules.samplers and self._lately
        if penalised and (rules.repeat_penalty, rules.presence_penalty, rules.frequency_penalty) != (1.0, 0.0, 0.0):
            seen = Counter(self._lately)
            tokens, counts = np.array(list(seen), np.int64), np.array(list(seen.values()), np.float32)
            some = logits[tokens]
            some = np.where(some > 0, some / rules.repeat_penalty, some * rules.repeat_penalty)
            logits[tokens] = some - counts * rules.frequency_penalty - rules.presence_penalty
        return logits

    def _throw(self, logits: Array) -> int:
        """One token by chance, among those that no rule cuts; each rule cuts what the one before has left."""
        tokens: Ids | None = None  # all: most answers are drawn so, and then 200,000 words are not to be copied
        for name in self._rules.samplers:
            if name == "temperature":
                logits = logits / np.float32(self._rules.temperature)
            elif self._rules.cuts(name):
                tokens = self._cut(name, logits, np.flatnonzero(np.isfinite(logits)) if tokens is None else tokens)
        left = logits if tokens is None else logits[tokens]
        place = find_place(np.exp((left - left.max()).astype(np.float64)), self._dice.random())
        return place if tokens is None else int(tokens[place])

    def _cut(self, name: str, logits: Array, tokens: Ids) -> Ids:
        """What one rule leaves."""
        rules = self._rules
        match name:
            case "top_k":
                return tokens[np.argpartition(-logits[tokens], min(rules.top_k, len(tokens)) - 1)[: rules.top_k]]
            case "typ_p":
                chances = chances_of(logits, tokens)
                information = -np.log(chances)
                surprise = np.abs(information - (chances * information).sum())
                return keep_share(tokens, chances, np.argsort(surprise, kind="stable"), rules.typical_p)
            case "top_p":
                chances = chances_of(logits, tokens)
                return keep_share(tokens, chances, np.argsort(-chances, kind="stable"), rules.top_p)
        likely: Ids = tokens[logits[tokens] >= logits[tokens].max() + np.log(min(1.0, rules.min_p))]
        return likely


def find_place(weights: NDArray[np.float64], share: float) -> int:
    """Where the sum of weights reaches a share of the whole; by the sums of stretches first, which is faster."""
    ends = np.add.reduceat(weights, np.arange(0, len(weights), STRETCH)).cumsum()
    wanted = share * ends[-1]
    stretch = min(int(np.searchsorted(ends, wanted, side="right")), len(ends) - 1)
    before = float(ends[stretch - 1]) if stretch else 0.0
    sums = before + weights[stretch * STRETCH : (stretch + 1) * STRETCH].cumsum()
    inside = int(np.searchsorted(sums, wanted, side="right"))
    return stretch * STRETCH + min(inside, len(sums) - 1)


def chances_of(logits: Array, tokens: Ids) -> NDArray[np.float64]:
    raised = np.exp((logits[tokens] - logits[tokens].max()).astype(np.float64))
    chances: NDArray[np.float64] = raised / raised.sum()
    return chances


def keep_share(tokens: Ids, chances: NDArray[np.float64], order: Ids, share: float) -> Ids:
    """The first tokens in an order whose chances add up to a share; one at least."""
    count = int(np.searchsorted(chances[order].cumsum(), share)) + 1
    return tokens[order[:count]]


def likeliest(logits: Array, token: int, count: int) -> tuple[Likely, list[Likely]]:
    """How likely a token was, and the `count` likeliest ones, the best first."""
    wide = logits.astype(np.float64)
    scale = wide.max()
    logs = wide - scale - np.log(np.exp(wide - scale).sum())
    count = min(count, len(logs))
    best = np.argpartition(-logs, count - 1)[:count] if count else np.array([], np.int64)
    best = best[np.argsort(-logs[best], kind="stable")]
    return Likely(token, float(logs[token])), [Likely(int(each), float(logs[each])) for each in best]
