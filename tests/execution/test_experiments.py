"""Cases that are not timed: side by side, a row each, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tbench.components.registry import Component
from tbench.execution.executor import Worker, WorkerFailed
from tbench.execution.experiments import carry_out
from tbench.execution.local import LocalExecutor
from tbench.records import Case, Measurement
from tests.execution import experiment
from tests.execution.test_local import running


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with LocalExecutor(modules=["tests.execution.hostile_server"]) as local:
        yield local


def cases(*what: str) -> list[Case]:
    return [
        Case("test-experiment", "train", "cpu", "float32", (("number", number), ("what", one)))
        for number, one in enumerate(what)
    ]


def test_every_case_has_its_findings_or_its_reason(executor: LocalExecutor) -> None:
    asked = cases("answers", "dies", "answers", "refuses")
    states: list[tuple[Case, str]] = []
    found = {
        one.case: one for one in carry_out(asked, executor, 7, 2, lambda case, state: states.append((case, state)))
    }
    assert set(found) == set(asked)
    assert [found[case].status for case in asked] == ["ok", "error", "ok", "unsupported"]
    first, second = found[asked[0]].findings, found[asked[2]].findings
    assert first["answer"] == 42
    assert first["threads"] == 1
    assert first["seed"] == second["seed"] == 7  # so that runs of different arms can be pairs
    assert "SIGSEGV" in found[asked[1]].reason
    assert found[asked[3]].reason == "only on Sundays"
    assert [case for case, _ in states] == asked


def test_a_process_that_does_not_start_is_a_row_too() -> None:
    class Refusing:
        def start(self, like: Case | None = None, look: Mapping[str, Any] | None = None) -> Worker:
            raise WorkerFailed("timeout", "look_in did not end within 30 s")

    found = list(carry_out(cases("answers", "answers"), Refusing(), 7, 2))
    assert [(one.status, one.reason) for one in found] == [("timeout", "look_in did not end within 30 s")] * 2


def test_the_same_seed_gives_the_same_findings(executor: LocalExecutor) -> None:
    (first,) = carry_out(cases("answers"), executor, 7, 1)
    (again,) = carry_out(cases("answers"), executor, 7, 2)
    (other,) = carry_out(cases("answers"), executor, 8, 1)
    assert first.findings == again.findings != other.findings
    assert Measurement.from_dict(first.to_dict()) == first


def test_leaving_early_ends_what_still_runs(executor: LocalExecutor) -> None:
    before = time.monotonic()
    results = carry_out(cases("answers", "sleeps", "sleeps"), executor, 7, 2)
    assert next(results).status == "ok"
    server = executor._server.pid
    results.close()
    assert time.monotonic() - before < 60
    children = [pid for pid in map(int, children_of(server)) if running(pid)]
    assert not children


def children_of(pid: int) -> list[str]:
    from pathlib import Path

    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_component_is_timed_or_an_experiment() -> None:
    given = {**vars(experiment.COMPONENT), "experiment": False}
    with pytest.raises(ValueError, match="give work and build, or say that it is an experiment"):
        Component(**given)


def test_an_experiment_has_no_samples() -> None:
    with pytest.raises(ValueError, match="ok without a sample"):
        Measurement(cases("answers")[0], "ok")
    assert Measurement(cases("answers")[0], "ok", findings={"loss": 1.0}).findings == {"loss": 1.0}
