"""What differs besides the code, and whether it changes times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tbench.analysis.run import Run
from tbench.comparison.environment import Difference, between_runs, differences
from tbench.records import Measurement
from tbench.store.same import SAME_MACHINE
from tests.comparison.runs import HERE, run_of, timed
from tests.synthetic import header


def test_the_same_machine_does_not_differ() -> None:
    assert differences(HERE, HERE) == []


@pytest.mark.parametrize(
    ("name", "value", "changes_times"),
    [
        *((name, 7 if name == "threads" else "other", True) for name in SAME_MACHINE),
        ("python", "3.13.0", False),
        ("cores", 64, False),
        ("memory_bytes", 2**30, False),
        ("device_uuid", "GPU-1", False),
    ],
)
def test_each_field(name: str, value: Any, changes_times: bool) -> None:
    (found,) = differences(HERE, replace(HERE, **{name: value}))
    assert found == Difference(name, getattr(HERE, name), value, changes_times)


def test_packages_one_by_one_and_load_in_tenths_of_a_core() -> None:
    old = replace(HERE, packages={"numpy": "2.1", "fla": "0.3", "same": "1"}, load=0.04)
    new = replace(HERE, packages={"numpy": "2.2", "same": "1"}, load=0.01)
    assert differences(old, new) == [
        Difference("package numpy", "2.1", "2.2"),
        Difference("package fla", "0.3", None),
    ]
    assert differences(old, replace(old, load=0.2)) == [Difference("load", 0.0, 0.2)]
    assert differences(old, replace(old, load=None)) == [Difference("load", 0.0, None)]


def test_other_processes_on_one_side_only_change_times() -> None:
    quiet = replace(HERE, cores=4, load=0.04)
    assert differences(quiet, replace(quiet, load=1.3)) == [Difference("load", 0.0, 1.3, True)]
    assert differences(replace(quiet, load=1.3), quiet) == [Difference("load", 1.3, 0.0, True)]
    assert differences(replace(quiet, load=1.2), replace(quiet, load=1.3)) == [Difference("load", 1.2, 1.3)]


def sampled(**sampling: Any) -> Run:
    return run_of([], scenario={"name": "a", "sampling": {"target": 0.02, "cache": "hot", **sampling}})


def test_sampling_and_that_cold_caches_change_times() -> None:
    assert between_runs(sampled(), sampled()) == []
    assert between_runs(sampled(), sampled(target=0.05, cache="cold")) == [
        Difference("sampling cache", "hot", "cold", True),
        Difference("sampling target", 0.02, 0.05),
    ]


def test_a_suite_is_compared_by_the_parts_both_have() -> None:
    def suite(*parts: tuple[str, float]) -> Run:
        return run_of([], scenario={"parts": [{"name": name, "sampling": {"target": t}} for name, t in parts]})

    assert between_runs(suite(("a", 0.02), ("b", 0.05)), suite(("a", 0.02))) == []
    assert between_runs(suite(("a", 0.02), ("b", 0.05)), suite(("a", 0.01), ("b", 0.05))) == [
        Difference("sampling target", [0.02, 0.05], [0.01, 0.05])
    ]


def test_a_header_without_scenario_has_no_sampling() -> None:
    assert between_runs(Run(header_folder(), {}, HERE, ()), Run(header_folder(), {}, HERE, ())) == []


def header_folder() -> Any:
    return run_of([]).folder


def clocked(mhz: float | None) -> Run:
    telemetry = {} if mhz is None else {"sm_clock_mhz_min": mhz - 10, "sm_clock_mhz_max": mhz + 10}
    one = timed("flash", 5e-3, 1)
    measurement: Measurement = replace(one, turns=tuple(replace(turn, telemetry=telemetry) for turn in one.turns))
    return run_of([measurement])


def test_clocks_where_they_were_recorded() -> None:
    assert between_runs(clocked(1980), clocked(1990)) == []
    assert between_runs(clocked(1980), clocked(1410)) == [Difference("sm_clock_mhz", 1980.0, 1410.0)]
    assert between_runs(clocked(None), clocked(1410)) == [Difference("sm_clock_mhz", None, 1410.0)]
    assert between_runs(clocked(None), clocked(None)) == []


def test_what_changes_times_comes_first() -> None:
    new = run_of([], environment=replace(HERE, cores=4, torch="2.14.0", driver="580"), scenario=header()["scenario"])
    assert [one.name for one in between_runs(run_of([]), new)] == ["torch", "driver", "cores"]
