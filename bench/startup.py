"""How fast the command line answers: `tbench --help` and `tbench list` against the bare imports they need.

    python bench/startup.py [RUNS]

Alternates the commands, prints each median and its ratio to `python -c "import typer, rich.table, yaml"`, and exits
1 if one is above 2, or if one loads torch, pandas, scipy or matplotlib.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

HEAVY = ("torch", "pandas", "scipy", "matplotlib")
BARE = [sys.executable, "-c", "import typer, rich.table, yaml"]
COMMANDS = {name: [sys.executable, "-m", "tbench", name] for name in ("--help", "list")}


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def loaded(name: str) -> list[str]:
    """Which heavy modules the command has imported by the time it ends."""
    code = (
        "import sys, tbench.cli; sys.stdout.write = lambda text: len(text); tbench.cli.exit_code(sys.argv[1:]); "
        f"print(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", code, name], check=True, capture_output=True, text=True).stderr
    return said.split()


def main(runs: int) -> int:
    seconds(BARE)
    times: dict[str, list[float]] = {"bare imports": [], **{name: [] for name in COMMANDS}}
    for _ in range(runs):
        times["bare imports"].append(seconds(BARE))
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    bare = statistics.median(times["bare imports"])
    print(f"{'bare imports':14} {bare * 1e3:6.0f} ms")
    failed = False
    for name in COMMANDS:
        share = statistics.median(times[name]) / bare
        heavy = loaded(name)
        failed |= share > 2 or bool(heavy)
        print(
            f"tbench {name:7} {share * bare * 1e3:6.0f} ms   {share:.2f}x   loads {', '.join(heavy) or 'nothing heavy'}"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 11))
