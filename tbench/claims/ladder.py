"""The evolution as a waterfall: what each step from the block of 2017 to that of 2024 contributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tbench.analysis.derive import Row
from tbench.analysis.run import Run
from tbench.claims import selection
from tbench.claims.comparison import time_ratio
from tbench.claims.quality import Paired
from tbench.claims.trial import Trial, trials
from tbench.claims.verdict import Estimate
from tbench.records import Value

FIRST, LAST = "2017", "2024"
SWITCHES = ("design", "placement", "norm", "activation", "kv_heads", "position", "kernel")


@dataclass(frozen=True)
class Step:
    """One step at one size. `time`: of the step before ÷ of this one; `total`: of 2017 ÷ of this one. `memory`: peak
    bytes of 2017 ÷ of this one. None where it could not be had.
    """

    name: str
    time: Estimate | None
    total: Estimate | None
    memory: float | None


@dataclass(frozen=True)
class Ladder:
    """The steps of one phase at one size, from 2017 on. `sizes`: axes that tell it from the other ladders."""

    phase: str
    sizes: tuple[tuple[str, Value], ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Learned:
    """What a step does to the held-out loss, nats per token: the step before − this one, over shared seeds."""

    name: str
    loss: float
    gain: Estimate | None


def ladders(runs: Sequence[Run]) -> list[Ladder]:
    """One for each phase and size that was measured with 2017 and at least one step, from blocks' rows."""
    found: list[tuple[Row, tuple[Step, ...]]] = []
    for run in runs:
        blocks = [row for row in run.rows if row.measurement.case.component == "block" and row.status == "ok"]
        for group in selection.grouped(blocks, SWITCHES).values():
            rows = {str(row.measurement.case.get("design")): row for row in group}
            names = rungs(list(rows))
            if len(names) > 1:
                steps = [_step(rows, names[0], before, name) for before, name in pairwise(names)]
                found.append((rows[FIRST], (Step(FIRST, None, None, None), *steps)))
    points = [{a: v for a, v in selection.point(row.measurement.case).items() if a not in SWITCHES} for row, _ in found]
    axes = [axis for axis in selection.telling(points, "phase") if axis != "phase"]
    return [
        Ladder(row.measurement.case.phase, tuple((axis, one[axis]) for axis in axes), steps)
        for (row, steps), one in zip(found, points, strict=True)
    ]


def rungs(designs: Sequence[str]) -> list[str]:
    """2017, the steps in the order they were measured in, 2024; what leaves one out is no rung. None without 2017."""
    if FIRST not in designs:
        return []
    return [FIRST, *(name for name in designs if name.startswith("+")), *(name for name in designs if name == LAST)]


def _step(rows: Mapping[str, Row], first: str, before: str, name: str) -> Step:
    time, total = time_ratio(rows[before], rows[name]), time_ratio(rows[first], rows[name])
    own, theirs = rows[name].peak_memory_bytes, rows[first].peak_memory_bytes
    return Step(
        name,
        time.estimate if time else None,
        total.estimate if total else None,
        theirs / own if own and theirs else None,
    )


def learned(runs: Sequence[Run]) -> list[Learned]:
    """The same arms as trained models, of the last run that has them; empty where there are none."""
    arms: dict[str, dict[int, Trial]] = {}
    for run in runs:
        for row in run.rows:
            case = row.measurement.case
            if case.component == "training" and case.get("experiment") == "ladder":
                arms[str(case.get("arm"))] = {trial.seed: trial for trial in trials(row.measurement)}
    names = [name for name in rungs(list(arms)) if arms[name]]
    return [_learned(arms, before, name) for before, name in zip([None, *names], names, strict=False)]


def _learned(arms: Mapping[str, Mapping[int, Trial]], before: str | None, name: str) -> Learned:
    own = arms[name]
    mean = sum(trial.counted_loss for trial in own.values()) / len(own)
    shared = sorted(own.keys() & arms[before].keys()) if before is not None else []
    if before is None or not shared:
        return Learned(name, mean, None)
    pairs = Paired.of([arms[before][seed] for seed in shared], [own[seed] for seed in shared])
    return Learned(name, mean, pairs.estimate)
