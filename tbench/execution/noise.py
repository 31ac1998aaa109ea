"""How much this machine differs from itself: one small case against its own copy, measured as every pair is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tbench.analysis.statistics import Interval, ratio
from tbench.analysis.turns import by_round, paired
from tbench.catalog import get as get_component
from tbench.execution.executor import Executor, WorkerFailed
from tbench.execution.plan import Draft, Group
from tbench.execution.rounds import measure_group
from tbench.records import Case, Sampling, Value
from tbench.scenario.axes import resolve

PROCESSES = 8
COPY = ("copy", True)  # tells the second from the first; no component has such an axis
SAMPLING = Sampling(
    target=1e-9,  # never reached: every process is wanted
    min_time=0.0,
    max_time=10.0,
    min_rounds=PROCESSES,
    max_rounds=PROCESSES,
    warmup=0.05,
    turns=2,
    turn_time=0.04,
)
SIZES: Mapping[str, Value] = {
    "batch": 1,
    "seq_len": 256,
    "heads": 8,
    "head_dim": 64,
    "causal": True,
    "pattern": "full",
    "kernel": "naive",
}


@dataclass(frozen=True)
class Noise:
    """`relative_sd`: standard deviation of the processes' medians over their mean. `seconds`: median of one call.

    `ratio`: the case against its copy (A/A), which is 1 but for noise.
    """

    case: Case
    relative_sd: float
    seconds: float
    processes: int
    ratio: Interval | None = None


def measure_noise(executor: Executor, device: str) -> Noise:
    """About four seconds of measuring. Raises WorkerFailed where even this case does not run."""
    component = get_component("attention")
    case = Case("attention", "forward", device, "float32", tuple(resolve(component, SIZES).items()))
    copy = replace(case, axes=(*case.axes, COPY))
    work, size = component.work_of(case), component.predict_bytes(case)
    drafts = {case: Draft(case, case.id, work, size), copy: Draft(copy, case.id, work, size)}
    measured, again = measure_group(Group((case, copy)), drafts, executor, SAMPLING, seed=0)
    for one in (measured, again):
        if one.status != "ok":
            raise WorkerFailed(one.status, one.reason)
    medians = [math.exp(statistics.median(turns)) for turns in by_round(measured.turns)]
    spread = statistics.stdev(medians) / statistics.mean(medians)
    aa = ratio(*paired(measured.turns, again.turns))
    return Noise(case, spread, statistics.median(medians), len(medians), aa)
