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
from tbench.comparison.model import Compared, Comparison
from tbench.errors import Inconclusive, Interrupted, NothingSelected, UsageError
from tbench.execution import runner
from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.gate import baselines
from tbench.gate.checkout import from_root
from tbench.gate.folder import refuse_result, write
from tbench.gate.outcome import Outcome, Result, Verdict, without_alarms
from tbench.gate.rule import Rule
from tbench.gate.settle import NOT_HERE
from tbench.gate.sides import Asked, read
from tbench.gate.spots import located
from tbench.records import Case, Measurement
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


class Quiet:
    """Listens to a run; passes on warnings and finished cases as lines."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell

    def start(self, cases: int, seconds: float | None) -> None: ...
    def begin(self, cases: Sequence[Case]) -> None: ...
    def update(self, case: Case, state: str) -> None: ...
    def finish(self) -> None: ...

    def warn(self, message: str) -> None:
        self.tell(f"warning: {message}")

    def done(self, measurement: Measurement) -> None:
        self.tell(f"measured {measurement.case.id}: {measurement.status}")


def measure(asked: Asked, folder: Path, seed: int, tell: Callable[[str], None], command: Sequence[str] = ()) -> Run:
    """Run the scenario and the canaries into `folder`, or go on with what is there of them; `asked` names one device.

    The device is held for both, so that what the canaries say is true of the scenario. Raises as a run does, and
    Interrupted after Ctrl-C.
    """
    scenario = read(asked, asked.path)
    expand(scenario, asked.device, asked.select)  # a selection that leaves nothing is told before anything is measured
    with device_lock(asked.device, tell):
        for what, where, select in ((CANARIES, folder / baselines.CANARY, ()), (scenario, folder, asked.select)):
            try:
                runner.run(
                    patient(what),
                    where,
                    device=asked.device,
                    select=select,
                    seed=seed,
                    resume=True,
                    executor_name="local",
                    listener=Quiet(tell),
                    command=command,
                    alone=False,
                )
            except KeyboardInterrupt:
                raise Interrupted(f"interrupted; what was measured is in {where}") from None
            write_derived(Run.read(where))
    return Run.read(folder)


def on_device(asked: Asked) -> Asked:
    """The same with the device that is meant, as `auto` leaves open. Raises UsageError."""
    with LocalExecutor() as started:
        return replace(asked, device=runner.Machine(started).resolve(asked.device))


def patient(scenario: Scenario) -> Scenario:
    """The scenario with enough processes of each case to be compared with another day's."""
    sampling = scenario.sampling
    least = max(LEAST_ROUNDS, sampling.min_rounds)
    more = replace(sampling, min_rounds=least, max_rounds=max(least, sampling.max_rounds))
    return replace(scenario, sampling=more, parts=tuple(patient(part) for part in scenario.parts))


def against_baseline(
    asked: Asked,
    given: str,
    *,
    seed: int,
    tolerance: float | None,
    tell: Callable[[str], None],
    command: Sequence[str] = (),
) -> Result:
    """Measure now and compare with a stored run. Raises UsageError, StoreError and as a run does, and Inconclusive
    where the two have no case in common."""
    scenario = read(asked, asked.path)
    base = Run.read(baselines.find(given, scenario.name))
    if base.header.get("status") != "complete":
        raise UsageError(f"{base.folder} is not complete ({base.header.get('status')}); a baseline must be")
    refuse_result(asked.out)
    asked = on_device(asked)
    now = expand(scenario, asked.device, asked.select)
    if not {row.case for row in base.measurements} & set(now):
        raise Inconclusive(
            f"{base.folder} has none of these cases, so there is nothing to compare with: save a baseline of the "
            "scenario as it is (`tbench baseline save`)"
        )
    new = measure(asked, asked.out / "new", seed, tell, command)
    rule = Rule()
    comparison = compare(base, new, tolerance or rule.tolerance, rule.alpha)
    doubts = list(doubtful(base, new, comparison))
    chosen = selected(base, new, asked)
    outcomes = [outcome(row) for row in comparison.rows if row.verdict != "MISSING" or row.case in chosen]
    if doubts:
        why = f"advice only, for the baseline is of another day and {'; '.join(doubts)}"
        outcomes = [advised(one, why) for one in outcomes]
    found = Result(
        scenario=scenario.name,
        path=from_root(asked.path),
        base=f"{base.folder}, measured {base.header.get('started')}",
        new="the working tree",
        tolerance=comparison.tolerance,
        alpha=comparison.alpha,
        outcomes=tuple(located(outcomes, scenario, now)),
        notes=(*conditions(comparison), *comparison.warnings),
        environment=new.environment.to_dict(),
        stored=True,
    )
    write(asked.out, found)
    for note in (*found.notes, *doubts):
        tell(f"note: {note}")
    return found


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
        if row.verdict != "OK" or not steady(row, comparison.tolerance):
            ratio = "was not measured" if row.ratio is None else f"takes {row.ratio.estimate:.2f}× its time"
            yield f"the canary {row.case['kernel']} of size {row.case['size']} {ratio}"


def steady(row: Compared, tolerance: float) -> bool:
    """Whether a canary is shown to take the time it took, in either direction."""
    ratio = row.ratio
    return ratio is not None and ratio.low is not None and ratio.low > 1 / (1 + tolerance)


def selected(base: Run, new: Run, asked: Asked) -> set[Case]:
    """The baseline's cases that this selection means: the others are not measured on purpose, and not missing."""
    try:
        stored = Scenario.from_dict(base.header["scenario"])
        return set(expand(stored, str(new.header.get("device", "cpu")), asked.select))
    except (NothingSelected, UsageError):
        return set()


def outcome(row: Compared) -> Outcome:
    reasons = "; ".join(reason.text for reason in row.reasons)
    base, new = row.base, row.new
    told = Outcome(
        row.case.id,
        verdict(row),
        reasons,
        row.ratio,
        base.latency.estimate if base and base.latency else None,
        new.latency.estimate if new and new.latency else None,
        base.peak_memory_bytes if base else None,
        new.peak_memory_bytes if new else None,
        detectable=row.smallest_change,
        more=more_rounds(row),
    )
    if told.verdict == "ADDED" and new is not None and new.status != "ok":
        failed: Verdict = "SKIPPED" if new.status in NOT_HERE else "BROKEN"
        return replace(told, verdict=failed)
    return told


def more_rounds(row: Compared) -> int | None:
    """Rounds beside those that were taken now; None where it is decided, or no number would do."""
    if row.rounds_needed is None or row.new is None or row.new.latency is None:
        return None
    return max(1, row.rounds_needed - row.new.latency.n_rounds)


def verdict(row: Compared) -> Verdict:
    """The comparison's verdict as the gate's, by the same rules as where both sides are measured (`settle.failed`)."""
    if row.verdict is None:
        return "SKIPPED" if row.new is None or row.new.status in (*NOT_HERE, "ok") else "BROKEN"
    if row.verdict == "FIXED":
        return "ADDED" if row.base is not None and row.base.status in NOT_HERE else "INCONCLUSIVE"
    if row.memory == "BIGGER" and row.verdict not in ("SLOWER", "BROKEN"):
        return "BIGGER"
    return row.verdict


def advised(one: Outcome, why: str) -> Outcome:
    return without_alarms(one, f"{one.verdict}, {why}")
