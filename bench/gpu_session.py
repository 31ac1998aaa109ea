"""Half an hour with a borrowed GPU: the shortest and most informative steps first, every result kept.

    python bench/gpu_session.py FOLDER [--minutes 28] [--from STEP]

Needs a checkout with a CUDA build of PyTorch, pytest and tbench's dependencies; installs nothing. Every step is a
process with a time limit that writes into FOLDER. `session.json` records how each step ended, so a session that is cut
short keeps its results and continues with `--from`. `host_time.json` has the slope and R² of each row's turn medians
against host time; with the queue-ahead clock both should be near zero.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tbench.analysis.run import Run

ROOT = Path(__file__).resolve().parents[1]
TBENCH = (sys.executable, "-m", "tbench")
FEWEST_TURNS = 4  # for a slope


@dataclass(frozen=True)
class Step:
    """A command, with the seconds it may take; `run`: the run folder it fills, whose rows are looked at after it."""

    name: str
    seconds: float
    command: tuple[str, ...]
    run: str | None = None


def programme(folder: Path) -> list[Step]:
    """In the order of what is learnt in a minute."""

    def run(name: str, seconds: float, scenario: str, *more: str) -> Step:
        where = folder / name
        device = ("--device", "cuda", "-o", str(where), "--resume")
        return Step(name, seconds, (*TBENCH, "run", f"scenarios/{scenario}.yaml", "--quick", *device, *more), name)

    tests = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    results = f"--junitxml={folder}"
    return [
        Step("clock", 240, (*tests, "tests/cuda/test_clock.py", f"{results}/clock.xml")),
        Step("measure", 180, (*tests, "tests/cuda/test_measure.py", f"{results}/measure.xml")),
        Step("ceilings", 120, (*TBENCH, "doctor", "--refresh", "--device", "cuda")),
        run("reads", 240, "reads"),
        run("kv-sharing", 180, "kv_sharing"),
        Step("prove", 480, (*TBENCH, "prove", "--device", "cuda", "-o", str(folder / "proof.json"))),
        run("document", 600, "document"),
        Step("workers", 180, (*tests, "tests/cuda/test_run.py", f"{results}/workers.xml")),
        Step("plan", 60, (*TBENCH, "run", "scenarios/attention.yaml", "--dry-run", "--device", "cuda")),
        Step("rest", 600, (*tests, "tests/cuda", f"{results}/rest.xml")),
    ]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=28.0, help="for all of it")
    parser.add_argument("--from", dest="first", metavar="STEP", help="leave out the steps before this one")
    asked = parser.parse_args(arguments)
    folder: Path = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    steps = programme(folder)
    names = [step.name for step in steps]
    if asked.first is not None and asked.first not in names:
        parser.error(f"no step {asked.first!r}; there are {', '.join(names)}")
    ends = time.monotonic() + 60 * asked.minutes
    done: dict[str, Any] = {}
    for step in steps[names.index(asked.first) if asked.first else 0 :]:
        left = ends - time.monotonic()
        done[step.name] = carried_out(step, folder, min(step.seconds, left)) if left > 0 else "no time left"
        if step.run is not None and (folder / step.run / "run.json").exists():
            table = host_time(Run.read(folder / step.run))
            (folder / step.run / "host_time.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        (folder / "session.json").write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    return 0


def carried_out(step: Step, folder: Path, seconds: float) -> dict[str, Any]:
    """Its exit code and its time; what it says goes to a file of its own."""
    print(f"{step.name}: {' '.join(step.command)}", flush=True)
    began = time.monotonic()
    with (folder / f"{step.name}.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            step.command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | str = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(2)  # a run saves its last whole round
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
            code = f"ended after {seconds:.0f} s"
    return {"exit": code, "seconds": round(time.monotonic() - began, 1)}


def host_time(run: Run) -> list[dict[str, Any]]:
    """Of each row that has turns enough: slope and R² of its turns' medians on the host's time per call."""
    found = []
    for measurement in run.measurements:
        turns = [turn for turn in measurement.turns if turn.host_seconds]
        host = [statistics.median(turn.host_seconds) for turn in turns]
        if len(turns) >= FEWEST_TURNS and len(set(host)) > 1:
            seconds = [statistics.median(turn.seconds) for turn in turns]
            constant = len(set(seconds)) == 1
            found.append(
                {
                    "case": measurement.case.id,
                    "clocks": sorted({turn.clock for turn in turns}),
                    "slope": 0.0 if constant else statistics.linear_regression(host, seconds).slope,
                    "r_squared": 0.0 if constant else statistics.correlation(host, seconds) ** 2,
                    "lowest_turn": min(seconds),
                }
            )
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
