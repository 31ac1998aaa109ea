"""The spread of a machine, on a script of what its processes say."""

from __future__ import annotations

import itertools
import statistics

import pytest

from tbench.execution.executor import WorkerFailed
from tbench.execution.noise import PROCESSES, measure_noise
from tests.execution.fakes import FakeExecutor


def test_the_spread_is_of_processes_not_of_calls() -> None:
    executor = FakeExecutor({"naive": 1e-3})
    speeds = [1e-3 * (1 + 0.1 * number) for number in range(PROCESSES)]
    process = itertools.count()

    def each_round_has_its_own_speed(kernel: str, do: str) -> None:
        if do == "prepare":  # of the case and its copy
            executor.speed["naive"] = speeds[next(process) // 2]

    executor.on = each_round_has_its_own_speed
    noise = measure_noise(executor, "cpu")
    executor.close()
    assert noise.processes == PROCESSES
    assert noise.relative_sd == pytest.approx(statistics.stdev(speeds) / statistics.mean(speeds))
    assert noise.seconds == pytest.approx(statistics.median(speeds))
    assert noise.case.id.startswith("attention/forward device=cpu dtype=float32")
    assert noise.ratio is not None and noise.ratio.estimate == pytest.approx(1.0)


def test_a_steady_machine_has_no_spread() -> None:
    executor = FakeExecutor({"naive": 1e-3})
    assert measure_noise(executor, "cpu").relative_sd == pytest.approx(0.0, abs=1e-12)


def test_a_case_that_does_not_run_says_why() -> None:
    executor = FakeExecutor({"naive": 1e-3}, fail={"naive": ("prepare", WorkerFailed("oom", "no memory"))})
    with pytest.raises(WorkerFailed, match="no memory") as failed:
        measure_noise(executor, "cpu")
    assert failed.value.status == "oom"
