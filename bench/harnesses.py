"""How each harness of `peers.py` is asked for the time of one operation, and what it answers.

Each is used as its documentation says, with its default settings, as a command in fresh processes of its own. To add
one, write the function that gets its answer and an entry in HARNESSES.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations import described

from tbench.analysis.derive import Row, derive
from tbench.analysis.run import Run
from tbench.catalog import get as get_component
from tbench.execution.executor import Executor
from tbench.execution.plan import Draft, Group
from tbench.execution.rounds import measure_group
from tbench.records import Case, Sampling

BENCH = Path(__file__).parent
TIMEOUT = 900.0
INHERITED = ("OMP_NUM_THREADS", "PYTHONPATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")


class Failed(Exception):
    """A harness gave no answer; says why."""


@dataclass(frozen=True)
class Answer:
    """`estimate`: seconds, what the harness prints first. `low`, `high`: its own 95% interval, if it prints one.

    `spread`: what it says about its accuracy, in words.
    """

    estimate: float
    spread: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Question:
    """One operation to be timed, with everything that shall be the same for all harnesses.

    `quick`: with fewer processes and samples, only to see that everything runs.
    """

    case: Case
    threads: int
    allocator: str
    quick: bool = False

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "OMP_NUM_THREADS": str(self.threads)}

    @property
    def setup(self) -> str:
        """Python that defines `call`, for a harness that knows no GPU."""
        wanted = f"{described(self.case)!r}, {self.allocator!r}"
        return (
            f"import sys; sys.path.insert(0, {str(BENCH)!r}); import torch; torch.set_num_threads({self.threads}); "
            f"from operations import waiting_call; call = waiting_call({wanted})"
        )


@dataclass(frozen=True)
class Harness:
    """`prints`: the estimate that comes first. `interval`: what stands beside it. `slow`: repeated less often."""

    name: str
    ask: Callable[[Question], Answer]
    prints: str
    interval: str
    module: str
    cuda_only: bool = False
    slow: bool = False

    def absent(self, device: str) -> str | None:
        """Why it cannot be asked here."""
        if self.cuda_only and device == "cpu":
            return "needs CUDA"
        try:
            found = importlib.util.find_spec(self.module)
        except ModuleNotFoundError:  # the package around it is missing
            found = None
        return None if found else "not installed"


def run(command: Sequence[str | Path], question: Question, folder: Path | None = None) -> str:
    """What a command says on stdout. Raises Failed."""
    try:
        done = subprocess.run(
            [sys.executable, *command],
            env=question.environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"no answer within {TIMEOUT:g} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(f"exit code {done.returncode}: {said[-1] if said else 'no message'}")
    return done.stdout


def ask_tbench(question: Question) -> Answer:
    """`tbench run` of a scenario with this one case."""
    case = question.case
    fixed = {"dtype": case.dtype, **dict(case.axes)}
    scenario = {"version": 1, "name": "one", "component": case.component, "phase": case.phase, "fixed": fixed}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        file = folder / "one.yaml"
        file.write_text(json.dumps({**scenario, "sampling": {"allocator": question.allocator}}))
        quick = ["--quick"] if question.quick else []
        run(["-m", "tbench", "run", file, "--device", case.device, "-o", folder / "run", *quick], question)
        (row,) = Run.read(folder / "run").rows
    return answered(row)


def ask_engine(executor: Executor, question: Question) -> Answer:
    """The same measurement, by workers of an executor that is there already: what it says, not how soon."""
    case, component = question.case, get_component(question.case.component)
    draft = Draft(case, None, component.work_of(case), component.predict_bytes(case))
    seed = random.randrange(2**31)
    sampling = Sampling(allocator="default" if question.allocator == "default" else "kept")
    (measured,) = measure_group(Group((case,)), {case: draft}, executor, sampling, seed)
    (row,) = derive([measured])
    return answered(row)


def answered(row: Row) -> Answer:
    """A row's latency as it is printed. Raises Failed."""
    if row.latency is None:
        raise Failed(f"{row.status}: {row.measurement.reason}")
    found = row.latency
    width = "no interval" if found.relative_half_width is None else f"±{found.relative_half_width:.2%}"
    told = f"{width}, {found.n_rounds} rounds, {row.measurement.stopped}"
    return Answer(found.estimate, told, found.low, found.high)


def in_one_process(name: str) -> Callable[[Question], Answer]:
    """A harness of `once.py`."""

    def ask(question: Question) -> Answer:
        command: list[str | Path] = [
            BENCH / "once.py",
            name,
            described(question.case),
            str(question.threads),
            question.allocator,
        ]
        return Answer(**json.loads(run(command, question).splitlines()[-1]))

    return ask


def ask_pyperf(question: Question) -> Answer:
    """`pyperf timeit`: twenty processes of three values each, after one for warming up."""
    import pyperf

    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "pyperf.json"
        options = ["--inherit-environ", ",".join(INHERITED), "--quiet", "-o", str(file)]
        quick = ["--processes", "2", "--values", "1"] if question.quick else []
        run(["-m", "pyperf", "timeit", *options, *quick, "-s", question.setup, "call()"], question)
        found = pyperf.Benchmark.load(str(file))
    spread = f"± {found.stdev():.3g} s in {found.get_nvalue()} values" if found.get_nvalue() > 1 else "one value"
    return Answer(found.mean(), spread)


def ask_pytest_benchmark(question: Question) -> Answer:
    """pytest on a file with one test that takes the fixture `benchmark`."""
    lines = [question.setup, "", "def test_operation(benchmark):", "    benchmark(call)"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_operation.py").write_text("\n".join(lines) + "\n")
        quick = ["--benchmark-max-time", "0.1"] if question.quick else []
        run(["-m", "pytest", "-q", "--benchmark-json", "found.json", *quick], question, folder)
        (found,) = json.loads((folder / "found.json").read_text())["benchmarks"]
    stats: dict[str, Any] = found["stats"]
    return Answer(stats["median"], f"IQR {stats['iqr']:.3g} s in {stats['rounds']} rounds")


HARNESSES: dict[str, Harness] = {
    harness.name: harness
    for harness in (
        Harness("tbench", ask_tbench, "median", "95% interval", "tbench"),
        Harness("torch", in_one_process("torch"), "median", "none: IQR of the blocks", "torch"),
        Harness("torch-adaptive", in_one_process("torch-adaptive"), "median", "none: IQR of the blocks", "torch"),
        Harness("pytest-benchmark", ask_pytest_benchmark, "median", "none: IQR of the rounds", "pytest_benchmark"),
        Harness("pyperf", ask_pyperf, "mean", "none: standard deviation of the values", "pyperf", slow=True),
        Harness("do_bench", in_one_process("do_bench"), "mean", "none", "triton", cuda_only=True),
        Harness(
            "cuda-bench",
            in_one_process("cuda-bench"),
            "mean, cold L2",
            "none: standard deviation of the samples",
            "cuda.bench",
            cuda_only=True,
        ),
    )
}
