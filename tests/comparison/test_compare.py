"""Matching, verdicts, reasons: every verdict is reachable, and swapping the sides turns it round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.comparison.compare import compare
from tbench.comparison.environment import between_runs
from tbench.comparison.model import VERDICTS, Compared, grown, weighed
from tbench.errors import UsageError
from tbench.records import Case, Ceilings, Measurement, Turn
from tests.comparison.runs import HERE, after, before, run_of, timed, times, weighing
from tests.synthetic import attention, failed

MIB = 2**20
OPPOSITE = {
    **{"SLOWER": "FASTER", "BROKEN": "FIXED", "MISSING": "ADDED", "BIGGER": "SMALLER"},
    **{"FASTER": "SLOWER", "FIXED": "BROKEN", "ADDED": "MISSING", "SMALLER": "BIGGER"},
}


def one(base: Measurement, new: Measurement, **how: float) -> Compared:
    (row,) = compare(run_of([base]), run_of([new]), **how).rows
    return row


def words(row: Compared) -> str:
    return "; ".join(reason.text for reason in row.reasons)


def test_every_verdict() -> None:
    found = compare(run_of(before()), run_of(after()))
    told = [(row.case["seq_len"], row.case["kernel"], row.verdict, row.memory) for row in found.rows]
    assert told == [
        (1024, "naive", "OK", None),
        (1024, "flash", "SLOWER", None),
        (1024, "auto", "FASTER", None),
        (1024, "chunked", "INCONCLUSIVE", None),
        (1024, "flex", None, None),
        (4096, "naive", "OK", "BIGGER"),
        (4096, "flash", "BROKEN", None),
        (4096, "flex", "FIXED", None),
        (4096, "chunked", "MISSING", None),
        (65536, "naive", None, None),
        (4096, "masked", "OK", None),
        (4096, "cudnn", "ADDED", None),
    ]
    assert {row.verdict for row in found.rows} == {*VERDICTS, None}
    assert [row.case.id for row in found.having("BIGGER")] == [attention("naive", 4096).id]


def test_swapping_the_sides_turns_every_verdict_round() -> None:
    there, back = compare(run_of(before()), run_of(after())), compare(run_of(after()), run_of(before()))
    swapped = {row.case.id: row for row in back.rows}
    for row in there.rows:
        other = swapped[row.case.id]
        if row.verdict in OPPOSITE or other.verdict in OPPOSITE:
            assert other.verdict == OPPOSITE[row.verdict or ""]
        assert other.memory == (OPPOSITE[row.memory] if row.memory else None)
        if row.ratio and other.ratio:
            assert row.ratio.estimate * other.ratio.estimate == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 20), st.integers(1, 1000), st.integers(2, 6))
def test_samples_that_take_a_factor_longer_give_that_ratio(factor: float, seed: int, rounds: int) -> None:
    base = timed("flash", 5e-3, seed, rounds=rounds)
    row = one(base, times(base, factor))
    assert row.ratio is not None
    assert row.ratio.estimate == pytest.approx(factor)
    assert row.verdict != ("FASTER" if factor > 1 else "SLOWER")


def test_a_run_against_itself_is_all_one() -> None:
    found = compare(run_of(before()), run_of(before()))
    assert {row.ratio.estimate for row in found.rows if row.ratio} == {1.0}
    assert {row.verdict for row in found.rows} == {"OK", None}
    noisy = [timed("flash", 5e-3, 1, between=0.06)]
    assert {row.verdict for row in compare(run_of(noisy), run_of(noisy)).rows} == {"INCONCLUSIVE"}
    assert any("same folder" in warning for warning in found.warnings)


def test_the_tolerance_decides() -> None:
    base, new = timed("flash", 5e-3, 1), timed("flash", 6e-3, 2)
    assert one(base, new).verdict == "SLOWER"
    assert one(base, new, tolerance=0.5).verdict == "OK"


def test_inconclusive_says_what_it_could_have_seen_and_what_would_do() -> None:
    row = one(timed("flash", 5e-3, 1, between=0.03), timed("flash", 5e-3, 2, between=0.03))
    assert row.verdict == "INCONCLUSIVE"
    assert row.smallest_change is not None and row.smallest_change > 0.1
    assert row.rounds_needed is not None and row.rounds_needed > 4
    assert f"only a slowdown of {100 * row.smallest_change:.0f}% or more would have been detected" in words(row)
    assert f"about {row.rounds_needed} rounds per side would detect 10% (there were 4 and 4)" in words(row)
    assert row.reasons[0].general == f"detects {100 * row.smallest_change:.0f}%; needs {row.rounds_needed} rounds"


def test_inconclusive_on_a_hopeless_machine() -> None:
    row = one(timed("flash", 5e-3, 1, between=0.4), timed("flash", 5e-3, 2, between=0.4))
    assert row.rounds_needed is None
    assert "more than 99 rounds per side would detect 10%" in words(row)
    assert "too noisy" in row.reasons[0].general


def test_inconclusive_at_the_tolerance_itself() -> None:
    base = timed("flash", 5e-3, 1, rounds=12, between=0.005)
    row = one(base, times(base, 1.05))
    assert row.verdict == "INCONCLUSIVE"
    assert "too close to the tolerance" in words(row)


def test_one_process_cannot_decide() -> None:
    row = one(timed("flash", 5e-3, 1), timed("flash", 9e-3, 2, rounds=1))
    assert row.verdict == "INCONCLUSIVE"
    assert row.ratio is not None and row.ratio.low is None
    assert "one process only in new run" in words(row)
    assert row.p_slower is None and row.smallest_change is None


def test_a_wrong_result_is_broken_even_if_faster() -> None:
    wrong = replace(
        failed(attention("flash"), "wrong", "relative error 0.5 is above 1e-05"), turns=timed("flash", 1e-3, 3).turns
    )
    row = one(timed("flash", 5e-3, 1), wrong)
    assert (row.verdict, row.ratio) == ("BROKEN", None)
    assert words(row) == "wrong: relative error 0.5 is above 1e-05"


@pytest.mark.parametrize("status", ["wrong", "error", "timeout", "oom", "unsupported"])
def test_whatever_stops_a_case_that_worked_is_broken(status: str) -> None:
    row = one(timed("flash", 5e-3, 1), failed(attention("flash"), status, "no room"))  # type: ignore[arg-type]
    assert row.verdict == "BROKEN"
    assert one(failed(attention("flash"), status, "no"), timed("flash", 5e-3, 1)).verdict == "FIXED"  # type: ignore[arg-type]


def test_a_time_above_the_ceilings_is_still_a_time() -> None:
    ceilings = Ceilings({"float32": 1e9}, ((2**20, 1e12),), "2026-01-02T03:04:05+00:00", 2)
    base = run_of([timed("flash", 5.0, 1)])
    new = run_of([timed("flash", 1e-6, 2)], environment=replace(HERE, ceilings=ceilings))
    (row,) = compare(base, new).rows
    assert row.verdict == "FASTER"


def test_neither_side_ok_says_how_the_status_changed() -> None:
    case = attention("flash")
    assert words(one(failed(case, "oom", "x"), failed(case, "oom", "y"))) == "oom: y"
    assert words(one(failed(case, "oom", "x"), failed(case, "error", "y"))) == "was oom, now error: y"


def test_another_kernel_that_ran_and_a_peak_that_is_gone_are_told() -> None:
    base = timed("auto", 5e-3, 1, ran="flash")
    new = weighing(timed("auto", 5e-3, 2, ran="math"), None)
    assert "kernel was flash, now math" in words(one(base, new))
    assert "no peak memory in new" in words(one(base, new))
    assert one(base, new).memory is None


def launch_bound(measurement: Measurement) -> Measurement:
    return replace(
        measurement, turns=tuple(replace(turn, telemetry={"launch_bound": True}) for turn in measurement.turns)
    )


@pytest.mark.parametrize(
    ("bound", "seconds", "verdict"),
    [
        ("base", 5e-3, "INCONCLUSIVE"),  # the base may have been faster than its host
        ("base", 2e-3, "INCONCLUSIVE"),
        ("base", 9e-3, "SLOWER"),  # and then this is slower all the more
        ("new", 5e-3, "OK"),
        ("new", 2e-3, "FASTER"),
        ("new", 9e-3, "INCONCLUSIVE"),
    ],
)
def test_the_time_of_a_host_decides_only_what_follows_for_the_device(bound: str, seconds: float, verdict: str) -> None:
    base, new = timed("flash", 5e-3, 1), timed("flash", seconds, 2)
    row = one(launch_bound(base), new) if bound == "base" else one(base, launch_bound(new))
    assert row.verdict == verdict
    assert ("launch-bound" in words(row)) == (verdict == "INCONCLUSIVE")


def test_times_by_different_clocks_are_not_compared() -> None:
    """A run from before the queue-ahead clock has the host in it; the same code, no change."""

    def on_gpu(measurement: Measurement, **of_a_turn: Any) -> Measurement:
        turns = tuple(replace(turn, **of_a_turn) for turn in measurement.turns)
        return replace(measurement, case=measurement.case.with_(device="cuda:0"), turns=turns)

    old, new = on_gpu(timed("flash", 30e-6, 1)), on_gpu(timed("flash", 8e-6, 2), clock="ahead")
    row = one(old, new)
    assert row.verdict == "INCONCLUSIVE"
    assert "measured by different clocks: host included in the base, ahead now" in words(row)
    assert one(new, new).verdict == "OK"
    (difference,) = (found for found in between_runs(run_of([old]), run_of([new])) if found.name == "clock")
    assert (difference.base, difference.new, difference.changes_times) == ("host included", "ahead", True)


def test_experiments_are_not_timed_but_compared() -> None:
    case = Case("kv", "count", "cpu", "float32", (("model", "llama"),))
    base = Measurement(case, "ok", findings={"bytes": 8, "share": 0.5})
    assert words(one(base, base)) == "not timed; same findings"
    other = one(base, replace(base, findings={"bytes": 9, "share": 0.5}))
    assert words(other) == "not timed; findings differ: bytes"
    assert other.verdict is None


@pytest.mark.parametrize(
    ("base", "new", "verdict"),
    [
        (10 * MIB, 11 * MIB, None),  # just a MiB
        (10 * MIB, 11 * MIB + 1, "BIGGER"),
        (1000 * MIB, 1010 * MIB, None),  # just 1%
        (1000 * MIB, 1010 * MIB + 1, "BIGGER"),
        (1000 * MIB, 1005 * MIB, None),  # five MiB, but not 1%
        (1010 * MIB + 1, 1000 * MIB, "SMALLER"),
        (0, 2 * MIB, "BIGGER"),
        (None, 5, None),
        (5, None, None),
    ],
)
def test_memory(base: int | None, new: int | None, verdict: str | None) -> None:
    assert weighed(base, new) == verdict


@given(st.integers(0, 2**45), st.integers(0, 2**45))
def test_memory_is_never_grown_both_ways(base: int, new: int) -> None:
    assert not (grown(base, new) and grown(new, base))
    assert (weighed(base, new) == "BIGGER") == (weighed(new, base) == "SMALLER")


def test_a_slower_case_can_be_bigger_too() -> None:
    row = one(weighing(timed("flash", 5e-3, 1), 10 * MIB), weighing(timed("flash", 9e-3, 2), 20 * MIB))
    assert (row.verdict, row.memory) == ("SLOWER", "BIGGER")


@pytest.mark.parametrize(
    ("base", "new", "told"),
    [
        (
            [attention("flash", 1024), attention("naive", 2048)],
            [attention("flash", 512)],
            "seq_len is 1024, 2048 in the base and 512",
        ),
        ([attention("flash")], [attention("flash", device="cuda:0")], "device is cpu in the base and cuda:0"),
        (
            [attention("flash", 1024), attention("naive", 2048)],
            [attention("naive", 1024), attention("flash", 2048)],
            "the closest pair differs in",
        ),
        ([attention("flash")], [Case("norm", "forward", "cpu", "float32", (("tokens", 8),))], "component is attention"),
        ([attention("flash")], [], "the new run has no cases"),
        ([], [attention("flash")], "the base has no cases"),
    ],
)
def test_nothing_in_common_is_refused_with_the_axis_that_differs(base: list[Case], new: list[Case], told: str) -> None:
    def run(cases: list[Case]) -> list[Measurement]:
        return [Measurement(case, "oom", "no room") for case in cases]

    with pytest.raises(UsageError, match="no case in common") as refused:
        compare(run_of(run(base)), run_of(run(new)))
    assert told in str(refused.value)


def test_an_axis_that_only_one_side_has_is_named() -> None:
    old = Case("norm", "forward", "cpu", "float32", (("tokens", 8),))
    new = replace(old, axes=(("tokens", 8), ("eps", 1e-5)))
    with pytest.raises(UsageError, match="eps is not there in the base and 1e-05 in the new run"):
        compare(run_of([Measurement(old, "oom", "x")]), run_of([Measurement(new, "oom", "x")]))


def test_axes_in_another_order_are_other_cases() -> None:
    case = attention("flash")
    turned = replace(case, axes=tuple(reversed(case.axes)))
    with pytest.raises(UsageError, match="different order"):
        compare(run_of([failed(case, "oom", "x")]), run_of([failed(turned, "oom", "x")]))


def test_a_run_that_is_not_complete_and_warnings_of_either_are_told() -> None:
    base = run_of(before(), "results/a", status="interrupted")
    new = run_of(after(), "results/b", environment=replace(HERE, warnings=("the governor is powersave",)))
    assert compare(base, new).warnings == (
        f"the base is not complete (interrupted): continue it with --resume -o {Path('results/a')}",
        "new run: the governor is powersave",
    )


def test_turns_of_uneven_rounds_are_compared() -> None:
    base = timed("flash", 5e-3, 1)
    cut = replace(base, turns=(*base.turns[:-2], Turn(9, 0, 1, (5e-3,))))
    assert one(base, cut).ratio is not None


def test_a_case_that_moved_to_another_type_of_device_is_not_compared() -> None:
    def on(device: str, factor: float = 1.0) -> Measurement:
        return replace(times(timed("flash", 1e-3, 1), factor), host="node", device_name=device)

    assert one(on("A100"), on("A100", 1.5)).verdict == "SLOWER"
    moved = one(on("A100"), on("H100", 1.5))
    assert moved.verdict is None
    assert words(moved) == "measured on another type of device: A100 in base, H100 in new"
