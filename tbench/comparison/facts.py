"""What a comparison says around its tables: which runs, what differs besides the code, how many cases are what."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from tbench.analysis.run import Run
from tbench.comparison.environment import Difference
from tbench.comparison.model import MEMORY_VERDICTS, VERDICTS, Comparison, Verdict
from tbench.comparison.ratio import EFFECT, POWER
from tbench.report import facts
from tbench.tables import units

SIZES = ("memory_bytes", "last_level_cache_bytes", "device_memory_bytes")


def title(comparison: Comparison) -> str:
    old, new = facts.title(comparison.base), facts.title(comparison.new)
    return old if old == new else f"{old} → {new}"


def sides(comparison: Comparison) -> list[tuple[str, str]]:
    """`base` and `new` with the folder, the time and the machine."""
    return [("base", _run(comparison.base)), ("new", _run(comparison.new))]


def conditions(comparison: Comparison) -> list[str]:
    """In sentences what differs between the runs besides the code, the weighty first."""
    weighty = [_difference(one) for one in comparison.differences if one.changes_times]
    others = [_difference(one) for one in comparison.differences if not one.changes_times]
    sentences = []
    if weighty:
        sentences.append(
            f"Environments differ: {'; '.join(weighty)}. This alone changes timings: differences below are not due "
            "to the code alone, and a regression is advisory."
        )
    if others:
        sentences.append(f"{'Also different' if weighty else 'Differences'}: {'; '.join(others)}.")
    return sentences or ["Machine, software and sampling match, as far as recorded."]


def summary(comparison: Comparison) -> str:
    """`9 cases: 2 SLOWER, 5 OK, 1 not ok in both; peak memory: 1 BIGGER`."""
    counts = Counter(row.verdict for row in comparison.rows)
    words = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict]]
    apart = [row for row in comparison.rows if row.verdict is None]
    for count, what in (
        (sum(row.base is not None and row.base.status != "ok" for row in apart), "not ok in both"),
        (sum(row.base is not None and row.base.status == "ok" for row in apart), "not timed"),
    ):
        words += [f"{count} {what}"] if count else []
    heavier = Counter(row.memory for row in comparison.rows if row.memory)
    memory = [f"{heavier[verdict]} {verdict}" for verdict in MEMORY_VERDICTS if heavier[verdict]]
    return f"{units.counted(len(comparison.rows), 'case')}: {', '.join(words)}" + (
        f"; peak memory: {', '.join(memory)}" if memory else ""
    )


def rule(comparison: Comparison) -> str:
    """How the verdicts came about, in two sentences."""
    return (
        "Ratios are new ÷ base time with 95% confidence intervals. SLOWER and FASTER are beyond "
        f"{percent(comparison.tolerance)}, with at most {percent(comparison.alpha)} probability of any false SLOWER; "
        f"OK: the interval ends below {1 + comparison.tolerance:.4g}×."
    )


def open_cases(comparison: Comparison) -> str | None:
    """What the figures beside INCONCLUSIVE mean; None where no case has such."""
    if not any(row.verdict == Verdict.INCONCLUSIVE and row.smallest_change is not None for row in comparison.rows):
        return None
    effect = percent(EFFECT * comparison.tolerance)
    return (
        "INCONCLUSIVE, `detects 12%; needs 14 rounds`: a slowdown of 12% or more would have been detected "
        f"{POWER:.0%} of the time; 14 rounds per side would detect one of {effect}. More rounds: --rigorous, or "
        "min_rounds in the scenario."
    )


def shown(name: str, value: Any) -> str:
    """A recorded value as a reader sees it; `unknown` where there is none."""
    if value is None:
        return "unknown"
    if name in SIZES:
        return units.size(value)
    if isinstance(value, list):
        return " or ".join(shown(name, one) for one in value)
    return f"{value:g}" if isinstance(value, float) and math.isfinite(value) else str(value)


def percent(fraction: float) -> str:
    return f"{100 * fraction:.3g}%"


def _difference(one: Difference) -> str:
    unit = {"load": " cores", "sm_clock_mhz": " MHz", "memory_clock_mhz": " MHz"}.get(one.name, "")
    name = one.name.removesuffix("_bytes").removesuffix("_mhz").replace("_", " ")
    return f"{name} {shown(one.name, one.base)} → {shown(one.name, one.new)}{unit}"


def _run(run: Run) -> str:
    when = str(run.header.get("started") or "")[:16].replace("T", " ")
    return ", ".join(filter(None, (str(run.folder), when, facts.machine(run))))
