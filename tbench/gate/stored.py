"""The gate against a stored baseline: one side measured now, the other on an earlier day.

Nothing here can tell a slower code from a slower day but the circumstances. So a stored baseline blocks only where the
environment is the same in all that changes times, and the canaries, which no change touches, have not moved. Otherwise
what it says is advice: INCONCLUSIVE, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tbench.analysis.run import Run
from tbench.comparison.compare import compare
from tbench.comparison.facts import conditions
from tbench.comparison.model import Compared, Comparison, Verdict
from tbench.errors import Inconclusive, Interrupted, NothingSelected, UsageError
from tbench.execution import runner
from tbench.execution.local import LocalExecutor
from tbench.execution.prepare import held
from tbench.execution.workplace import Machine
from tbench.gate import baselines
from tbench.gate.checkout import from_root
from tbench.gate.decision import Rule
from tbench.gate.folder import refuse_result, write
from tbench.gate.options import Options
from tbench.gate.outcome import (
    Outcome,
    Result,
    Step,
    of_failure,
    of_new_only,
    overruled,
    with_source_location,
    without_times,
)
from tbench.listener import Listener
from tbench.records import Case, Measurement, Sampling
from tbench.report import write_derived
from tbench.scenario import Scenario, expand

# A baseline is compared with later runs by how its processes differ: there must be enough of them.
LEAST_ROUNDS = 8
CANARIES = Scenario(
    name="canary",
    title="Canaries",
    component="canary",
    fixed={"dtype": "float32"},
    sweep={"kernel": ("matmul", "copy"), "size": (1024, 4096)},
    exclude=({"kernel": ("matmul",), "size": (4096,)},),
)


class Lines(Listener):
    """Passes on warnings and finished cases as lines."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def warn(self, message: str) -> None:
        self.say(f"warning: {message}")

    def done(self, measurement: Measurement) -> None:
        self.say(f"measured {measurement.case.id}: {measurement.status}")


def measure(options: Options, folder: Path, say: Callable[[str], None]) -> Run:
    """Run the scenario and the canaries into `folder`, or go on with what is there of them; one device is named.

    The device is held for both, so that what the canaries say is true of the scenario. Raises as a run does, and
    Interrupted after Ctrl-C.
    """
    scenario = options.read()
    expand(scenario, options.device, options.select)  # an empty selection is refused before anything is measured
    with held(options.device, say):
        for what, where, select in ((CANARIES, folder / baselines.CANARY, ()), (scenario, folder, options.select)):
            try:
                runner.run(
                    with_enough_rounds(what),
                    where,
                    device=options.device,
                    select=select,
                    seed=options.seed,
                    resume=True,
                    listener=Lines(say),
                    command=options.command,
                    alone=False,
                )
            except KeyboardInterrupt:
                raise Interrupted(f"interrupted; what was measured is in {where}") from None
            write_derived(Run.read(where))
    return Run.read(folder)


def on_device(options: Options) -> Options:
    """The same with the device that is meant, as `auto` leaves open. Raises UsageError."""
    with LocalExecutor() as started:
        return replace(options, device=Machine(started).resolve(options.device))


def with_enough_rounds(scenario: Scenario) -> Scenario:
    """The scenario with enough processes of each case to be compared with another day's."""

    def enough(sampling: Sampling) -> Sampling:
        least = max(LEAST_ROUNDS, sampling.min_rounds)
        return replace(sampling, min_rounds=least, max_rounds=max(least, sampling.max_rounds))

    return scenario.sampled(enough)


def against_baseline(options: Options, given: str, output: Path, say: Callable[[str], None]) -> Result:
    """Measure now and compare with the stored run `given`. Raises UsageError, StoreError and as a run does, and
    Inconclusive where the two have no case in common."""
    scenario = options.read()
    base = Run.read(baselines.find(given, scenario.name))
    if base.header.get("status") != "complete":
        raise UsageError(f"{base.folder} is not complete ({base.header.get('status')}); a baseline must be")
    refuse_result(output)
    options = on_device(options)
    now = expand(scenario, options.device, options.select)
    if not {row.case for row in base.measurements} & set(now):
        raise Inconclusive(
            f"{base.folder} has none of these cases, so there is nothing to compare with: save a baseline of the "
            "current scenario (`tbench baseline save`)"
        )
    new = measure(options, output / "new", say)
    found, doubts = compared(base, new, options, scenario)
    write(output, found)
    for note in (*found.notes, *doubts):
        say(f"note: {note}")
    return found


def compared(base: Run, new: Run, options: Options, scenario: Scenario) -> tuple[Result, list[str]]:
    """What two complete runs say, and why a difference need not be the code's."""
    rule = Rule()
    comparison = compare(base, new, options.tolerance or rule.tolerance, rule.alpha)
    doubts = list(doubtful(base, new, comparison))
    wanted = selected(base, new, options)
    outcomes = [outcome(row) for row in comparison.rows if row.verdict != Verdict.MISSING or row.case in wanted]
    now = expand(scenario, str(new.header.get("device", "cpu")), options.select)
    steps = (advice_only(doubts), with_source_location(scenario, now))
    result = Result(
        scenario=scenario.name,
        path=from_root(options.scenario),
        base=f"{base.folder}, measured {base.header.get('started')}",
        new="the working tree",
        tolerance=comparison.tolerance,
        alpha=comparison.alpha,
        outcomes=overruled(outcomes, steps),
        notes=(*conditions(comparison), *comparison.warnings),
        environment=new.environment.to_dict(),
        stored=True,
    )
    return result, doubts


def doubtful(base: Run, new: Run, comparison: Comparison) -> Iterator[str]:
    """Why a difference need not be the code's."""
    differing = [one.name for one in comparison.differences if one.changes_times]
    if differing:
        yield f"the environment differs ({', '.join(differing)})"
    there, here = base.folder / baselines.CANARY, new.folder / baselines.CANARY
    if not (there / "run.json").exists():
        yield "it holds no canaries (make it with `tbench baseline save`)"
        return
    for row in compare(Run.read(there), Run.read(here), comparison.tolerance, comparison.alpha).rows:
        if row.verdict != Verdict.OK or not steady(row, comparison.tolerance):
            ratio = "was not measured" if row.ratio is None else f"takes {row.ratio.estimate:.2f}× its time"
            yield f"the canary {row.case['kernel']} of size {row.case['size']} {ratio}"


def steady(row: Compared, tolerance: float) -> bool:
    """Whether a canary is shown to take the time it took, in either direction."""
    ratio = row.ratio
    return ratio is not None and ratio.low is not None and ratio.low > 1 / (1 + tolerance)


def selected(base: Run, new: Run, options: Options) -> set[Case]:
    """The baseline's cases that this selection means: the others are not measured on purpose, and not missing."""
    try:
        stored = Scenario.from_dict(base.header["scenario"])
        return set(expand(stored, str(new.header.get("device", "cpu")), options.select))
    except (NothingSelected, UsageError):
        return set()


def outcome(row: Compared) -> Outcome:
    """The comparison's outcome as the gate's."""
    base, new = row.base, row.new
    return Outcome(
        row.case.id,
        verdict(row),
        reason="; ".join(reason.text for reason in row.reasons),
        ratio=row.ratio,
        base_seconds=base.latency.estimate if base and base.latency else None,
        new_seconds=new.latency.estimate if new and new.latency else None,
        base_bytes=base.peak_memory_bytes if base else None,
        new_bytes=new.peak_memory_bytes if new else None,
        detectable=row.smallest_change,
        more=more_rounds(row),
    )


def verdict(row: Compared) -> Verdict:
    """By the same rules as where both sides are measured."""
    if row.new is None:
        return Verdict.MISSING
    if row.base is None:
        return of_new_only(row.case, row.new.measurement).verdict
    if row.base.status != "ok" or row.new.status != "ok":
        return of_failure(row.base.measurement, row.new.measurement)[0]
    if row.verdict is None:
        return Verdict.SKIPPED  # it is not timed
    return Verdict.BIGGER if row.memory == Verdict.BIGGER and row.verdict != Verdict.SLOWER else row.verdict


def more_rounds(row: Compared) -> int | None:
    """Rounds beside those that were taken now; None where it is decided, or no number would do."""
    if row.rounds_needed is None or row.new is None or row.new.latency is None:
        return None
    return max(1, row.rounds_needed - row.new.latency.n_rounds)


def advice_only(doubts: Sequence[str]) -> Step:
    """Where anything but the code may have changed times, a verdict on time is advice."""
    if not doubts:
        return lambda one: one
    why = f"advisory only: the baseline is from another day and {'; '.join(doubts)}"
    return lambda one: without_times(one, f"{one.verdict}, {why}")
