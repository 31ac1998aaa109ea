"""How much this machine's clock differs from process to process: one small case, measured as every case is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from tbench.analysis.turns import by_round
from tbench.catalog import get as get_component
from tbench.execution.executor import Executor, WorkerFailed
from tbench.execution.plan import Draft, Group
from tbench.execution.rounds import measure_group
from tbench.records import Case, Sampling, Value
from tbench.scenario.axes import resolve

PROCESSES = 8
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
    """`relative_sd`: standard deviation of the processes' medians over their mean. `seconds`: median of one call."""

    case: Case
    relative_sd: float
    seconds: float
    processes: int


def measure_noise(executor: Executor, device: str) -> Noise:
    """About two seconds of measuring. Raises WorkerFailed where even this case does not run."""
    component = get_component("attention")
    case = Case("attention", "forward", device, "float32", tuple(resolve(component, SIZES).items()))
    draft = Draft(case, None, component.work_of(case), component.predict_bytes(case))
    (measured,) = measure_group(Group((case,)), {case: draft}, executor, SAMPLING, seed=0)
    if measured.status != "ok":
        raise WorkerFailed(measured.status, measured.reason)
    medians = [math.exp(statistics.median(turns)) for turns in by_round(measured.turns)]
    return Noise(case, statistics.stdev(medians) / statistics.mean(medians), statistics.median(medians), len(medians))
