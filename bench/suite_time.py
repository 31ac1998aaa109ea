"""Which share of a suite's wall time is samples, and where the rest goes.

    python bench/suite_time.py                     # runs scenarios/attention.yaml without compiled kernels
    python bench/suite_time.py --options --quick   # the same with options of `tbench run`
    python bench/suite_time.py RUN_FOLDER          # a finished run that was not resumed

`samples` is the time inside the clock. `warmup` also holds a turn's samples that are not kept; `overhead`
is what tbench adds to a case; `between` is what no case is charged for: drawing progress and saving. Wall time is that
of run.json, in whole seconds and from the first case on: a suite of a few seconds says little. What comes before
(importing torch, looking at the machine) is printed if the suite is run here, but not counted. Not for suites with
experiments, which run side by side. Exits 1 if samples are less than half.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tbench.analysis.run import Run
from tbench.analysis.turns import sampled_seconds
from tbench.execution.rounds import added
from tbench.records import Measurement

LIMIT = 0.5
SCENARIO = Path(__file__).parents[1] / "scenarios" / "attention.yaml"
UNCOMPILED = "kernel=naive,math,flash,chunked,masked,auto"


def wall_seconds(header: Mapping[str, Any]) -> float:
    """From the beginning to the end of a run. Raises SystemExit where it has none."""
    try:
        began, ended = (datetime.fromisoformat(header[name]) for name in ("started", "ended"))
    except (KeyError, TypeError):
        raise SystemExit("the run is not finished: go on with --resume, or measure again") from None
    return (ended - began).total_seconds()


def spent(measurements: Sequence[Measurement], wall: float) -> dict[str, float]:
    """Seconds by what they went to; they add up to `wall`."""
    costs: dict[str, float] = {"samples": sum(sampled_seconds(one.turns) for one in measurements)}
    for one in measurements:
        costs = added(costs, one.costs)
    return {**costs, "between": wall - sum(costs.values())}


def measured(folder: Path, options: Sequence[str]) -> float:
    """Run the suite; seconds of wall time. Raises SystemExit if it fails."""
    command = [sys.executable, "-m", "tbench", "run", str(SCENARIO), "-k", UNCOMPILED, "--device", "cpu"]
    began = time.perf_counter()
    done = subprocess.run([*command, "-o", str(folder), *options], stdout=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"tbench run ended with exit code {done.returncode}")
    return time.perf_counter() - began


def report(run: Run) -> int:
    wall = wall_seconds(run.header)
    shares = spent(run.measurements, wall)
    print(f"{len(run.measurements)} cases in {wall:.0f} s")
    for name, seconds in sorted(shares.items(), key=lambda item: -item[1]):
        print(f"{name:12} {seconds:8.1f} s {seconds / wall:7.1%}")
    share = shares["samples"] / wall
    print(f"samples are {share:.1%} of the wall time (at least {LIMIT:.0%})")
    return int(share < LIMIT)


def main(asked: argparse.Namespace) -> int:
    if asked.folder is not None:
        return report(Run.read(asked.folder))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        everything = measured(folder, asked.options)
        run = Run.read(folder)
        print(f"before the first case and after the last: {everything - wall_seconds(run.header):.0f} s")
        return report(run)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="of a finished run; without it the suite is run")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="what follows goes to tbench run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(parsed()))
