"""The evolution as a waterfall: what each step from the block of 2017 to that of 2024 contributes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tbench.analysis.derive import Row
from tbench.analysis.run import Run
from tbench.claims import selection
from tbench.claims.comparison import time_ratio
from tbench.claims.quality import Paired
from tbench.claims.trial import Trial, trials
from tbench.claims.verdict import Estimate
from tbench.model.ladder import DESIGNS
from tbench.records import Value

STEPS = tuple(name for name in DESIGNS if not name.startswith("-"))  # 2017, +pre-norm, … 2024
FIRST, LAST = STEPS[0], STEPS[-1]
SWITCHES = ("design", "norm_position", "norm", "activation", "ffn_hidden", "kv_heads", "position_encoding", "kernel")


@dataclass(frozen=True)
class Step:
    """One step at one size. `time`: of the step before ÷ of this one, None where that was not measured; `total`: of
    2017 ÷ of this one. `memory`: peak bytes of 2017 ÷ of this one. None where it could not be had.
    """

    name: str
    time: Estimate | None
    total: Estimate | None
    memory: float | None


@dataclass(frozen=True)
class Ladder:
    """The steps of one phase at one size, from 2017 on. `sizes`: every axis that is no step's."""

    phase: str
    sizes: tuple[tuple[str, Value], ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Learned:
    """What a step does to the held-out loss, nats per byte: the step before − this one, over shared seeds; None where
    that was not measured."""

    name: str
    loss: float
    gain: Estimate | None


def ladders(runs: Sequence[Run]) -> list[Ladder]:
    """One for each phase and size that was measured with 2017 and at least one step, from blocks' rows; of several
    runs the last that has it."""
    found: dict[selection.Key, Ladder] = {}
    for run in runs:
        blocks = [row for row in run.rows if row.measurement.case.component == "block" and row.status == "ok"]
        for key, group in selection.grouped(blocks, SWITCHES).items():
            rows = {str(row.measurement.case.get("design")): row for row in group}
            names = rungs(rows)
            if len(names) > 1:
                sizes = tuple((axis, value) for axis, value in key if axis not in ("component", "phase"))
                steps = (Step(FIRST, None, None, None), *(_step(rows, name) for name in names[1:]))
                found[key] = Ladder(str(dict(key)["phase"]), sizes, steps)
    return list(found.values())


def rungs(measured: Collection[str]) -> list[str]:
    """The steps in their order, as far as they were measured; none without 2017."""
    return [name for name in STEPS if name in measured] if FIRST in measured else []


def before(name: str) -> str | None:
    """The step that `name` adds one improvement to."""
    return None if name == FIRST else STEPS[STEPS.index(name) - 1]


def _step(rows: Mapping[str, Row], name: str) -> Step:
    last = rows.get(before(name) or "")
    time, total = time_ratio(last, rows[name]) if last else None, time_ratio(rows[FIRST], rows[name])
    own, theirs = rows[name].peak_memory_bytes, rows[FIRST].peak_memory_bytes
    return Step(
        name,
        time.estimate if time else None,
        total.estimate if total else None,
        theirs / own if own and theirs else None,
    )


def learned(runs: Sequence[Run]) -> list[Learned]:
    """The same steps as trained models, all of one run and budget: the last in full, else the last; empty where there
    are none."""
    arms: dict[str, dict[int, Trial]] = {}
    for budget in ("quick", "full"):
        for run in runs:
            arms = _arms(run, budget) or arms
    names = [name for name in rungs(arms) if arms[name]]
    return [_learned(arms, name, last) for last, name in zip(["", *names], names, strict=False)]


def _arms(run: Run, budget: str) -> dict[str, dict[int, Trial]]:
    """Runs of each step by seed."""
    wanted = {"component": ("training",), "experiment": ("ladder",), "budget": (budget,)}
    chosen = [row.measurement for row in run.rows if selection.matches(wanted, row.measurement.case)]
    return {str(one.case["arm"]): {trial.seed: trial for trial in trials(one)} for one in chosen}


def _learned(arms: Mapping[str, Mapping[int, Trial]], name: str, step_before: str) -> Learned:
    own, last = arms[name], arms.get(step_before, {})
    mean = sum(trial.counted_loss for trial in own.values()) / len(own)
    shared = sorted(own.keys() & last.keys())
    if not shared:
        return Learned(name, mean, None)
    pairs = Paired.of([last[seed] for seed in shared], [own[seed] for seed in shared])
    return Learned(name, mean, pairs.estimate)
