"""By which clock a GPU's rows were measured, and what a reader must know of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from tbench.analysis.turns import clock_of, of_one_clock
from tbench.records import Measurement
from tbench.tables.units import duration_of as printed

PACE = 1.0  # host time ÷ device time from which a program without CUDA graphs sees the host
HOST_SHARE = 0.02  # of a time, from which the first launch's delay is worth a word
FIRST_LAUNCH = 60e-6  # seconds that the first launch adds to a sample: 20 to 110 µs on the H100's virtual machine


def on_gpu(measurement: Measurement) -> bool:
    return measurement.case.device != "cpu" and bool(measurement.turns)


def told(measurement: Measurement) -> str | None:
    """The clock of a GPU's row, in a word for the `clock` column; None on a CPU, whose clock is the only one.

    `host included`: measured by events on an idle device, whether it was asked for (`eager`) or all there was.
    """
    if not on_gpu(measurement):
        return None
    return clock_of(measurement.turns) or "host included"


def by_the_old_clock(measurement: Measurement) -> bool:
    """Whether a GPU's row was measured before the clock had a name: it started on an idle device, so the delay of the
    first launch is in every sample."""
    return on_gpu(measurement) and not any(turn.clock for turn in measurement.turns)


def cold_on_gpu(measurement: Measurement) -> bool:
    """Whether a GPU's row read its inputs from memory, so that memory's rate is its limit, not a cache's."""
    state, phase = measurement.case.get("cache_state"), measurement.case.phase
    asked = state == "cold" or (state is None and phase == "decode")
    return asked and on_gpu(measurement) and not by_the_old_clock(measurement)


def host_seconds(measurement: Measurement) -> float | None:
    """Median time the host needed to submit a call."""
    every = [second for turn in of_one_clock(measurement.turns) for second in turn.host_seconds]
    return statistics.median(every) if every else None


def sm_mhz(measurement: Measurement) -> float | None:
    """Median clock of the multiprocessors, seen on the device."""
    seen = [turn.sm_mhz for turn in of_one_clock(measurement.turns) if turn.sm_mhz is not None]
    return statistics.median(seen) if seen else None


def launch_bound(measurement: Measurement) -> bool:
    """Whether the device waited for the host in most turns; never on a CPU, nor where the host was out of the way."""
    if clock_of(measurement.turns):
        return False
    flags = [bool(turn.telemetry.get("launch_bound")) for turn in measurement.turns]
    return sum(flags) * 2 > len(flags)


def remarks(measurement: Measurement, seconds: float) -> Iterator[tuple[str, str]]:
    """Sentences, each with its general form; `seconds`: the row's latency."""
    clock, host = clock_of(measurement.turns), host_seconds(measurement)
    if clock == "graph":
        eager = [turn.eager_seconds for turn in measurement.turns if turn.eager_seconds is not None]
        if eager:
            told = (
                f"replayed as a CUDA graph: {printed(seconds)}; called from Python {printed(statistics.median(eager))}"
            )
            yield told, "replayed as a CUDA graph: a program that calls it from Python sees a longer time"
    elif clock == "ahead" and host is not None and host > PACE * seconds:
        yield (
            f"device {printed(seconds)}, host {printed(host)}: without CUDA graphs a program sees the {printed(host)}",
            "the host takes longer to submit a call than the device to run it: without CUDA graphs a program sees the "
            "host's time (column host_us)",
        )
    if clock:
        return
    for why in dict.fromkeys(turn.why for turn in measurement.turns if turn.why):
        yield (f"host included: {why}",) * 2
    if launch_bound(measurement):
        yield (
            "launch-bound: submitting the calls takes longer than running them, so this is host time; use larger "
            "sizes or a larger batch",
        ) * 2
    elif by_the_old_clock(measurement) and seconds < FIRST_LAUNCH / HOST_SHARE:
        yield (
            "host included: measured by an earlier version, whose clock started on an idle GPU, so that the delay of "
            "the first launch is in the time",
        ) * 2


def not_known(measurement: Measurement) -> Iterator[str]:
    """Why figures that only a GPU has are missing; nothing where the run was made before they were measured."""
    if not any(turn.clock for turn in measurement.turns):
        return
    if sm_mhz(measurement) is None:
        yield "no SM clock: it is measured while calls are queued ahead"
    if measurement.energy is not None and measurement.energy.unavailable:
        yield f"no energy: {measurement.energy.unavailable}"


def not_compared(base: Measurement, other: Measurement) -> str:
    """Why two measurements' times have no ratio, as far as their clocks go; "" where they have one."""
    if clock_of(base.turns) != clock_of(other.turns):
        return (
            f"different clocks: {told(base) or 'host included'} for the baseline, {told(other) or 'host included'} "
            "for this row"
        )
    waiting = [name for name, one in (("the baseline", base), ("this row", other)) if launch_bound(one)]
    return f"{' and '.join(waiting)} measured the host, not the device" if waiting else ""
