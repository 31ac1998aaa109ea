"""Whole runs of the gate on differences that are drawn: how often it errs where the truth is known.

The contest and the judge are the real ones; only the measuring is not. Time does not pass, so the pairs are as many as
the rule allows. What the error rates of a rule are is known from here (bench/gate_errors.py, tests/gate): runs on real
machines are too few, and their truth is not at the tolerance.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tbench.gate.contest import contest
from tbench.gate.decision import Evidence, Opinion, judged
from tbench.gate.noise import Source, difference
from tbench.gate.rule import Rule

Draw = Callable[[], float]  # the difference of the next pair


@dataclass
class Drawn:
    """A duel whose differences are drawn."""

    name: str
    draw: Draw
    evidence: Evidence = field(default_factory=Evidence)
    control: bool = False

    @property
    def over(self) -> bool:
        return False

    def fight(self, into: list[float], seed: int, memory_limit: int | None = None) -> None:
        into.append(self.draw())


class Unwatched:
    """Nobody looks on."""

    def say(self, message: str) -> None: ...
    def at(self, message: str) -> None: ...
    def swept(self) -> None: ...


def simulated(draws: Mapping[str, Draw], rule: Rule) -> dict[str, Drawn]:
    """A run of the gate on cases whose differences are drawn, each with its evidence."""
    duels = {name: Drawn(name, draw) for name, draw in draws.items()}
    contest(list(duels.values()), rule, 0, Unwatched(), clock=lambda: 0.0)
    return duels


def opinions(draws: Mapping[str, Draw], rule: Rule) -> dict[str, Opinion]:
    """What such a run says of each case."""
    duels = simulated(draws, rule)
    return {name: found.opinion for name, found in judged({n: d.evidence for n, d in duels.items()}, rule).items()}


def normal(chance: random.Random, slowdown: float, spread: float) -> Draw:
    """Differences about a true slowdown, their standard deviation `spread`."""
    return lambda: chance.gauss(math.log1p(slowdown), spread)


def noisy(draw: Draw, noise: Source) -> Draw:
    """The same with the noise of a source on top."""
    return lambda: draw() + difference(next(noise))
