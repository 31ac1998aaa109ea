"""tbench beside torch.utils.benchmark, pyperf, pytest-benchmark, and on a GPU triton's do_bench and cuda-bench.

    python bench/peers.py [--repeats 20] [--slow-repeats 5] [--cases NAME …] [--only HARNESS …] [--device cpu]
    python bench/peers.py --repeats-only        # tbench alone: the coverage of its intervals
    python bench/peers.py --quick               # two cases, two repeats: to see that everything runs

Every harness is asked for the time of the same ten operations, on the same data, with the same threads and the same
allocator, each as a user would ask it, in processes of its own. They take turns: a repeat goes through all cases in a
new order, and through the harnesses of each forwards and backwards by turns. `peer_tables.py` says what is made of the
answers: agreement, spread over repeats, coverage and time to answer.

Writes `results/peers/<processor or GPU>/peers.json` (every answer, as it comes; what is there is not asked again) and
`peers.md` (the tables); with `--repeats-only` they are `repeats.json` and `repeats.md`, since nothing took turns with
those answers. Exits 1 if what must hold does not, or if a harness gave no answer.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from harnesses import HARNESSES, Failed, Harness, Question, ask_engine, ask_tbench
from operations import Named, peer_cases
from peer_tables import markdown, verdicts

from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.measure import machine
from tbench.store import jsonfile
from tbench.threads import worker_threads

RESULTS = Path(__file__).parents[1] / "results" / "peers"
PACKAGES = ("tbench", "torch", "pyperf", "pytest-benchmark", "triton", "cuda-bench")
QUICK_CASES, QUICK_REPEATS = 2, 2


@dataclass(frozen=True)
class Step:
    """One question to one harness; `repeat` counts from 0, by harness and case."""

    harness: str
    named: Named
    repeat: int

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.harness, self.named.name, self.repeat)


def schedule(cases: Sequence[Named], repeats: dict[str, int], seed: int = 0) -> Iterator[Step]:
    """All questions, in an order in which drift of the machine meets all harnesses and cases alike.

    A harness with fewer repeats than others takes part in as many rounds of it, spread over all.
    """
    most = max(repeats.values(), default=0)
    for turn in range(most):
        shuffled = random.Random(f"{seed} {turn}").sample(cases, len(cases))
        for place, case in enumerate(shuffled):
            names = list(repeats) if (turn + place) % 2 == 0 else list(reversed(repeats))
            for name in names:
                before, after = (repeats[name] * number // most for number in (turn, turn + 1))
                if before < after:
                    yield Step(name, case, before)


class Store:
    """The answers and their tables, rewritten after every answer. Raises SystemExit for a file of elsewhere."""

    def __init__(self, file: Path, where: dict[str, Any]) -> None:
        self.file, self.tables = file, file.with_suffix(".md")
        file.parent.mkdir(parents=True, exist_ok=True)
        self.data: dict[str, Any] = {"schema_version": 1, "where": where, "answers": []}
        if self.file.exists():
            stored = jsonfile.loads(self.file.read_bytes())
            differing = [name for name in where if stored["where"].get(name) != where[name] and name != "harnesses"]
            if differing:
                raise SystemExit(
                    f"{self.file} is of another {' and '.join(differing)}: move it away, or give another -o"
                )
            self.data["answers"] = stored["answers"]
            where["harnesses"] = {**stored["where"]["harnesses"], **where["harnesses"]}

    @property
    def answers(self) -> list[dict[str, Any]]:
        return list(self.data["answers"])

    @property
    def done(self) -> set[tuple[str, str, int]]:
        return {(a["harness"], a["case"], a["repeat"]) for a in self.answers if not a.get("failure")}

    def add(self, answer: dict[str, Any]) -> None:
        key = [answer[name] for name in ("harness", "case", "repeat")]
        kept = [old for old in self.answers if [old[name] for name in ("harness", "case", "repeat")] != key]
        self.data["answers"] = [*kept, answer]  # in place of a failure, if there was one
        self.write()

    def write(self) -> None:
        jsonfile.replace(self.file, jsonfile.dumps(self.data, indent=1))
        self.tables.write_text(markdown(self.data), encoding="utf-8")


def asked(step: Step, harness: Harness, question: Question) -> dict[str, Any]:
    """The answer to one question as it is stored. tbench holds the device itself."""
    stored = {"harness": step.harness, "case": step.named.name, "id": step.named.case.id, "repeat": step.repeat}
    with nullcontext() if harness.ask is ask_tbench else device_lock(question.case.device, print):
        stored["at"] = datetime.now(UTC).isoformat(timespec="seconds")
        began = time.perf_counter()
        try:
            answer: dict[str, Any] = asdict(harness.ask(question))
        except Failed as failure:
            answer = {"failure": str(failure)}
        return {**stored, **answer, "seconds": time.perf_counter() - began}


def told(answer: dict[str, Any]) -> str:
    head = f"{answer['repeat'] + 1:3} {answer['case']:26}{answer['harness']:17}{answer['seconds']:7.1f} s"
    if answer.get("failure"):
        return f"{head}  {answer['failure']}"
    return f"{head}{answer['estimate'] * 1e6:12.1f} µs  {answer['spread']}"


def surroundings(device: str, wanted: Sequence[str], asked: argparse.Namespace) -> dict[str, Any]:
    """What must be the same for answers to stand in one table, and which harnesses there are."""
    versions = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "device": device,
        "device_name": device_name(device),
        "threads": worker_threads(),
        "allocator": asked.allocator,
        "python": sys.version.split()[0],
        "versions": versions,
        "quick": asked.quick,
        "harnesses": {
            name: {
                "prints": HARNESSES[name].prints,
                "interval": HARNESSES[name].interval,
                "absent": HARNESSES[name].absent(device) or "",
            }
            for name in wanted
        },
    }


def device_name(device: str) -> str:
    if device == "cpu":
        return machine.cpu_model()
    import torch

    return str(torch.cuda.get_device_name(device))


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def selected(cases: Sequence[Named], asked: argparse.Namespace) -> list[Named]:
    chosen = [one for one in cases if not asked.cases or one.name in asked.cases]
    if not chosen:
        raise SystemExit(f"--cases: there is {', '.join(one.name for one in cases)}")
    return chosen[: QUICK_CASES if asked.quick else None]


def repeats_of(names: Sequence[str], asked: argparse.Namespace) -> dict[str, int]:
    if asked.quick:
        return dict.fromkeys(names, QUICK_REPEATS)
    fewer = min(asked.repeats, asked.slow_repeats)
    return {name: fewer if HARNESSES[name].slow else asked.repeats for name in names}


def main(asked_for: argparse.Namespace) -> int:
    device = "cuda:0" if asked_for.device == "cuda" else asked_for.device
    wanted = ["tbench"] if asked_for.repeats_only else asked_for.only or list(HARNESSES)
    where = surroundings(device, wanted, asked_for)
    present = [name for name in wanted if not where["harnesses"][name]["absent"]]
    suffix = "-quick" if asked_for.quick else ""
    folder: Path = asked_for.out or RESULTS / f"{slug(where['device_name'])}{suffix}"
    store = Store(folder / ("repeats.json" if asked_for.repeats_only else "peers.json"), where)
    cases = selected(peer_cases(device), asked_for)
    steps = [step for step in schedule(cases, repeats_of(present, asked_for)) if step.key not in store.done]
    print(f"{len(steps)} questions; answers go to {store.file}")
    if "tbench" in present and steps:  # ceilings are measured once per machine: no answer shall wait for that
        try:
            ask_tbench(Question(cases[0].case, where["threads"], asked_for.allocator, quick=True))
        except Failed as failure:
            raise SystemExit(f"tbench does not run here: {failure}") from None
    with LocalExecutor() if asked_for.repeats_only else nullcontext() as executor:
        for step in steps:
            question = Question(step.named.case, where["threads"], asked_for.allocator, asked_for.quick)
            harness = HARNESSES[step.harness]
            if executor is not None:
                harness = replace(harness, ask=partial(ask_engine, executor))
            answer = asked(step, harness, question)
            print(told(answer), flush=True)
            store.add(answer)
    store.write()
    print(store.tables.read_text(encoding="utf-8"))
    failures = any(answer.get("failure") for answer in store.answers)
    return int(failures or not (asked_for.quick or all(ok for ok, _ in verdicts(store.answers))))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20, help="of every case by every harness")
    parser.add_argument(
        "--slow-repeats", type=int, default=5, help="the same for a harness that takes a minute (pyperf)"
    )
    parser.add_argument("--cases", nargs="+", metavar="NAME", default=[], help="these operations")
    parser.add_argument("--only", nargs="+", metavar="HARNESS", choices=list(HARNESSES), default=[])
    parser.add_argument("--repeats-only", action="store_true", help="tbench alone: coverage of its intervals")
    parser.add_argument("--quick", action="store_true", help="two cases, two repeats, short")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--allocator", choices=["kept", "default"], default="kept", help="as in a scenario's sampling")
    parser.add_argument("-o", "--out", type=Path, help="another folder than results/peers/…")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(parsed()))
