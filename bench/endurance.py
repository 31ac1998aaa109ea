"""What long runs cost: the memory, time and descriptors of the parent over 10,000 cases, and reading large run folders.

    python bench/endurance.py [CASES [STORED]]

Runs CASES (10,000) trivial cases on workers that compute nothing, so that what is measured is tbench's own part:
scheduling, saving, showing. Prints the growth of the parent's memory and descriptors from the first result to the last,
and the time of the last tenth of the cases over that of the first. Then writes a run of STORED (100,000) measurements
and times `report --format csv`, `compare` and opening a folder of CASES, in fresh processes. Writes the figures to
results/reliability/endurance.json. Exits 1 above 50 MB, 1.2 times, 2 s to open, 10 s or 1 GB.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tbench.cli.output import Messages
from tbench.execution.plan import Group, Plan
from tbench.execution.prepare import Prepared
from tbench.execution.runner import measure
from tbench.execution.schedule import Here
from tbench.execution.workplace import Workplace
from tbench.records import Case, Memory, Sampling, Turn, Work
from tbench.report.live import Progress
from tbench.store import RunFolder, jsonfile

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

# Imported late: `tests` is found through the path above.
from tests.synthetic import ENVIRONMENT, header  # noqa: E402
from tests.synthetic import ok as measured  # noqa: E402

GROWTH, PACE, OPEN_SECONDS, SECONDS, BYTES = 50e6, 1.2, 2.0, 10.0, 1e9
SAMPLING = Sampling(target=1.0, min_time=0.0, max_time=1.0, min_rounds=2, max_rounds=2)
MEASURE = (
    "import resource, sys; from tbench.cli import exit_code; code = exit_code(sys.argv[1:]); sys.stdout.flush(); "
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
)


class Idle:
    """A worker of an executor that computes nothing and answers at once."""

    def start(self, like: Any = None, look: Any = None) -> Idle:
        return self

    def ask(self, do: str, timeout: float, **given: Any) -> Any:
        if do == "prepare":
            return {"ran": "naive", "notes": (), "error": 1e-7, "error_limit": 1e-4}
        if do == "turn":
            return Turn(given["round"], given["turn"], 1, (1e-3, 1.1e-3, 1e-3))
        return {"error": 1e-7, "memory": Memory(1000), "costs": {"setup": 1e-3}}

    def close(self) -> None: ...
    def kill(self) -> None: ...


def case(number: int) -> Case:
    axes = {"batch": 1, "seq_len": 16 + number // 2, "heads": 1, "kv_heads": 1, "head_dim": 16, "causal": True}
    kernel = ("naive", "flash")[number % 2]
    return Case("attention", "forward", "cpu", "float32", (*axes.items(), ("pattern", "full"), ("kernel", kernel)))


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Watched(Progress):
    """The progress that a user sees, and when each case was done."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self.began = (0, 0)

    def done(self, measurement: Any) -> None:
        super().done(measurement)
        if not self.times:
            self.began = (resident(), descriptors())
        self.times.append(time.perf_counter())


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def long_run(cases: int, folder: Path) -> dict[str, float]:
    pairs = [(case(number), case(number + 1)) for number in range(0, cases, 2)]
    everything = [one for pair in pairs for one in pair]
    groups = tuple(Group(pair, pair[0]) for pair in pairs)
    work = dict.fromkeys(everything, Work(1e3, 1e3))
    plan = Plan(groups, (), (), dict.fromkeys(everything, 1000), work, {}, SAMPLING)
    ready = Prepared("cpu", ENVIRONMENT, [plan], {one: pair[0] for pair in pairs for one in pair})
    head = {**header(), "environment": ENVIRONMENT.to_dict(), "cases": [one.id for one in everything]}
    listener = Watched()
    here = Here(Workplace(Idle(), ENVIRONMENT, 1), listener.update)  # type: ignore[arg-type]
    with RunFolder.create(folder, head) as store:
        listener.start(cases, None)
        measure(ready, here, store, {}, 0, listener)
        grown, more = resident() - listener.began[0], descriptors() - listener.began[1]
        store.finish()
    tenth = cases // 10
    first, last = (
        listener.times[end - 1] - listener.times[start] for start, end in ((0, tenth), (cases - tenth, cases))
    )
    return {"growth_bytes": grown, "more_descriptors": more, "last_over_first": last / first, "seconds": first * 10}


def stored(count: int, folder: Path, factor: float) -> None:
    one = measured(case(0), 1e-3, 1).to_dict()
    folder.mkdir()
    head = {**header(), "environment": ENVIRONMENT.to_dict(), "cases": [case(number).id for number in range(count)]}
    (folder / "run.json").write_bytes(jsonfile.dumps(head))
    turns = [
        {"round": r, "turn": t, "calls": 1, "seconds": [factor * (1e-3 + 1e-6 * (r + t))] * 3, "host_seconds": []}
        for r in range(5)
        for t in range(2)
    ]
    with (folder / "measurements.jsonl").open("wb") as file:
        for number in range(count):
            this = case(number)
            base = case(number - number % 2).id
            file.write(jsonfile.dumps({**one, "case": this.to_dict(), "id": this.id, "baseline": base, "turns": turns}))


def cost(*words: str) -> tuple[float, float]:
    """Seconds and peak bytes of a command."""
    began = time.perf_counter()
    command = [sys.executable, "-c", MEASURE, *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return time.perf_counter() - began, int(done.stderr.split()[-1]) * 1024.0


def main(cases: int, count: int) -> int:
    figures: dict[str, Any] = {"cases": cases, "stored": count}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        figures |= long_run(cases, place / "long")
        began = time.perf_counter()
        RunFolder.open(place / "long").finished()
        figures["open_seconds"] = time.perf_counter() - began
        stored(count, place / "base", 1.0)
        stored(count, place / "new", 1.01)
        figures["report_seconds"], figures["report_bytes"] = cost("report", str(place / "base"), "--format", "csv")
        figures["compare_seconds"], figures["compare_bytes"] = cost("compare", str(place / "base"), str(place / "new"))
    for what, value in figures.items():
        print(f"{what:18} {value:,.3f}" if isinstance(value, float) else f"{what:18} {value:,}")
    (ROOT / "results/reliability/endurance.json").write_text(json.dumps(figures, indent=2) + "\n")
    return int(
        figures["growth_bytes"] > GROWTH
        or figures["more_descriptors"] > 0
        or figures["last_over_first"] > PACE
        or figures["open_seconds"] > OPEN_SECONDS
        or max(figures["report_seconds"], figures["compare_seconds"]) > SECONDS
        or max(figures["report_bytes"], figures["compare_bytes"]) > BYTES
    )


if __name__ == "__main__":
    sys.stderr = Messages(sys.stderr)  # type: ignore[assignment]
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [10_000, 100_000][len(numbers) :])))
