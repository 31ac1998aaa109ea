"""The frame: exactly the contract's columns, empty where a figure could not be had, with the reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tbench.analysis.derive import Row, derive, implausible
from tbench.analysis.frame import ON_A_GPU, RESULTS, to_frame
from tbench.records import Case, Ceilings, Energy, Measurement, Memory, Turn, Work
from tests.synthetic import CEILINGS, attention, decode, every_status, failed, ok, turns, with_telemetry

AXES = ["batch", "seq_len", "heads", "kv_heads", "head_dim", "causal", "pattern", "kernel"]


def frame(measurements: Sequence[Measurement], ceilings: Ceilings | None = None) -> pd.DataFrame:
    return to_frame(derive(measurements, ceilings))


def reasons(row: Row) -> str:
    return "; ".join(reason.text for reason in row.reasons)


def test_columns_are_those_of_the_contract_in_order() -> None:
    assert list(frame(every_status(), CEILINGS).columns) == [
        *["case", "component", "phase", "device", "dtype"],
        *AXES,
        *["status", "reason", "latency_ms", "latency_ms_low", "latency_ms_high", "samples"],
        *["speedup", "speedup_low", "speedup_high"],
        *["peak_memory_bytes", "memory_ratio", "tflops", "gbytes_per_s", "limit_fraction", "error"],
    ]


def test_axes_are_the_union_in_the_order_first_seen() -> None:
    norm = Case("norm", "forward", "cpu", "float32", (("tokens", 8), ("kernel", "rms"), ("d_model", 16)))
    found = frame([ok(attention("flash"), 1e-3, 1), Measurement(norm, "oom", "no room")])
    assert list(found.columns)[5:15] == [*AXES, "tokens", "d_model"]
    assert found["tokens"].dtype == "Int64"
    assert found["tokens"].tolist() == [pd.NA, 8]
    assert pd.isna(found["pattern"][1])


def test_a_frame_of_nothing_has_the_columns() -> None:
    assert list(frame([]).columns)[5:7] == ["status", "reason"]


def test_figures_stand_only_beside_ok() -> None:
    found = frame(every_status(), CEILINGS)
    figures = found.drop(columns=["error"])[[name for name in RESULTS if name != "error"]]
    assert figures[found.status != "ok"].isna().all(axis=None)
    assert found.reason[found.status != "ok"].ne("").all()
    assert found.latency_ms[found.status == "ok"].notna().all()
    assert not (found[list(RESULTS)] == 0).any(axis=None)


def test_figures_are_derived_as_the_formulas_say() -> None:
    naive, flash = ok(attention("naive"), 42e-3, 1), ok(attention("flash"), 7e-3, 2)
    row = frame([naive, flash], CEILINGS).iloc[1]
    seconds = row.latency_ms / 1e3
    assert row.latency_ms == pytest.approx(7, rel=0.03)
    assert row.latency_ms_low < row.latency_ms < row.latency_ms_high
    assert row.samples == 80
    assert row.speedup == pytest.approx(6, rel=0.03)
    assert row.speedup_low < row.speedup < row.speedup_high
    assert row.peak_memory_bytes == 8 * 1024 * 64 * 16
    assert row.memory_ratio == row.peak_memory_bytes / (8 * 1024**2 * 4 * 2)
    assert flash.work is not None
    assert row.tflops == pytest.approx(flash.work.flops / seconds / 1e12)
    assert row.gbytes_per_s == pytest.approx(flash.work.bytes / seconds / 1e9)
    assert row.limit_fraction == pytest.approx(flash.work.flops / 170e9 / seconds)
    assert row.error == 2.1e-7


def test_the_baseline_is_once_as_fast_as_itself() -> None:
    row = frame([ok(attention("naive"), 36e-3, 1)], CEILINGS).iloc[0]
    assert (row.speedup, row.speedup_low, row.speedup_high, row.memory_ratio) == (1, 1, 1, 1)


def test_a_speed_up_comes_from_the_turns_both_took() -> None:
    naive = ok(attention("naive"), 30e-3, 1)
    # What came in rounds without a partner (five times slower) is in the latency but not in the speed-up.
    extra = tuple(replace(turn, round=turn.round + 4) for turn in turns(50e-3, 3, rounds=12))
    flash = ok(attention("flash"), 10e-3, 2, turns=(*turns(10e-3, 2), *extra))
    row = frame([naive, flash]).iloc[1]
    assert row.latency_ms == pytest.approx(50, rel=0.05)
    assert row.speedup == pytest.approx(3, rel=0.05)


def only_row(measurement: Measurement, *others: Measurement) -> Row:
    return derive([measurement, *others], CEILINGS)[0]


@pytest.mark.parametrize(
    ("changed", "base", "said"),
    [
        ({}, None, "no speed-up: the baseline was not measured"),
        ({}, failed(attention("naive"), "oom", "too big"), "no speed-up: the baseline is oom"),
        (
            {"turns": tuple(replace(t, round=t.round + 9) for t in turns(1e-2, 2))},
            ok(attention("naive"), 3e-2, 1),
            "never interleaved",
        ),
        ({"memory": None}, None, "no peak memory: was not measured"),
        ({"memory": Memory(None, unavailable={"peak_bytes": "no events"})}, None, "no peak memory: no events"),
        ({}, ok(attention("naive"), 3e-2, 1, memory=None), "no memory ratio: the baseline has no peak memory"),
        ({"work": None}, None, "no throughput"),
        ({"ran": "flash"}, None, "kernel used: flash"),
        ({"notes": ("launch-bound",)}, None, "launch-bound"),
        ({"turns": turns(1e-2, 1, rounds=1)}, None, "one process only"),
        ({"turns": turns(1e-2, 1, 1, 1), "stopped": "max_time"}, None, "no interval (max_time): run with --rigorous"),
        ({"stopped": "interrupted", "target": 1e-4}, None, "continue the run with --resume"),
    ],
)
def test_what_is_missing_or_odd_has_a_reason(changed: dict[str, object], base: Measurement | None, said: str) -> None:
    row = only_row(ok(attention("auto"), 1e-2, 2, **{"ran": "auto", **changed}), *([base] if base else []))
    assert row.status == "ok"
    assert said in reasons(row)
    if "speed-up" in said or "turn" in said:
        assert row.speedup is None


def test_a_baseline_that_failed_leaves_speed_up_and_memory_ratio_empty() -> None:
    row = only_row(ok(attention("flash"), 1e-2, 2), failed(attention("naive"), "timeout", "hung"))
    assert row.speedup is None and row.memory_ratio is None


def test_no_baseline_asked_for_needs_no_reason() -> None:
    row = only_row(ok(attention("flash"), 1e-2, 2, baseline=None))
    assert row.speedup is None and row.reasons == ()


def test_precision_not_reached_says_what_was_asked_and_what_to_do() -> None:
    case = ok(attention("flash"), 1e-2, 2, baseline=None, stopped="max_time", target=0.001)
    width = derive([case])[0].latency.relative_half_width  # type: ignore[union-attr]
    assert width is not None
    text = reasons(only_row(case))
    assert text == (
        f"interval ±{100 * width:.2g}%, wider than the requested ±0.1% (max_time): run with --rigorous or raise "
        "max_time"
    )


def test_a_limit_met_together_with_the_target_is_no_reason() -> None:
    assert only_row(ok(attention("flash"), 1e-2, 2, baseline=None, stopped="max_time", target=0.5)).reasons == ()


def test_two_modes_are_told() -> None:
    fast, slow = turns(1e-2, 1, rounds=2), turns(2e-2, 2, rounds=2)
    mixed = (*fast, *(replace(turn, round=turn.round + 2) for turn in slow))
    assert "two modes: 50% of the samples are about" in reasons(only_row(ok(attention("flash"), 1, 1, turns=mixed)))


def test_no_ceiling_leaves_the_fraction_empty_with_a_reason() -> None:
    case = attention("flash")
    half = ok(Case(case.component, case.phase, case.device, "float16", case.axes), 1e-2, 2, baseline=None)
    assert reasons(derive([half], CEILINGS)[0]) == "no % of peak: no peak was measured for float16"
    assert "doctor" in reasons(derive([half], None)[0])
    assert derive([half], None)[0].limit_fraction is None


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (Work(flops=1e9, bytes=1e3), "TFLOP/s where the measured peak is 170 GFLOP/s: that peak was"),
        (Work(flops=1e3, bytes=1e9), "TB/s where the measured peak bandwidth is 33 GB/s: that peak was"),
    ],
)
def test_faster_than_the_ceilings_is_a_note_with_both_figures(work: Work, said: str) -> None:
    base = ok(attention("naive"), 3e-4, 1, work=work)
    row = only_row(ok(attention("flash"), 1e-4, 2, work=work), base)
    assert row.status == "ok" and row.latency is not None
    assert row.limit_fraction is not None and row.limit_fraction > 1
    assert row.speedup is not None and row.speedup.estimate == pytest.approx(3, rel=0.05)
    assert said in reasons(row)
    assert not any(character.isdigit() for character in implausible(row.measurement, CEILINGS).general)  # type: ignore[union-attr]


def test_a_half_may_be_computed_in_float32() -> None:
    slow_halves = replace(CEILINGS, flops={"float32": 170e9, "bfloat16": 40e9})
    assert slow_halves.peak("bfloat16") == 170e9
    assert slow_halves.peak("float16") is None
    assert slow_halves.seconds(Work(17e9, 1.0), "bfloat16") == pytest.approx(0.1)
    assert CEILINGS.peak("bfloat16") == 420e9


def test_an_interval_that_reaches_the_limit_is_no_error() -> None:
    seconds = 1e9 / 170e9
    at_limit = ok(attention("flash"), seconds, 2, work=Work(1e9, 1e3), turns=turns(seconds * 0.99, 2, between=0.02))
    assert implausible(at_limit, CEILINGS) is None
    sure = ok(attention("flash"), seconds, 2, work=Work(1e9, 1e3), turns=turns(seconds * 0.9, 2, between=0.001))
    assert implausible(sure, CEILINGS) is not None
    assert implausible(failed(attention("flash"), "oom", "no"), CEILINGS) is None


def test_a_comparison_that_stood_says_how_well_the_latency_is_known() -> None:
    case = ok(attention("flash"), 1e-2, 2, baseline=None, stopped="decision", target=0.001)
    assert "%: sampling stopped once the comparison with the baseline was decided" in reasons(only_row(case))
    assert only_row(replace(case, target=0.5)).reasons == ()


def test_page_faults_that_take_most_of_the_time_are_told() -> None:
    known = replace(CEILINGS, page_fault_seconds=1e-6)
    taken = tuple(replace(turn, faults=6000.0) for turn in turns(1e-2, 2))
    bound = ok(attention("flash"), 1e-2, 2, baseline=None, turns=taken)
    (row,) = derive([bound], known)
    assert "page-fault bound: about 60% of the time goes to zeroing fresh memory (6000 faults per call)" in reasons(row)
    assert row.status == "ok" and row.latency is not None
    few = replace(bound, turns=tuple(replace(turn, faults=4000.0) for turn in taken))
    for measured, ceilings in ((few, known), (bound, CEILINGS), (replace(bound, turns=turns(1e-2, 2)), known)):
        assert "page-fault" not in reasons(derive([measured], ceilings)[0])


def test_the_same_variant_cannot_gain_more_than_it_leaves_out() -> None:
    base = ok(attention("flash"), 8e-3, 1, baseline=None, work=Work(4e6, 4e6))
    case = attention("flash", kv_heads=2)
    less = ok(case, 1e-3, 2, baseline=base.case.id, work=Work(4e6, 1e6))
    assert "faster than its bytes and operations allow: 8.1× where 4.0× less is read" in reasons(only_row(less, base))
    others = (
        replace(less, turns=turns(2e-3, 2)),
        replace(less, ran="math"),
        replace(less, work=Work(8e6, 8e6)),  # more to do: what both spend alike blurs the ratio
        replace(less, case=attention("flash").with_(causal=False)),  # another computation
    )
    for other in others:
        assert "bytes and operations" not in reasons(only_row(other, base))


def of_processes(factors: Sequence[float], seconds: float = 1e-2) -> tuple[Turn, ...]:
    """Four turns a process, 0.2% apart; the processes by `factors`."""
    wobble = (0.999, 1.001, 1.0, 1.002)
    return tuple(Turn(r, t, 1, (seconds * factor * wobble[t],)) for r, factor in enumerate(factors) for t in range(4))


def test_processes_in_two_groups_have_no_interval() -> None:
    mixed = ok(attention("flash"), 1, 2, turns=of_processes([1, 1.1, 1.1, 1.001, 1, 1.101, 1, 1.1]), target=1e-4)
    row = only_row(mixed, ok(attention("naive"), 1, 1, turns=of_processes([3] * 8)))
    assert row.latency is not None and row.latency.low is row.latency.high is row.latency.relative_half_width is None
    assert row.speedup is not None and row.speedup.low is row.speedup.high is None
    assert row.speedup.estimate == pytest.approx(3 / 1.05, rel=0.03)
    text = reasons(row)
    assert "processes fall into two groups, 10% apart (50% and 50% of them): no single interval applies" in text
    assert "speed-up: processes fall into two groups" in text
    assert "two modes" not in text and "no interval (" not in text


def test_an_interval_beyond_a_factor_of_two_is_data_and_no_result() -> None:
    wild = ok(attention("flash"), 1, 2, turns=of_processes([1, 5, 1.2, 9, 2]), stopped="max_rounds", target=0.02)
    row = only_row(wild, ok(attention("naive"), 1, 1, turns=of_processes([3] * 5)))
    assert row.too_wide == {"latency", "speedup"}
    assert row.printed_latency is row.printed_speedup is None
    assert row.latency is not None and row.latency.high is not None  # in the data
    assert (
        "too noisy to measure right now: processes differ by ×9 in 5 rounds; run again on an idle machine"
        in reasons(row)
    )
    assert "wider than" not in reasons(row)


def test_a_drift_between_rounds_is_told() -> None:
    ramp = [1 + 0.01 * number for number in range(12)]
    slow_start = [1.2, 1, 1.001, 1.002, 0.999, 1]
    found = {
        name: reasons(only_row(ok(attention("flash"), 1, 2, baseline=None, turns=of_processes(factors))))
        for name, factors in (("ramp", ramp), ("first", slow_start), ("none", [1.0, 1.01] * 6))
    }
    assert "the machine drifted between rounds, by about 8.9%" in found["ramp"]
    assert "the first was 20% slower than the others" in found["first"]
    assert found["none"] == ""


def test_an_error_that_is_not_a_number_is_empty() -> None:
    wrong = failed(attention("flash"), "wrong", "nan in output", error=math.nan)
    endless = failed(attention("flex"), "wrong", "inf in output", error=math.inf)
    assert frame([wrong, endless]).error.isna().all()


def test_decode_speed_up_of_sharing() -> None:
    found = frame(decode(), CEILINGS)
    assert found.speedup.tolist() == pytest.approx([1, 3.42, 10.9], rel=0.05)
    assert found.kv_heads.tolist() == [8, 2, 1]


def test_a_launch_bound_row_is_marked_and_has_no_speed_up() -> None:
    naive, flash = ok(attention("naive"), 42e-3, 1), with_telemetry(ok(attention("flash"), 7e-3, 2), launch_bound=True)
    first, second = frame([naive, flash]).itertuples()
    assert second.speedup != second.speedup  # NaN
    assert "launch-bound" in second.reason
    assert "this row measured the host" in second.reason
    assert second.latency_ms == pytest.approx(7, rel=0.03)
    assert first.speedup == 1
    waiting = frame([with_telemetry(naive, launch_bound=True), flash]).iloc[1]
    assert "the baseline and this row measured the host" in waiting.reason


def test_throttling_is_told_with_its_reason() -> None:
    row = frame([with_telemetry(ok(attention("naive"), 42e-3, 1), throttled=["software power cap"])]).iloc[0]
    assert "the GPU was throttled (software power cap)" in row.reason


def on_gpu(measurement: Measurement, host: float = 28e-6, **of_a_turn: Any) -> Measurement:
    """The same on a GPU, with what a GPU's turns have."""
    turns = [replace(turn, host_seconds=(host,) * len(turn.seconds), **of_a_turn) for turn in measurement.turns]
    return replace(measurement, case=measurement.case.with_(device="cuda:0"), turns=tuple(turns))


def test_a_short_kernel_queued_ahead_has_its_latency_and_the_hosts_time_beside_it() -> None:
    naive = on_gpu(ok(attention("naive"), 42e-6, 1), clock="ahead", sm_mhz=1980.0)
    flash = on_gpu(ok(attention("flash"), 8.1e-6, 2), clock="ahead", sm_mhz=1755.0)
    flash = replace(flash, baseline=naive.case.id)
    first, second = (row for _, row in frame([naive, flash]).iterrows())
    assert second.speedup == pytest.approx(42 / 8.1, rel=0.05)
    assert (second.clock, second.sm_mhz) == ("ahead", 1755)
    assert second.host_us == pytest.approx(28)
    assert "host 28.0 µs: without CUDA graphs a program sees the 28.0 µs" in second.reason
    assert "launch-bound" not in second.reason
    assert "without CUDA graphs" not in first.reason  # the device takes longer


def test_rows_by_different_clocks_have_no_speed_up() -> None:
    naive = on_gpu(ok(attention("naive"), 42e-6, 1), clock="eager", why="the call waits for the device itself")
    flash = on_gpu(ok(attention("flash"), 8.1e-6, 2), clock="ahead")
    flash = replace(flash, baseline=naive.case.id)
    first, second = (row for _, row in frame([naive, flash]).iterrows())
    assert first.clock == "host included"
    assert "host included: the call waits for the device itself" in first.reason
    assert math.isnan(second.speedup)
    assert "no speed-up: different clocks: host included for the baseline, ahead for this row" in second.reason


def test_of_turns_by_two_clocks_those_without_the_host_are_the_rows() -> None:
    flash = on_gpu(ok(attention("flash"), 8.1e-6, 2), clock="ahead")
    late, *others = flash.turns
    slow = replace(late, clock="eager", seconds=(1.0,) * len(late.seconds), why="the host was in the way")
    row = frame([replace(flash, turns=(slow, *others))]).iloc[0]
    assert row.latency_ms == pytest.approx(8.1e-3, rel=0.05)
    assert row.samples == sum(len(turn.seconds) for turn in others)


def test_a_replayed_graph_says_what_it_saves() -> None:
    row = frame([on_gpu(ok(attention("flash"), 7.5e-6, 2), clock="graph", eager_seconds=39e-6)]).iloc[0]
    assert row.clock == "graph"
    assert "called from Python 39.0 µs" in row.reason


@pytest.mark.parametrize(("seconds", "marked"), [(0.3e-3, True), (41e-3, False)])
def test_rows_of_the_clock_before_are_marked_where_the_host_matters(seconds: float, marked: bool) -> None:
    row = frame([on_gpu(ok(attention("flash"), seconds, 2))]).iloc[0]
    assert row.clock == "host included"
    assert ("host included: measured by an earlier version" in row.reason) == marked


def test_rates_also_as_flash_attention_counts_them() -> None:
    training = on_gpu(ok(attention("flash"), 7e-3, 2), clock="ahead")
    training = replace(training, case=training.case.with_(phase="forward_backward"))
    (row,) = frame([training]).itertuples()
    assert row.tflops_flash_attention == pytest.approx(row.tflops * 14 / 12)
    (prompt,) = frame([on_gpu(ok(attention("flash"), 7e-3, 2), clock="ahead")]).itertuples()
    assert prompt.tflops_flash_attention == prompt.tflops


def test_energy_and_clock_of_a_gpus_row_or_why_they_are_missing() -> None:
    known = replace(on_gpu(ok(attention("naive"), 4e-3, 1), clock="ahead", sm_mhz=1980.0), energy=Energy(1.4, 350.0))
    refused = replace(on_gpu(ok(attention("flash"), 1e-3, 2), clock="ahead"), energy=Energy(unavailable="NoPermission"))
    naive, flash = frame([known, refused]).itertuples()
    assert (naive.sm_mhz, naive.energy_joules, naive.power_watts) == (1980.0, 1.4, 350.0)
    assert all(math.isnan(one) for one in (flash.sm_mhz, flash.energy_joules, flash.power_watts))
    assert "no SM clock: it is measured while calls are queued ahead" in flash.reason
    assert "no energy: NoPermission" in flash.reason


def test_a_cpus_rows_have_none_of_a_gpus_columns() -> None:
    assert not set(ON_A_GPU) & set(frame([ok(attention("flash"), 7e-3, 2)]).columns)


@pytest.mark.parametrize(
    ("of_a_turn", "rate"), [({"clock": "ahead"}, "memory"), ({"clock": "eager"}, "memory"), ({}, "cache")], ids=str
)
def test_the_limit_of_a_cold_row_on_a_gpu_is_memory(of_a_turn: dict[str, Any], rate: str) -> None:
    """Its cache of keys and values would fit into the last-level cache, and came from memory."""
    ceilings = Ceilings({"float32": 1e15}, ((2**20, 4e12), (2**30, 1e12)), "now", 2)
    (row, *_) = frame([on_gpu(decode()[0], **of_a_turn)], ceilings).itertuples()
    reached = decode()[0].work.bytes / (row.latency_ms * 1e-3)  # type: ignore[union-attr]
    assert decode()[0].work.bytes < 2**30  # type: ignore[union-attr]
    assert row.limit_fraction == pytest.approx(reached / (1e12 if rate == "memory" else 4e12))
