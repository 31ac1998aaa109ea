"""A run of 200 short cases, killed again and again at random moments, and resumed until it is complete.

    python bench/kills.py [KILLS [MINUTES [FOLDER]]]

Kills the run with SIGKILL KILLS times (500), for at most MINUTES (600), at moments drawn from the whole life of
a run: importing, preparing, measuring, writing. When one completes, it is checked and another begins. Checked at every
kill: what standard error had reported as done is in the folder; and of every completed run: all cases, none twice, no
process left. Writes a line per kill to FOLDER (results/reliability) /kills.jsonl and the figures to kills.json. Exits 1
if anything was lost or doubled.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CASES = 200
EARLY = 0.25  # of the kills: at any moment up to the first result of a start
MEASURING_SECONDS = 2.0  # the others: so long after it, at most
SCENARIO = f"""\
version: 1
name: kills
component: attention
fixed: {{batch: 1, head_dim: 8}}
sweep: {{seq_len: {[16 + 2 * n for n in range(CASES // 4)]}, heads: [1, 2], kernel: [naive, flash]}}
baseline: {{kernel: naive}}
sampling: {{target: 0.5, min_time: 0.0, max_time: 0.05, min_rounds: 2, max_rounds: 2, warmup: 0.0, turn_time: 0.001}}
"""
DONE = re.compile(r"^\[\d+/\d+\] (.+?): ", re.MULTILINE)
MARK = "TBENCH_BENCH_KILLS"


def command(place: Path, run: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "tbench", "run", str(place / "kills.yaml"), "-o", str(run)),
        *("--device", "cpu", "--resume"),
    ]


def started(place: Path, run: Path, said: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TBENCH_LOCK_DIR": str(place), MARK: str(place)}
    with said.open("wb") as log:
        return subprocess.Popen(command(place, run), stdout=subprocess.DEVNULL, stderr=log, env=environment)


def first_result(process: subprocess.Popen[bytes], said: Path) -> bool:
    """Wait until the run has reported a case, or has ended; whether it has reported one."""
    while process.poll() is None:
        if DONE.search(said.read_text(errors="replace")):
            return True
        time.sleep(0.01)
    return False


def lines(run: Path) -> list[str]:
    """Identities in measurements.jsonl, whole lines only."""
    file = run / "measurements.jsonl"
    data = file.read_bytes() if file.exists() else b""
    return [json.loads(line)["id"] for line in data[: data.rfind(b"\n") + 1].splitlines()]


def left(place: Path) -> int:
    """Processes of the run that still live, some seconds after its end."""
    ends = time.monotonic() + 20
    while (alive := living(place)) and time.monotonic() < ends:
        time.sleep(0.1)
    return alive


def living(place: Path) -> int:
    found = 0
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            found += f"{MARK}={place}\0".encode() in file.read_bytes()
        except OSError:
            continue
    return found


def main(kills: int, minutes: float, folder: Path) -> int:
    chance = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + 60 * minutes
    figures: dict[str, Any] = {"kills": 0, "runs": 0, "lost": 0, "twice": 0, "missing": 0, "left behind": 0}
    stages: Counter[str] = Counter()
    boot = 5.0  # seconds from a start to its first result, as last seen
    with tempfile.TemporaryDirectory() as name, (folder / "kills.jsonl").open("w") as log:
        place = Path(name)
        (place / "kills.yaml").write_text(SCENARIO)
        run, said = place / "run-0", place / "said"
        reported: set[str] = set()
        while True:
            last = figures["kills"] >= kills or time.monotonic() > ends
            began = time.monotonic()
            process = started(place, run, said)
            early = chance.random() < EARLY
            delay = chance.uniform(0, boot) if early else chance.uniform(0, MEASURING_SECONDS)
            if not last:
                if not early and first_result(process, said):
                    boot = time.monotonic() - began
                try:
                    process.wait(delay)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
            process.wait()
            spoken = said.read_text(errors="replace")
            reported |= set(DONE.findall(spoken))
            found = lines(run)
            figures["lost"] += len(reported - set(found))
            if process.returncode == -signal.SIGKILL:
                figures["kills"] += 1
                stage = "measuring" if DONE.search(spoken) else "starting"
                stages[stage] += 1
                figures["left behind"] += left(place)
                seconds = round(time.monotonic() - began, 3)
                log.write(json.dumps({"seconds": seconds, "stage": stage, "lines": len(found)}) + "\n")
                log.flush()
                continue
            if process.returncode:
                print(spoken, file=sys.stderr)
                return 1
            figures["runs"] += 1
            figures["twice"] += len(found) - len(set(found))
            figures["missing"] += CASES - len(set(found))
            if last:
                break
            run, reported = place / f"run-{figures['runs']}", set()
    figures |= {"stages": dict(stages), "cases": CASES, "asked": kills}
    (folder / "kills.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))
    return int(any(figures[name] for name in ("lost", "twice", "missing", "left behind")))


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(
        main(
            int(words[0]) if words else 500,
            float(words[1]) if len(words) > 1 else 600.0,
            Path(words[2]) if len(words) > 2 else ROOT / "results/reliability",
        )
    )
