"""Runs and noise whose truth is known: how often the gate errs, and what it sees.

Whole runs of the gate on differences that are drawn: the pairs' schedule and the decision rule are the real ones, only
the measuring is not. Time does not pass, so the pairs are as many as the rule allows. What the error rates of a rule
are is known from here (bench/gate_errors.py, tests/gate): runs on real machines are too few, and their truth is not at
the tolerance.

Each kind of noise gives, pair after pair, the share of extra time of the base and of the new side. A simulation adds
these as numbers; a calibration has them done, as real work.

    bimodal         a process is slower for its whole life or not at all, by chance, on either side alike: as where
                    memory happens to lie well or badly (Georges, Buytaert & Eeckhout 2007 for why processes differ)
    drift           both sides wander alike from pair to pair, as a machine does that heats up or has other guests
    one-sided drift only the new side wanders: no pair is free of it, and neighbours err alike. A test of independent
                    pairs does not hold its level here; how far it is off is to be known.

A wander is an autoregressive process of first order, x' = ρ·x + √(1 − ρ²)·e, whose standard deviation is that of e.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tbench.comparison.model import Verdict
from tbench.gate.decision import Evidence, Rule, judge
from tbench.gate.paired import Progress, measure_pairs

Draw = Callable[[], float]  # the difference of the next pair
Noise = Iterator[tuple[float, float]]  # shares of extra time, of the base and of the new side

OFTEN, STEP = 0.30, 0.10  # of the bimodal noise that is injected
RHO, WANDER = 0.9, 0.04  # of the drift that is injected
LEVEL = 3 * WANDER  # of extra work that the drift wanders about: work cannot be taken away
BIMODAL, DRIFT, ONE_SIDED = KINDS = ("bimodal", "drift", "one-sided drift")


@dataclass
class Drawn:
    """A case whose differences are drawn."""

    name: str
    draw: Draw
    evidence: Evidence = field(default_factory=Evidence)
    control: bool = False

    @property
    def failed(self) -> bool:
        return False

    def measure_pair(self, into: list[float], seed: int, memory_limit: int | None = None) -> None:
        into.append(self.draw())


def simulated(draws: Mapping[str, Draw], rule: Rule) -> dict[str, Drawn]:
    """A run of the gate on cases whose differences are drawn, each with its evidence."""
    cases = {name: Drawn(name, draw) for name, draw in draws.items()}
    measure_pairs(list(cases.values()), rule, 0, Progress(), clock=lambda: 0.0)
    return cases


def verdicts(draws: Mapping[str, Draw], rule: Rule) -> dict[str, Verdict]:
    """The verdict of such a run on each case."""
    evidence = {name: case.evidence for name, case in simulated(draws, rule).items()}
    return {name: found.verdict for name, found in judge(evidence, rule).items()}


def normal(chance: random.Random, slowdown: float, spread: float) -> Draw:
    """Differences about a true slowdown, their standard deviation `spread`."""
    return lambda: chance.gauss(math.log1p(slowdown), spread)


def noisy(draw: Draw, noise: Noise) -> Draw:
    """The same with the noise of a source on top."""
    return lambda: draw() + shift(next(noise))


# ---------------------------------------------------------------------- noise


def noise_of(kind: str, seed: int) -> Noise:
    """One of `KINDS`, as it is injected."""
    chance = random.Random(seed)
    if kind == BIMODAL:
        return bimodal(chance)
    if kind in KINDS:
        return drift(chance, both=kind == DRIFT)
    raise ValueError(f"unknown noise kind {kind!r} (choose from {', '.join(KINDS)})")


def bimodal(chance: random.Random, often: float = OFTEN, step: float = STEP) -> Noise:
    """Each process is slower by `step`, with probability `often`."""
    while True:
        yield step * (chance.random() < often), step * (chance.random() < often)


def drift(
    chance: random.Random, *, both: bool, rho: float = RHO, wander: float = WANDER, level: float = LEVEL
) -> Noise:
    """Both sides do `level` more work; it wanders about that on both alike, or only on the new side."""
    for offset in autoregressive(chance, rho, wander):
        moved = max(0.0, level + offset)
        yield (moved, moved) if both else (level, moved)


def autoregressive(chance: random.Random, rho: float, spread: float) -> Iterator[float]:
    """AR(1) about 0 with this standard deviation, from its stationary distribution on."""
    offset = chance.gauss(0, spread)
    while True:
        yield offset
        offset = rho * offset + math.sqrt(1 - rho**2) * chance.gauss(0, spread)


def shift(shares: tuple[float, float]) -> float:
    """What a pair's logarithm of new ÷ base is shifted by."""
    base, new = shares
    return math.log1p(new) - math.log1p(base)
