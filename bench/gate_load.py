"""Whether the gate stays green when another program has one core all the time.

    python bench/gate_load.py [RUNS] [FOLDER]

Runs the gate on the same code on both sides (scenarios/gate.yaml, --quick) beside a busy loop that is pinned to the
first core. Prints how the runs ended and why those that stayed open did, keeps the trials in FOLDER, and exits 1 if a
run turned red.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tbench.gate.calibrate import TrialPlan, calibrate
from tbench.gate.options import Options

SCENARIO = Path(__file__).parents[1] / "scenarios" / "gate.yaml"


def main(runs: int, folder: Path) -> int:
    core = min(os.sched_getaffinity(0))
    busy = subprocess.Popen([sys.executable, "-c", f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"])
    try:
        options = Options(str(SCENARIO), device="cpu", quick=True)
        summary, trials = calibrate(options, TrialPlan(same=runs), folder, print)
    finally:
        busy.kill()
    ends = Counter(trial.exit_code for trial in trials)
    opened = [trial for trial in trials if trial.exit_code == 3]
    print(f"{len(trials)} runs beside a busy loop: exit codes {dict(ends)}, {summary.seconds:.0f} s each")
    print(f"false reds {summary.false_red.hits}; open cases in {len(opened)} runs")
    print(f"controls {dict(Counter(trial.control for trial in trials))}")
    print("spread of a pair: " + ", ".join(f"{sigma:.1%} {case.split()[-1]}" for case, sigma in summary.sigmas.items()))
    return int(summary.false_red.hits > 0)


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    if len(sys.argv) > 2:
        sys.exit(main(runs, Path(sys.argv[2])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(runs, Path(temporary)))
