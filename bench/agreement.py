"""tbench against `torch.utils.benchmark`: fifteen operations of one and two threads, from about 20 µs to 100 ms.

    python bench/agreement.py [--pairs 5] [--visits 6] [--seconds 0.2] [--only NAME …] [--allocator kept|default]

One side is a worker as every case has it: forked from the server, with its environment, allocator and sampler. The
other is a fresh Python process without anything of tbench's but the number of threads and the allocator's setting, in
which `torch.utils.benchmark` times the same call on the same data. The two take visits in alternation, A B B A …, and
each has 20 ms after its visit in which its threads fall asleep. Every pair of processes is new: where their memory
lies differs, and the interval comes from how the pairs differ.

A line tells both medians, tbench ÷ torch with its 95% interval, and what is allowed: 2% from 100 µs up, 5% below. Exits
1 if a ratio is outside. A wide interval means that the machine was not quiet, or that more `--pairs` are needed. Other
load moves the ratio itself, below 1: torch's blocks last some milliseconds, and others' time slices fall into most of
them; tbench's samples last one, and most are spared.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from operations import SEED, Shared, described, shared_operations

from tbench.analysis.statistics import Interval, ratio
from tbench.execution.executor import Worker
from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.records import Sampling, Turn

BENCH = Path(__file__).parent
SHORT_SECONDS = 100e-6
LIMIT, LIMIT_OF_SHORT = 0.02, 0.05
ASLEEP_SECONDS = 0.020  # idle OpenMP threads spin for some milliseconds before they sleep
TIMEOUT = 120.0


@dataclass
class Found:
    """Logarithms of the medians of both sides' visits, pair by pair."""

    ours: list[list[float]] = field(default_factory=list)
    theirs: list[list[float]] = field(default_factory=list)

    @property
    def ratio(self) -> Interval:
        return ratio(self.ours, self.theirs)

    @property
    def limit(self) -> float:
        return LIMIT if seconds(self.theirs) >= SHORT_SECONDS else LIMIT_OF_SHORT

    @property
    def agree(self) -> bool:
        return abs(self.ratio.estimate - 1) <= self.limit


class TbenchSide:
    """One worker with the operation set up and warm."""

    def __init__(self, worker: Worker, operation: Shared, sampling: Sampling) -> None:
        self.worker = worker
        arguments = {"case": operation.case, "sampling": sampling, "seed": SEED, "memory_limit": None}
        worker.ask("prepare", TIMEOUT, **arguments, first=False)
        self.turns = 0

    def visit(self, seconds: float) -> float:
        taken: Turn = self.worker.ask("turn", TIMEOUT, round=0, turn=self.turns, seconds=seconds)
        self.turns += 1
        return statistics.median(taken.seconds)

    def close(self) -> None:
        """Its output must be right, as that of every case."""
        try:
            self.worker.ask("finish", TIMEOUT, seed=SEED + 1, weigh=False)
        finally:
            self.worker.close()


class TorchSide:
    """`bench/plain.py`, warm."""

    def __init__(self, operation: Shared, allocator: str, warmup: float) -> None:
        program = [sys.executable, str(BENCH / "plain.py")]
        self.process = subprocess.Popen(
            [*program, described(operation.case), str(operation.threads), allocator],
            env={**os.environ, "OMP_NUM_THREADS": str(operation.threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.ask: IO[str] = self.process.stdin
        self.answer: IO[str] = self.process.stdout
        self.read()
        self.visit(warmup)

    def read(self) -> str:
        line = self.answer.readline()
        if not line:
            raise SystemExit(f"the plain process ended with exit code {self.process.wait()}")
        return line

    def visit(self, seconds: float) -> float:
        self.ask.write(f"{seconds}\n")
        self.ask.flush()
        return float(self.read())

    def close(self) -> None:
        self.ask.close()
        self.process.wait()
        self.answer.close()


def visit_pair(
    operation: Shared, executor: LocalExecutor, asked: argparse.Namespace, forward: bool
) -> list[list[float]]:
    """Logarithms of the visits' medians of a new pair of processes: tbench's, torch's."""
    sampling = Sampling(allocator=asked.allocator)
    ours = TbenchSide(executor.start(), operation, sampling)
    theirs = TorchSide(operation, asked.allocator, sampling.warmup)
    logs: list[list[float]] = [[], []]
    try:
        for _ in range(asked.visits):
            sides: list[tuple[list[float], TbenchSide | TorchSide]] = [(logs[0], ours), (logs[1], theirs)]
            for found, side in sides if forward else reversed(sides):
                time.sleep(ASLEEP_SECONDS)
                found.append(math.log(side.visit(asked.seconds)))
            forward = not forward
    finally:
        theirs.close()
        ours.close()
    return logs


def compared(operation: Shared, executor: LocalExecutor, asked: argparse.Namespace) -> Found:
    found = Found()
    for pair in range(asked.pairs):
        ours, theirs = visit_pair(operation, executor, asked, forward=pair % 2 == 0)
        found.ours.append(ours)
        found.theirs.append(theirs)
    return found


def seconds(logs: Sequence[Sequence[float]]) -> float:
    return math.exp(statistics.median(value for one in logs for value in one))


def line(operation: Shared, found: Found) -> str:
    times = "  ".join(f"{seconds(logs) * 1e6:10.1f}" for logs in (found.ours, found.theirs))
    quotient = found.ratio
    interval = "[one visit]" if quotient.low is None else f"[{quotient.low:.3f}, {quotient.high:.3f}]"
    verdict = "" if found.agree else "   OUTSIDE"
    told = f"{quotient.estimate:7.3f}  {interval:16} ±{found.limit:.0%}"
    return f"{operation.name:26}{operation.threads:7}  {times}  {told}{verdict}"


def main(asked: argparse.Namespace) -> int:
    operations = [one for one in shared_operations() if not asked.only or one.name in asked.only]
    if not operations:
        raise SystemExit(f"--only: there is {', '.join(one.name for one in shared_operations())}")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(BENCH), *filter(None, [os.environ.get("PYTHONPATH")])])
    print(f"{asked.pairs} pairs of processes, {asked.visits} visits each of {asked.seconds:g} s; µs")
    print(f"{'':26}{'threads':>7}  {'tbench':>10}  {'torch':>10}  {'ratio':>7}  {'95% interval':16} allowed")
    outside = 0
    with device_lock("cpu", print), ExitStack() as stack:
        executors: dict[int, LocalExecutor] = {}
        for operation in operations:
            if operation.threads not in executors:
                executor = LocalExecutor(operation.threads, modules=["operations"])
                executors[operation.threads] = stack.enter_context(executor)
            found = compared(operation, executors[operation.threads], asked)
            outside += not found.agree
            print(line(operation, found), flush=True)
    print(f"{len(operations) - outside} of {len(operations)} operations agree")
    return int(outside > 0)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="fresh processes of each side per operation")
    parser.add_argument("--visits", type=int, default=6, help="of each process")
    parser.add_argument("--seconds", type=float, default=0.2, help="of samples in a visit")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="these operations")
    parser.add_argument("--allocator", choices=["kept", "default"], default="kept", help="as in a scenario's sampling")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(parsed()))
