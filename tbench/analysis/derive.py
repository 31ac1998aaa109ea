"""What follows from a case's measurement: latency, speed-up, memory ratio, rates, and why a figure is missing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tbench.analysis import clocks
from tbench.analysis.drift import drift
from tbench.analysis.modes import two_groups_of_processes, two_modes, without_ends
from tbench.analysis.statistics import Interval, Rounds, differences, interval, ratio
from tbench.analysis.turns import by_round, of_one_clock, paired
from tbench.records import Ceilings, Measurement, Status

MISSED = {
    "max_time": "run with --rigorous or raise max_time",
    "setup": "set-up took the time; raise max_time",
    "max_rounds": "run with --rigorous or raise max_rounds",
    "interrupted": "continue the run with --resume",
}
WIDEST = 1.0  # relative half-width: an interval that reaches beyond twice the estimate is no result
FAULT_BOUND = 0.5  # share of the latency
CLEARLY = 1.05  # faster than the work allows by more than this


class Reason(NamedTuple):
    """A sentence for the reader of a row. `general` is the same without the row's own figures: one note for many."""

    text: str
    general: str


@dataclass(frozen=True)
class Row:
    """One case of the result table. None: the figure could not be had, and `reasons` says why.

    `latency` and `speedup` have no ends where processes fall into two groups. `too_wide` names those of the two whose
    interval reaches beyond a factor of two: data, but not a result that a report prints.
    """

    measurement: Measurement
    status: Status
    reasons: tuple[Reason, ...] = ()
    latency: Interval | None = None  # seconds
    samples: int | None = None
    speedup: Interval | None = None
    peak_memory_bytes: int | None = None
    memory_ratio: float | None = None
    tflops: float | None = None
    gbytes_per_s: float | None = None
    limit_fraction: float | None = None
    error: float | None = None
    too_wide: frozenset[Literal["latency", "speedup"]] = frozenset()

    @property
    def printed_latency(self) -> Interval | None:
        return None if "latency" in self.too_wide else self.latency

    @property
    def printed_speedup(self) -> Interval | None:
        return None if "speedup" in self.too_wide else self.speedup


@dataclass
class _Draft:
    """The figures of a row while they are collected."""

    figures: dict[str, Any] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    too_wide: set[Literal["latency", "speedup"]] = field(default_factory=set)

    def say(self, text: str, general: str = "") -> None:
        self.reasons.append(Reason(text, general or text))


def derive(
    measurements: Iterable[Measurement],
    ceilings: Ceilings | None = None,
    machines: Mapping[str, Ceilings | None] | None = None,
) -> list[Row]:
    """One `Row` per measurement, in the same order; speed-ups against the measurement each names as `baseline`.

    `machines`: ceilings by `Measurement.machine`, where a run has several machines.
    """
    measurements = list(measurements)
    by_id = {measurement.case.id: measurement for measurement in measurements}
    return [_row(one, by_id, (machines or {}).get(one.machine, ceilings)) for one in measurements]


def implausible(measurement: Measurement, ceilings: Ceilings | None, latency: Interval | None = None) -> Reason | None:
    """What to say of a case that is faster than `ceilings` allow its work, interval and all; None if it is not.
    `latency`: where it is known already."""
    work, dtype = measurement.work, measurement.case.arithmetic
    if measurement.status != "ok" or work is None or ceilings is None:
        return None
    limit, peak = ceilings.seconds(work, dtype), ceilings.peak(dtype)
    latency = latency or interval(by_round(measurement.turns))
    slowest = latency.estimate if latency.high is None else latency.high
    if limit is None or peak is None or limit <= slowest:
        return None
    seconds = latency.estimate
    remedy = "was measured on a busy machine or by a slower method; run tbench doctor --refresh on an idle machine"
    if work.flops / peak >= limit:
        reached, best = (_rate(one, "FLOP/s") for one in (work.flops / seconds, peak))
        told = f"reaches {reached} where the measured peak is {best}: that peak {remedy}"
    else:
        reached, best = (_rate(one, "B/s") for one in (work.bytes / seconds, ceilings.bytes_per_second(work.bytes)))
        told = f"moves {reached} where the measured peak bandwidth is {best}: that peak {remedy}"
    return Reason(told, f"faster than the measured peak: that peak {remedy}")


def _rate(per_second: float, unit: str) -> str:
    """`212 GFLOP/s`, `1.3 TFLOP/s`."""
    scale, prefix = (1e12, "T") if per_second >= 1e12 else (1e9, "G")
    return f"{per_second / scale:.3g} {prefix}{unit}"


def _row(measurement: Measurement, by_id: Mapping[str, Measurement], ceilings: Ceilings | None) -> Row:
    ran = measurement.ran if measurement.ran not in dict(measurement.case.axes).values() else ""
    draft = _Draft()
    timed = measurement.status == "ok" and bool(measurement.turns)
    rounds = by_round(measurement.turns) if timed else []
    seen = interval(rounds) if timed else None
    if measurement.reason:
        draft.say(measurement.reason)
    if too_fast := implausible(measurement, ceilings, seen):
        draft.reasons.append(too_fast)
    for sentence in (ran and f"kernel used: {ran}", *measurement.notes):
        if sentence:
            draft.say(sentence)
    if seen is not None:
        latency = _latency(measurement, rounds, seen, draft)
        _page_faults(measurement, latency, ceilings, draft)
        _memory(measurement, draft)
        for sentence in clocks.not_known(measurement):
            draft.say(sentence)
        _against_baseline(measurement, by_id, draft)
        _rates(measurement, latency, ceilings, draft)
    return Row(
        measurement,
        measurement.status,
        tuple(draft.reasons),
        error=measurement.error,
        too_wide=frozenset(draft.too_wide),
        **draft.figures,
    )


def _latency(measurement: Measurement, rounds: Rounds, seen: Interval, draft: _Draft) -> Interval:
    latency, groups = _told("latency", seen, rounds, draft)
    turns = of_one_clock(measurement.turns)
    samples = [second for turn in turns for second in turn.seconds]
    draft.figures.update(latency=latency, samples=len(samples))
    if not groups and "latency" not in draft.too_wide:
        _precision(measurement, latency, draft)
    if latency.n_rounds == 1:
        draft.say("one process only: the interval excludes process-to-process variation; allow more rounds")
    if not groups:
        _drift(rounds, draft)
    for told in clocks.remarks(measurement, latency.estimate):
        draft.say(*told)
    held_back = {reason for turn in turns for reason in turn.telemetry.get("throttled", ())}
    if held_back:
        draft.say(f"the GPU was throttled ({', '.join(sorted(held_back))}): let it cool down, then measure again")
    modes = None if groups else two_modes(samples)
    if modes:
        slower = f"{_percent(modes.high / modes.low - 1)} slower"
        draft.say(
            f"two modes: {modes.high_share:.0%} of the samples are about {slower} than the others; check the raw "
            "samples, other load and clock changes",
            "two modes: the samples form two groups and the median describes neither; check the raw samples, other "
            "load and clock changes",
        )
    return latency


def _told(name: Literal["latency", "speedup"], found: Interval, rounds: Rounds, draft: _Draft) -> tuple[Interval, bool]:
    """The interval as it may be told: without ends where processes fall into two groups; and whether they do.

    One that reaches beyond a factor of two keeps its ends, as data, and is marked as no result.
    """
    what = "" if name == "latency" else "speed-up: "
    groups = two_groups_of_processes(rounds)
    if groups:
        remedy = "no single interval applies; look for two code paths, memory placement or other load, then run again"
        apart = _percent(groups.high / groups.low - 1)
        draft.say(
            f"{what}processes fall into two groups, {apart} apart ({groups.low_share:.0%} and {groups.high_share:.0%} "
            f"of them): {remedy}",
            f"{what}processes fall into two groups: {remedy}",
        )
        return without_ends(found), True
    if found.relative_half_width is not None and found.relative_half_width > WIDEST:
        draft.too_wide.add(name)
        replicates = [statistics.median(one) for one in rounds] if len(rounds) > 1 else rounds[0]
        differ = f"{'processes' if len(rounds) > 1 else 'turns'} differ by ×{_factor(replicates)}"
        remedy = "run again on an idle machine or with --rigorous"
        draft.say(
            f"{what}too noisy to measure right now: {differ} in {found.n_rounds} rounds; {remedy}",
            f"{what}too noisy to measure right now: too few processes for how much they differ; {remedy}",
        )
    return found, False


def _factor(logs: Sequence[float]) -> str:
    """How many times the slowest takes of the fastest, from logarithms: `3.2`, `1500`."""
    apart = math.exp(min(max(logs) - min(logs), 700))
    return f"{apart:.3g}" if apart < 1000 else f"{apart:.0f}" if apart < 1e6 else f"{apart:.0e}"


def _precision(measurement: Measurement, latency: Interval, draft: _Draft) -> None:
    """Whether the precision that was asked for was reached, and if not, why not."""
    width, target = latency.relative_half_width, measurement.target
    missed = width is not None and (target is None or width > target)
    if measurement.stopped == "decision" and width is not None and missed:
        stood = "sampling stopped once the comparison with the baseline was decided"
        draft.say(f"latency only known to ±{_percent(width)}: {stood}", f"latency less precise than requested: {stood}")
    if measurement.stopped in MISSED:
        asked = f"wider than the requested ±{_percent(target)}" if target is not None else "wider than requested"
        ending = f"({measurement.stopped}): {MISSED[measurement.stopped]}"
        if width is None:
            draft.say(f"no interval {ending}")
        elif missed:
            draft.say(f"interval ±{_percent(width)}, {asked} {ending}", f"interval {asked} {ending}")


def _drift(rounds: Rounds, draft: _Draft) -> None:
    found = drift([statistics.median(one) for one in rounds])
    if found is None:
        return
    between = "the machine drifted between rounds"
    unknown = "the interval does not account for that; let the machine settle, then run again"
    if found.kind == "wander":
        draft.say(
            f"{between}, by about {_percent(found.by)}: {unknown}",
            f"{between}: {unknown}",
        )
    else:
        way = "slower" if found.by > 0 else "faster"
        draft.say(
            f"{between}, the first was {_percent(abs(found.by))} {way} than the others: {unknown}",
            f"{between}, the first was {way} than the others: {unknown}",
        )


def _page_faults(measurement: Measurement, latency: Interval, ceilings: Ceilings | None, draft: _Draft) -> None:
    counted = [turn.faults for turn in measurement.turns if turn.faults is not None]
    if not counted or ceilings is None or ceilings.page_fault_seconds is None:
        return
    faults = statistics.median(counted)
    share = faults * ceilings.page_fault_seconds / latency.estimate
    if share >= FAULT_BOUND:
        draft.say(
            f"page-fault bound: about {min(share, 1.0):.0%} of the time goes to zeroing fresh memory ({faults:.0f} "
            "faults per call); use `allocator: kept`",
            "page-fault bound: most of the time goes to zeroing fresh memory; use `allocator: kept`",
        )


def _memory(measurement: Measurement, draft: _Draft) -> None:
    memory = measurement.memory
    if memory is not None and memory.peak_bytes is not None:
        draft.figures["peak_memory_bytes"] = memory.peak_bytes
        return
    why = memory.unavailable.get("peak_bytes", "no reason recorded") if memory else "was not measured"
    draft.say(f"no peak memory: {why}")


def _against_baseline(measurement: Measurement, by_id: Mapping[str, Measurement], draft: _Draft) -> None:
    if measurement.baseline is None:
        return
    base = by_id.get(measurement.baseline)
    if base is None:
        draft.say("no speed-up: the baseline was not measured")
        return
    if base.status != "ok":
        draft.say(f"no speed-up: the baseline is {base.status}")
        return
    if base.machine != measurement.machine:
        draft.say("no speed-up: the baseline was measured on another machine")
        return
    first, second = paired(base.turns, measurement.turns)
    why = clocks.not_compared(base, measurement)
    if why:
        draft.say(f"no speed-up: {why}")
    elif first:
        speedup, _ = _told("speedup", ratio(first, second), differences(first, second), draft)
        draft.figures["speedup"] = speedup
        _beyond_the_work(measurement, base, speedup, draft)
    else:
        draft.say("no speed-up: never interleaved with the baseline")
    own, theirs = _peak(measurement), _peak(base)
    if own is not None and theirs:
        draft.figures["memory_ratio"] = own / theirs
    elif own is not None:
        draft.say("no memory ratio: the baseline has no peak memory")


def _beyond_the_work(measurement: Measurement, base: Measurement, speedup: Interval, draft: _Draft) -> None:
    """The same variant with less to do is faster by what it need not read or compute, at most.

    Not asked where the baseline has less to do: what both spend alike then makes the ratio smaller than the work's.
    """
    own, theirs = measurement.work, base.work
    if own is None or theirs is None or speedup.low is None or not _same_but_for_size(measurement, base):
        return
    read = theirs.bytes / own.bytes if own.bytes else 0.0
    computed = theirs.flops / own.flops if own.flops else 0.0
    allowed = max(read, computed)
    if allowed > 1 and speedup.low > CLEARLY * allowed:
        which = "read" if read >= computed else "computed"
        why = "this row and the baseline read their data from different caches; use `cache: cold`"
        told = f"{speedup.estimate:.1f}× where {allowed:.1f}× less is {which}"
        draft.say(
            f"faster than its bytes and operations allow: {told}; {why}",
            f"faster than its bytes and operations allow: {why}",
        )


def _same_but_for_size(one: Measurement, other: Measurement) -> bool:
    """Whether the same kernel ran, and cases differ in numbers or pattern only: another norm computes other things."""
    kernels = [measurement.ran or measurement.case.get("kernel") for measurement in (one, other)]
    theirs = dict(other.case.axes)
    differing = [(name, value) for name, value in one.case.axes if name != "kernel" and theirs.get(name) != value]
    sizes = all(name == "pattern" or type(value) is int for name, value in differing)
    return kernels[0] == kernels[1] and bool(differing) and sizes


def _peak(measurement: Measurement) -> int | None:
    return measurement.memory.peak_bytes if measurement.memory else None


def _rates(measurement: Measurement, latency: Interval, ceilings: Ceilings | None, draft: _Draft) -> None:
    work, seconds = measurement.work, latency.estimate
    if work is None:
        draft.say("no throughput: the component has no formula for its work")
        return
    draft.figures.update(tflops=work.flops / seconds / 1e12, gbytes_per_s=work.bytes / seconds / 1e9)
    if ceilings is None:
        draft.say("no % of peak: this machine's peaks were not measured; run `tbench doctor`")
        return
    limit = ceilings.seconds(work, measurement.case.arithmetic, clocks.cold_on_gpu(measurement))
    if limit is None:
        draft.say(f"no % of peak: no peak was measured for {measurement.case.dtype}")
    else:
        draft.figures["limit_fraction"] = limit / seconds


def _percent(fraction: float) -> str:
    """0.041 as `4.1%`, 0.02 as `2%`, 0.5 as `50%`."""
    return f"{100 * fraction:.2g}%" if fraction < 0.995 else f"{100 * fraction:.0f}%"
