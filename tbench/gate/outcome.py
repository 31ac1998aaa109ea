"""From what was measured to an outcome for every case, and the exit code that follows.

`decide` is the one place where a verdict is made: what was measured of a case says one, and a short list of steps may
overrule it, each for a reason of its own.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from tbench.analysis.statistics import Interval
from tbench.analysis.turns import by_round
from tbench.catalog import get as get_component
from tbench.comparison.model import Verdict, grown
from tbench.gate.checkout import from_root
from tbench.gate.decision import Evidence, Finding, Rule, judge
from tbench.gate.paired import PairedCase
from tbench.records import Case, Measurement
from tbench.scenario import Scenario

FAILING: Mapping[Verdict, int] = {
    Verdict.BROKEN: 4,
    Verdict.SLOWER: 1,
    Verdict.BIGGER: 1,
    Verdict.INCONCLUSIVE: 3,
    Verdict.MISSING: 3,
}
CONTROL_FAILED = (
    "A/A control failed (base differs from itself): timings are unreliable right now; re-run on an idle machine"
)
NOT_HERE = ("unsupported", "oom")  # a fact about the machine and the case, not a fault


@dataclass(frozen=True)
class Outcome:
    """What the gate says of one case.

    SLOWER, BIGGER: shown to be past the tolerance, in time or memory. BROKEN: fails now, or is wrong, whatever it did
    in the base. INCONCLUSIVE: neither shown nor excluded, or the base failed. MISSING: only the base has it. ADDED:
    only the new side has it, or can run it, and it is correct. SKIPPED: cannot run here. `ratio`: new ÷ base time.
    `detectable`: the smallest slowdown that would have been seen, `more`: pairs that would decide. `file`, `line`: what
    asks for the case, from the repository's root where there is one.
    """

    case: str
    verdict: Verdict
    reason: str = ""
    ratio: Interval | None = None
    base_seconds: float | None = None
    new_seconds: float | None = None
    base_bytes: int | None = None
    new_bytes: int | None = None
    pairs: int = 0
    detectable: float | None = None
    more: int | None = None
    file: str = ""
    line: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Result:
    """A whole run of the gate. `base`, `new`: what the sides are, in words. `control`: the base against itself.
    `stored`: the base was measured on another day."""

    scenario: str
    path: str
    base: str
    new: str
    tolerance: float
    alpha: float
    outcomes: tuple[Outcome, ...]
    control: Outcome | None = None
    notes: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    stored: bool = False

    @property
    def exit_code(self) -> int:
        return exit_code(self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"exit_code": self.exit_code}


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """4 if a case is broken, else 1 if one is shown to be worse, else 3 if something stayed open, else 0.

    Where no case could run, nothing was guarded: 3.
    """
    verdicts = {one.verdict for one in outcomes}
    if verdicts <= {Verdict.SKIPPED}:
        return 3
    codes = {FAILING.get(verdict, 0) for verdict in verdicts}
    return next((code for code in (4, 1, 3) if code in codes), 0)


# ---------------------------------------------------------------------- how a verdict is made


@dataclass
class Measured:
    """All that verdicts rest on; filled while the gate measures. `pairs`: the cases of both sides. `control`: the base
    against itself, None without a case. `alone`: what only the new side has, looked at once. `left_out`: what cannot
    run here, and why. `order`: of the new scenario's cases; `only_base`: what it has not got."""

    pairs: Sequence[PairedCase]
    control: PairedCase | None
    order: Sequence[Case]
    only_base: Sequence[Case] = ()
    left_out: Mapping[Case, Measurement] = field(default_factory=dict)
    alone: dict[Case, Measurement] = field(default_factory=dict)

    @property
    def all_pairs(self) -> list[PairedCase]:
        return [*self.pairs, *([self.control] if self.control else [])]

    @property
    def evidence(self) -> dict[str, Evidence]:
        return {one.name: one.evidence for one in self.all_pairs if one.compared}


class Decision(NamedTuple):
    """The outcome of every case, in the new scenario's order and then what only the base has; and the control's."""

    outcomes: tuple[Outcome, ...]
    control: Outcome | None = None


Step = Callable[[Outcome], Outcome]


def decide(measured: Measured, rule: Rule, scenario: Scenario, edited: Mapping[str, Path] | None = None) -> Decision:
    """The verdicts on a run, all of them. `scenario`: the new side's. `edited`: by case, a file of it that was changed
    while it was measured."""
    findings = judge(measured.evidence, rule)
    found = {one.case: of_pairs(one, findings.get(one.name), rule) for one in measured.pairs}
    found |= {case: of_new_only(case, one) for case, one in measured.alone.items()}
    found |= {case: of_left_out(case, one) for case, one in measured.left_out.items()}
    outcomes = [found[case] for case in measured.order] + [of_base_only(case) for case in measured.only_base]
    control = of_control(measured.control, findings, rule)
    steps = (
        without_times_if_control_failed(control),
        without_edited(edited or {}),
        with_source_location(scenario, measured.order),
    )
    return Decision(overruled(outcomes, steps), control)


def overruled(outcomes: Iterable[Outcome], steps: Iterable[Step]) -> tuple[Outcome, ...]:
    """The outcomes after all steps, in their order."""
    found = tuple(outcomes)
    for step in steps:
        found = tuple(step(one) for one in found)
    return found


# ---------------------------------------------------------------------- what was measured says


HOST_INCLUDED = "the host is in these times: not every turn was queued ahead"


def of_pairs(pair: PairedCase, finding: Finding | None, rule: Rule) -> Outcome:
    """Of a case that both sides have. `finding`: what its pairs show; None where a side failed."""
    base, new = pair.measured("base"), pair.measured("new")
    assert base is not None and new is not None
    outcome = Outcome(
        pair.name,
        Verdict.OK,
        base_seconds=seconds(base),
        new_seconds=seconds(new),
        base_bytes=pair.peak("base"),
        new_bytes=pair.peak("new"),
        pairs=pair.pairs,
    )
    if finding is None:
        verdict, reason = of_failure(base, new, ran=bool(pair.evidence.screen))
        return replace(outcome, verdict=verdict, reason=reason)
    outcome = replace(outcome, ratio=finding.ratio, detectable=finding.detectable, more=finding.more)
    host = HOST_INCLUDED if pair.host_included else ""
    growth = f"peak memory grew from {pair.peak('base')} to {pair.peak('new')} bytes" if pair.grown else ""
    if finding.verdict == Verdict.SLOWER:
        reason = f"more than {rule.tolerance:.1%} slower, confirmed in {len(pair.evidence.confirm)} fresh pairs"
        return replace(outcome, verdict=Verdict.SLOWER, reason="; ".join(filter(None, (reason, growth, host))))
    if growth:
        return replace(outcome, verdict=Verdict.BIGGER, reason=growth)
    reason = {
        Verdict.FASTER: f"more than {rule.tolerance:.1%} faster",
        Verdict.INCONCLUSIVE: too_noisy(finding, rule),
    }.get(finding.verdict, "")
    return replace(outcome, verdict=finding.verdict, reason="; ".join(filter(None, (reason, host))))


def too_noisy(finding: Finding, rule: Rule) -> str:
    """Why an INCONCLUSIVE is one, and what would help."""
    high = finding.ratio.high
    bound = "" if high is None else f" (up to {high - 1:+.1%} is consistent with these pairs)"
    return (
        f"too noisy to exclude {rule.tolerance:.1%}{bound}; a slowdown of {finding.detectable:.0%} would have been "
        f"detected. About {finding.more} more pairs would decide: use an idle machine, run with --rigorous, or raise "
        "--tolerance"
    )


def of_failure(base: Measurement, new: Measurement, ran: bool = False) -> tuple[Verdict, str]:
    """The verdict and its reason where one side, or both, has failed. `ran`: both had run before, so that what failed
    is no fact about the case and the machine as such."""
    if new.status == "ok":
        if base.status in NOT_HERE and not ran:
            return Verdict.ADDED, f"could not run in the base ({base.status}: {base.reason}); correct now"
        why = f"the base failed, so there is nothing to compare with ({base.status}: {base.reason})"
        return Verdict.INCONCLUSIVE, why
    if base.status == "ok":
        return Verdict.BROKEN, f"{new.status}: {new.reason}"
    if new.status in NOT_HERE:
        if ran:
            return Verdict.INCONCLUSIVE, f"both sides ran at first, then failed ({new.status}: {new.reason})"
        return Verdict.SKIPPED, f"{new.status}: {new.reason}"
    return Verdict.BROKEN, f"{new.status}: {new.reason} (the base failed too)"


def of_new_only(case: Case, new: Measurement) -> Outcome:
    if new.status == "ok":
        why = "only on the new side; correct, nothing to compare with"
        return Outcome(case.id, Verdict.ADDED, why, new_seconds=seconds(new), new_bytes=peak(new), pairs=1)
    verdict = Verdict.SKIPPED if new.status in NOT_HERE else Verdict.BROKEN
    return Outcome(case.id, verdict, f"{new.status}: {new.reason}", pairs=1)


def of_left_out(case: Case, row: Measurement) -> Outcome:
    return Outcome(case.id, Verdict.SKIPPED, f"{row.status}: {row.reason}")


def of_base_only(case: Case) -> Outcome:
    return Outcome(case.id, Verdict.MISSING, "only in the base: the scenario no longer measures it")


def of_control(control: PairedCase | None, findings: Mapping[str, Finding], rule: Rule) -> Outcome | None:
    """Of the base against itself; None where there is no pair to judge."""
    return of_pairs(control, findings[control.name], rule) if control and control.name in findings else None


def seconds(one: Measurement) -> float | None:
    """Median seconds of a call; None where there is no sample or the case failed."""
    if one.status != "ok" or not one.turns:
        return None
    return math.exp(statistics.median(value for values in by_round(one.turns) for value in values))


def peak(one: Measurement) -> int | None:
    return one.memory.peak_bytes if one.memory else None


# ---------------------------------------------------------------------- steps that may overrule it


def without_times_if_control_failed(control: Outcome | None) -> Step:
    """Where the base was shown to differ from itself, no time can be trusted."""
    if control is None or control.verdict not in (Verdict.SLOWER, Verdict.FASTER):
        return lambda one: one
    return lambda one: without_times(one, CONTROL_FAILED)


def without_edited(edited: Mapping[str, Path]) -> Step:
    """A case of which a file was edited while it was measured is open: two versions' times would pass for one's."""

    def step(one: Outcome) -> Outcome:
        if one.case not in edited or one.verdict in (Verdict.SKIPPED, Verdict.MISSING):
            return one
        reason = f"{edited[one.case]} was edited while it was measured: run again"
        return replace(one, verdict=Verdict.INCONCLUSIVE, reason=reason)

    return step


def with_source_location(scenario: Scenario, cases: Iterable[Case]) -> Step:
    """The file and line that ask for a case, for whoever must change something there; none for other cases."""
    found = {case.id: source_location(scenario, case) for case in cases if scenario.has(case)}
    names = {path: from_root(path) for path in {path for path, _ in found.values()}}

    def step(one: Outcome) -> Outcome:
        if one.case not in found:
            return one
        path, line = found[one.case]
        return replace(one, file=names[path], line=line)

    return step


def source_location(scenario: Scenario, case: Case) -> tuple[str, int]:
    """The file, of a suite the part's own, and in it the line of the case's variants, or of the sweep."""
    here = scenario.on(case.device)
    part = next((part for part in here.parts or (here,) if part.has(case)), here)
    axis = get_component(case.component).variant_axis
    return part.path, part.lines.get(axis, part.lines.get("sweep", 1))


def without_times(one: Outcome, why: str) -> Outcome:
    """The outcome where a statement about time cannot be trusted: BROKEN and BIGGER stand, they are not sampled."""
    base, new = one.base_bytes, one.new_bytes
    if one.verdict == Verdict.SLOWER and base is not None and new is not None and grown(base, new):
        return replace(one, verdict=Verdict.BIGGER, reason=f"{one.reason}; timing: {why}")
    if one.verdict in (Verdict.SLOWER, Verdict.FASTER, Verdict.OK):
        return replace(one, verdict=Verdict.INCONCLUSIVE, reason=why)
    return one
