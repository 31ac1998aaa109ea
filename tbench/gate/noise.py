"""Noise whose truth is known: what a process, or a side, is slower by beside its code. Pure.

Each source gives, pair after pair, the share of extra time of the base and of the new side. The simulation of the gate
adds these as numbers; a calibration has them done, as real work.

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
from collections.abc import Iterator

Source = Iterator[tuple[float, float]]  # shares of extra time, of the base and of the new side

OFTEN, STEP = 0.30, 0.10  # of the bimodal noise that is injected
RHO, WANDER = 0.9, 0.04  # of the drift that is injected
LEVEL = 3 * WANDER  # of extra work that the drift wanders about: work cannot be taken away
BIMODAL, DRIFT, ONE_SIDED = KINDS = ("bimodal", "drift", "one-sided drift")


def source(kind: str, seed: int) -> Source:
    """One of `KINDS`, as it is injected."""
    chance = random.Random(seed)
    if kind == BIMODAL:
        return bimodal(chance)
    if kind in KINDS:
        return drift(chance, both=kind == DRIFT)
    raise ValueError(f"{kind!r} is no kind of noise; there are {', '.join(KINDS)}")


def bimodal(chance: random.Random, often: float = OFTEN, step: float = STEP) -> Source:
    """Each process is slower by `step`, with probability `often`."""
    while True:
        yield step * (chance.random() < often), step * (chance.random() < often)


def drift(
    chance: random.Random, *, both: bool, rho: float = RHO, wander: float = WANDER, level: float = LEVEL
) -> Source:
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


def difference(shares: tuple[float, float]) -> float:
    """What a pair's logarithm of new ÷ base is shifted by."""
    base, new = shares
    return math.log1p(new) - math.log1p(base)
