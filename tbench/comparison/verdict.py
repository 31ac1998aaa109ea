"""From the two rows of a case to its verdict, and the reasons a reader needs beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tbench.analysis.clocks import launch_bound, told
from tbench.analysis.derive import Reason, Row
from tbench.analysis.statistics import Interval
from tbench.analysis.turns import clock_of
from tbench.comparison.model import Compared, Verdict, weighed
from tbench.comparison.ratio import EFFECT, MOST, Ratio, interval, rounds_needed, smallest_change

LARGEST = 10.0  # a change by a factor of eleven needs no statistics


@dataclass(frozen=True)
class Evidence:
    """The times of a case that has some on both sides. `slower`, `faster`: shown, all cases considered.

    `level`: the error rate that a single test would be left with, were it the hardest of all.
    """

    ratio: Ratio
    tolerance: float
    level: float
    p_slower: float | None = None
    p_faster: float | None = None
    slower: bool = False
    faster: bool = False


def compared(base: Row | None, new: Row | None, evidence: Evidence | None) -> Compared:
    """The verdict on one case, which one side may not have. `evidence`: None where it was not timed on both."""
    if base is None or new is None:
        return _one_sided(base, new)
    case = new.measurement.case
    if base.status != "ok" or new.status != "ok":
        verdict: Verdict | None = (
            Verdict.BROKEN if base.status == "ok" else Verdict.FIXED if new.status == "ok" else None
        )
        return Compared(case, base, new, verdict, reasons=(_failure(base, new),))
    memory = weighed(base.peak_memory_bytes, new.peak_memory_bytes)
    beside = tuple(_changes(base, new))
    if evidence is None:
        return Compared(case, base, new, memory=memory, reasons=(_elsewhere(base, new) or _found(base, new), *beside))
    ratio = interval(evidence.ratio)
    verdict = _verdict(evidence, ratio)
    host = _host(verdict, base, new)
    verdict = Verdict.INCONCLUSIVE if host else verdict
    seen, needed = None, None
    if evidence.ratio.known:
        seen = smallest_change(evidence.ratio, evidence.tolerance, evidence.level)
        needed = rounds_needed(evidence.ratio, evidence.tolerance, evidence.level)
    why = host or (_open(evidence, seen, needed) if verdict == Verdict.INCONCLUSIVE else None)
    return Compared(
        case,
        base,
        new,
        verdict,
        ratio,
        memory,
        reasons=(*([why] if why else []), *beside),
        p_slower=evidence.p_slower,
        p_faster=evidence.p_faster,
        smallest_change=seen,
        rounds_needed=needed,
    )


def _one_sided(base: Row | None, new: Row | None) -> Compared:
    there = base or new
    assert there is not None
    verdict = Verdict.MISSING if new is None else Verdict.ADDED
    status = "" if there.status == "ok" else f", {there.status}"
    return Compared(
        there.measurement.case, base, new, verdict, reasons=(_said(f"only in {'base' if base else 'new'}{status}"),)
    )


def _verdict(evidence: Evidence, ratio: Interval) -> Verdict:
    if evidence.slower:
        return Verdict.SLOWER
    if evidence.faster:
        return Verdict.FASTER
    return Verdict.OK if ratio.high is not None and ratio.high < 1 + evidence.tolerance else Verdict.INCONCLUSIVE


def _host(verdict: Verdict, base: Row, new: Row) -> Reason | None:
    """Why a verdict on the device's time does not follow from the host's, or from times by two clocks.

    The device took at most as long as the host: a launch-bound new side may not be slower at all, a launch-bound base
    hides how fast it was. The other way round the verdict holds all the more.
    """
    if clock_of(base.measurement.turns) != clock_of(new.measurement.turns):
        return _said(f"measured by different clocks: {told(base.measurement)} in the base, {told(new.measurement)} now")
    side = "new run" if verdict == Verdict.SLOWER else "base"
    if not launch_bound((new if verdict == Verdict.SLOWER else base).measurement):
        return None
    return _said(f"launch-bound in the {side}: host time, not device time; measure larger sizes")


def _open(evidence: Evidence, seen: float | None, needed: int | None) -> Reason:
    """Why nothing was decided, and what would."""
    ratio = evidence.ratio
    if seen is None:
        sides = " and ".join(n for n, side in (("base", ratio.base), ("new run", ratio.new)) if side.spread is None)
        return _said(f"one process only in {sides}: process-to-process variation is unknown; allow more rounds")
    effect = EFFECT * evidence.tolerance
    if seen <= effect:
        return _said("too close to the tolerance to call; a change twice as large would have been detected")
    least = f"{100 * seen:.0f}%" if seen < LARGEST else "none"
    only = f"only a slowdown of {least} or more" if seen < LARGEST else "no slowdown at all"
    enough = f"more than {MOST} rounds per side" if needed is None else f"about {needed} rounds per side"
    advice = ": find a quieter machine" if needed is None else ""
    return Reason(
        f"{only} would have been detected; {enough} would detect {100 * effect:.3g}% "
        f"(there were {ratio.base.rounds} and {ratio.new.rounds}){advice}",
        f"detects {least}; " + ("too noisy" if needed is None else f"needs {needed} rounds"),
    )


def _failure(base: Row, new: Row) -> Reason:
    """What is wrong on the side that is not ok; where neither is, on the new one."""
    if new.status == "ok":
        return _said(f"was {base.status}: {_why(base)}")
    before = "" if base.status in ("ok", new.status) else f"was {base.status}, now "
    return _said(f"{before}{new.status}: {_why(new)}")


def _why(row: Row) -> str:
    return row.reasons[0].text if row.reasons else "no reason recorded"


def _found(base: Row, new: Row) -> Reason:
    """Experiments are not timed; whether they found the same is all that can be said without knowing their question."""
    old, now = base.measurement.findings, new.measurement.findings
    other = [name for name in {**old, **now} if old.get(name) != now.get(name)]
    return _said(f"not timed; findings differ: {', '.join(other)}" if other else "not timed; same findings")


def _elsewhere(base: Row, new: Row) -> Reason | None:
    """Why two rows that were timed are not compared: they are from devices of two types."""
    old, now = base.measurement.device_name, new.measurement.device_name
    if old == now or base.latency is None or new.latency is None:
        return None
    return _said(f"measured on another type of device: {old or 'unknown'} in base, {now or 'unknown'} in new")


def _changes(base: Row, new: Row) -> Iterator[Reason]:
    """What else is not as it was."""
    old, now = base.measurement.ran, new.measurement.ran
    if old != now:
        yield _said(f"kernel was {old or 'unknown'}, now {now or 'unknown'}")
    for side, one, other in (("base", base, new), ("new", new, base)):
        if one.peak_memory_bytes is None and other.peak_memory_bytes is not None:
            yield _said(f"no peak memory in {side}: cannot be compared")


def _said(words: str) -> Reason:
    return Reason(words, words)
