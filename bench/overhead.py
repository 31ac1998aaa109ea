"""What isolation costs: seconds of a case's round beside its own set-up, warm-up, checks and samples.

    python bench/overhead.py [ROUNDS]

Measures one small attention case in ROUNDS fresh processes, as every case is measured, and prints median and maximum
of what tbench itself adds to a round (starting and ending the process, asking and answering), and of the other
costs. The first round is left out: it waits for the server of processes to import torch, and it alone weighs memory.
Exits 1 if the median is above 60 ms.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise

from tbench.catalog import get
from tbench.execution.local import LocalExecutor
from tbench.execution.rounds import Draft, Group, measure_group
from tbench.records import Case, Measurement, Sampling
from tbench.scenario.axes import resolve

LIMIT_SECONDS = 0.060
SIZES = {"batch": 1, "seq_len": 64, "heads": 8, "head_dim": 64, "causal": True, "pattern": "full", "kernel": "flash"}


def costs_by_round(rounds: int) -> tuple[list[dict[str, float]], float]:
    """What each round cost, by name, and the seconds of samples in all. Raises SystemExit if the case fails."""
    component = get("attention")
    case = Case("attention", "forward", "cpu", "float32", tuple(resolve(component, SIZES).items()))
    draft = Draft(case, None, component.work_of(case), component.predict_bytes(case))
    sampling = Sampling(target=1e-9, min_time=0.0, max_time=60.0, min_rounds=rounds, max_rounds=rounds)
    totals: list[Mapping[str, float]] = [{}]

    def after_round(so_far: Sequence[Measurement]) -> None:
        totals.append(so_far[0].costs)

    with LocalExecutor() as executor:
        (measured,) = measure_group(Group((case,)), {case: draft}, executor, sampling, seed=0, after_round=after_round)
    if measured.status != "ok":
        raise SystemExit(f"{case.id}: {measured.status}: {measured.reason}")
    each = [
        {name: total - before.get(name, 0.0) for name, total in after.items()} for before, after in pairwise(totals)
    ]
    return each, sum(sum(turn.seconds) * turn.calls for turn in measured.turns)


def main(rounds: int) -> int:
    each, sampled = costs_by_round(rounds)
    print(f"{rounds} rounds, {sampled / rounds * 1e3:.0f} ms of samples in each; of the rounds after the first, in ms:")
    print(f"{'':12} {'median':>8} {'maximum':>8} {'first':>8}")
    for name in ("overhead", "setup", "first_call", "check", "warmup", "memory"):
        later = [one.get(name, 0.0) * 1e3 for one in each[1:]]
        print(f"{name:12} {statistics.median(later):8.1f} {max(later):8.1f} {each[0].get(name, 0.0) * 1e3:8.1f}")
    overhead = statistics.median(one["overhead"] for one in each[1:])
    print(f"median overhead {overhead * 1e3:.1f} ms (allowed {LIMIT_SECONDS * 1e3:.0f} ms)")
    return int(overhead > LIMIT_SECONDS)


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    sys.exit(main(max(2, asked)))
