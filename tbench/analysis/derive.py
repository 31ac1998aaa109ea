"""What follows from a case's measurement: latency, speed-up, memory ratio, rates, and why a figure is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tbench.analysis.modes import two_modes
from tbench.analysis.statistics import Interval, interval, ratio
from tbench.analysis.turns import by_round, paired
from tbench.records import Ceilings, Measurement, Status

MISSED = {
    "max_time": "run with --rigorous or raise max_time",
    "max_rounds": "run with --rigorous or raise max_rounds",
    "interrupted": "continue the run with --resume",
}


class Reason(NamedTuple):
    """A sentence for the reader of a row. `general` is the same without the row's own figures: one note for many."""

    text: str
    general: str


@dataclass(frozen=True)
class Row:
    """One case of the result table. None: the figure could not be had, and `reasons` says why."""

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


@dataclass
class _Draft:
    """The figures of a row while they are collected."""

    figures: dict[str, Any] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)

    def say(self, text: str, general: str = "") -> None:
        self.reasons.append(Reason(text, general or text))


def derive(measurements: Iterable[Measurement], ceilings: Ceilings | None = None) -> list[Row]:
    """One `Row` per measurement, in the same order; speed-ups against the measurement each names as `baseline`."""
    measurements = list(measurements)
    by_id = {measurement.case.id: measurement for measurement in measurements}
    return [_row(measurement, by_id, ceilings) for measurement in measurements]


def implausible(measurement: Measurement, ceilings: Ceilings | None) -> str | None:
    """Why the case cannot have been this fast here: faster than `ceilings` allow its work, interval and all."""
    if measurement.status != "ok" or measurement.work is None or ceilings is None:
        return None
    limit = ceilings.seconds(measurement.work, measurement.case.dtype)
    latency = interval(by_round(measurement.turns))
    slowest = latency.estimate if latency.high is None else latency.high
    if limit is None or limit <= slowest:
        return None
    return (
        f"{limit / latency.estimate:.2f} times what this machine can do: the ceiling, the work's formula or the clock "
        "is wrong; measure the ceilings again with `tbench doctor --refresh`, and report it if it stays"
    )


def _row(measurement: Measurement, by_id: Mapping[str, Measurement], ceilings: Ceilings | None) -> Row:
    too_fast = implausible(measurement, ceilings)
    status: Status = "error" if too_fast else measurement.status
    ran = measurement.ran if measurement.ran not in dict(measurement.case.axes).values() else ""
    draft = _Draft()
    for sentence in (measurement.reason, too_fast, ran and f"ran {ran}", *measurement.notes):
        if sentence:
            draft.say(sentence)
    if status == "ok" and measurement.turns:
        latency = _latency(measurement, draft)
        _memory(measurement, draft)
        _against_baseline(measurement, by_id, ceilings, draft)
        _rates(measurement, latency, ceilings, draft)
    return Row(measurement, status, tuple(draft.reasons), error=measurement.error, **draft.figures)


def _latency(measurement: Measurement, draft: _Draft) -> Interval:
    latency = interval(by_round(measurement.turns))
    samples = [second for turn in measurement.turns for second in turn.seconds]
    draft.figures.update(latency=latency, samples=len(samples))
    width, target = latency.relative_half_width, measurement.target
    if measurement.stopped in MISSED:
        asked = f"wider than the ±{_percent(target)} asked" if target is not None else "wider than asked"
        ending = f"({measurement.stopped}): {MISSED[measurement.stopped]}"
        if width is None:
            draft.say(f"no interval {ending}")
        elif target is None or width > target:
            draft.say(f"interval ±{_percent(width)}, {asked} {ending}", f"interval {asked} {ending}")
    if latency.n_rounds == 1:
        draft.say("one process only: how processes differ is not in the interval; allow more rounds")
    if launch_bound(measurement):
        draft.say(
            "launch-bound: the host takes longer to submit the calls than the device to run them, so this is the "
            "host's time; measure larger sizes or a larger batch"
        )
    held_back = {reason for turn in measurement.turns for reason in turn.telemetry.get("throttled", ())}
    if held_back:
        draft.say(
            f"clocks were held back ({', '.join(sorted(held_back))}): cool the device or wait, then measure again"
        )
    modes = two_modes(samples)
    if modes:
        slower = f"{_percent(modes.high / modes.low - 1)} slower"
        draft.say(
            f"two modes: {modes.high_share:.0%} of the samples are about {slower} than the others; look at the raw "
            "samples, and for other load or a changing clock",
            "two modes: the samples fall into two groups, and the median describes neither; look at the raw samples, "
            "and for other load or a changing clock",
        )
    return latency


def _memory(measurement: Measurement, draft: _Draft) -> None:
    memory = measurement.memory
    if memory is not None and memory.peak_bytes is not None:
        draft.figures["peak_memory_bytes"] = memory.peak_bytes
        return
    why = memory.unavailable.get("peak_bytes", "no reason recorded") if memory else "was not measured"
    draft.say(f"no peak memory: {why}")


def _against_baseline(
    measurement: Measurement, by_id: Mapping[str, Measurement], ceilings: Ceilings | None, draft: _Draft
) -> None:
    if measurement.baseline is None:
        return
    base = by_id.get(measurement.baseline)
    if base is None:
        draft.say("no speed-up: its baseline was not measured")
        return
    if base.status != "ok" or implausible(base, ceilings):
        status = base.status if base.status != "ok" else "error"
        draft.say(f"no speed-up: its baseline is {status}")
        return
    first, second = paired(base.turns, measurement.turns)
    waiting = [name for name, one in (("its baseline", base), ("this row", measurement)) if launch_bound(one)]
    if waiting:
        draft.say(f"no speed-up: {' and '.join(waiting)} measured the host, not the device")
    elif first:
        draft.figures["speedup"] = ratio(first, second)
    else:
        draft.say("no speed-up: no turn was taken beside its baseline")
    own, theirs = _peak(measurement), _peak(base)
    if own is not None and theirs:
        draft.figures["memory_ratio"] = own / theirs
    elif own is not None:
        draft.say("no memory ratio: its baseline has no peak memory")


def _peak(measurement: Measurement) -> int | None:
    return measurement.memory.peak_bytes if measurement.memory else None


def _rates(measurement: Measurement, latency: Interval, ceilings: Ceilings | None, draft: _Draft) -> None:
    work, seconds = measurement.work, latency.estimate
    if work is None:
        draft.say("no rates: the component has no formula for its work")
        return
    draft.figures.update(tflops=work.flops / seconds / 1e12, gbytes_per_s=work.bytes / seconds / 1e9)
    if ceilings is None:
        draft.say("no share of the limit: this machine's ceilings were not measured; run `tbench doctor`")
        return
    limit = ceilings.seconds(work, measurement.case.dtype)
    if limit is None:
        draft.say(f"no share of the limit: no ceiling was measured for {measurement.case.dtype}")
    else:
        draft.figures["limit_fraction"] = limit / seconds


def launch_bound(measurement: Measurement) -> bool:
    """Whether the device waited for the host in most turns; never on a CPU."""
    flags = [bool(turn.telemetry.get("launch_bound")) for turn in measurement.turns]
    return sum(flags) * 2 > len(flags)


def _percent(fraction: float) -> str:
    """0.041 as `4.1%`, 0.02 as `2%`, 0.5 as `50%`."""
    return f"{100 * fraction:.2g}%" if fraction < 0.995 else f"{100 * fraction:.0f}%"
