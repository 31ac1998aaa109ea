"""`tbench gate` against another version of the code: both sides measured here, now, in turns. The way a case takes:

open_sides → open_session → measure (paired) → decide (outcome) → Folder
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tbench.catalog import get as get_component
from tbench.errors import Interrupted, NothingSelected, UsageError
from tbench.execution import plan as planning
from tbench.execution.lock import device_lock
from tbench.execution.plan import Draft
from tbench.execution.rounds import play_round
from tbench.execution.workplace import Machine
from tbench.gate.calibration import Known, known
from tbench.gate.code import edited, find_origins, fingerprints, notes_on_code
from tbench.gate.decision import Evidence, Rule, rule_for, with_tolerance
from tbench.gate.folder import Folder, refuse_result
from tbench.gate.options import Options
from tbench.gate.outcome import Decision, Measured, Result, decide
from tbench.gate.paired import InjectedNoise, PairedCase, Progress, measure_pairs, sampling_of
from tbench.gate.sides import Sides, notes_on_tree, open_sides, refreshed
from tbench.records import Case, Injection, Measurement, Sampling

CALIBRATIONS = Path("results") / "calibration"
CONTROL = "A/A control"


def run(options: Options, output: Path, progress: Progress, rule: Rule | None = None) -> Result:
    """Compare both sides and save what was found in the folder `output`.

    `rule`: what decides; None for the one that the options ask for. Raises as `open_sides`
    and `open_session`, StoreError, and Interrupted after Ctrl-C, with what was measured saved.
    """
    refuse_result(output)
    with open_sides(options) as sides, open_session(sides, options, progress.say) as session:
        origins = find_origins(session.sides, session.shared, session.only_new, session.sampling)
        root = session.sides.new.root
        before = fingerprints(origins, root)
        notes = (
            *notes_on_tree(session.sides, options.against, output),
            *notes_on_code(session.sides, session.shared, origins),
        )
        for note in notes:
            progress.say(f"note: {note}")
        earlier = find_calibration(session, options.quick, progress.say)
        rule = rule or rule_for(options.quick, options.rigorous)
        rule = choose_tolerance(rule, options.tolerance, earlier, progress.say)
        session = replace(session, sigmas=earlier.sigmas if earlier else {})
        measured = session.begin()
        folder = Folder(output, session.sides, header(options, session), measured)
        found: Result | None = None
        try:
            session.measure(measured, rule, options.seed, replace(progress, swept=folder.save))
            changed = edited(session.order, origins, root, before)
            decision = decide(measured, rule, session.sides.new.scenario, changed)
            found = result(session.sides, rule, decision, notes)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; what was measured is in {output}") from None
        finally:
            folder.finish(found)
    return found


def header(options: Options, session: GateSession) -> dict[str, object]:
    """What the run folders of both sides say of their origin."""
    return {
        "seed": options.seed,
        "select": list(options.select),
        "command": list(options.command),
        "cases": [case.id for case in session.order],
    }


def find_calibration(session: GateSession, quick: bool, say: Callable[[str], None]) -> Known | None:
    """The calibration of this scenario on this machine, if there is one below the current folder."""
    here = session.sides.new
    cases = [case.id for case in session.shared]
    found = known(CALIBRATIONS / here.scenario.name, here.environment, quick, cases)
    if isinstance(found, str):
        say(f"note: {found}")
        return None
    return found


def choose_tolerance(rule: Rule, asked: float | None, earlier: Known | None, say: Callable[[str], None]) -> Rule:
    """The rule with the tolerance that was asked for, or that this machine needs."""
    if asked is not None:
        return with_tolerance(rule, asked)
    if earlier is not None and earlier.tolerance is not None and earlier.tolerance > rule.tolerance:
        say(f"note: tolerance {earlier.tolerance:.0%}, as the calibration in {earlier.folder} recommends here")
        return with_tolerance(rule, earlier.tolerance)
    return rule


def result(sides: Sides, rule: Rule, decision: Decision, notes: Sequence[str]) -> Result:
    return Result(
        scenario=sides.new.scenario.name,
        path=sides.path,
        base=sides.base.label,
        new=sides.new.label,
        tolerance=rule.tolerance,
        alpha=rule.alpha,
        outcomes=decision.outcomes,
        control=decision.control,
        notes=tuple(notes),
        environment=sides.new.environment.to_dict(),
    )


# ---------------------------------------------------------------------- what is measured


def no_noise(pair: PairedCase) -> InjectedNoise | None:
    return None


@dataclass(frozen=True)
class GateSession:
    """Two sides whose device is held, and their cases.

    `shared`: in both scenarios, and possible here. `left_out`: what is not possible, and why. `order`: of the new
    scenario. `sigmas`: the noise of a pair by case, as an earlier calibration has it. `injections` into the new side
    and `noise` into both sides' pairs are for a calibration.
    """

    sides: Sides
    shared: tuple[Case, ...]
    sampling: Mapping[Case, Sampling]
    left_out: Mapping[Case, Measurement]
    only_new: tuple[Case, ...]
    only_base: tuple[Case, ...]
    order: tuple[Case, ...]
    sigmas: Mapping[str, float] = field(default_factory=dict)
    injections: Mapping[Case, Injection] = field(default_factory=dict)
    noise: Callable[[PairedCase], InjectedNoise | None] = no_noise

    def begin(self) -> Measured:
        """Every case of both sides in a state before its first pair, and a control."""
        pairs = [self.paired(case) for case in self.shared]
        control = self.control(self.shared[0]) if pairs else None
        return Measured(pairs, control, self.order, self.only_base, self.left_out)

    def measure(self, measured: Measured, rule: Rule, seed: int, progress: Progress) -> None:
        """Take all pairs, and look at what only the new side has."""
        measure_pairs(measured.all_pairs, rule, seed, progress, self.memory_limit)
        live = [one for one in measured.pairs if one.compared]
        if live and measured.control is not None and not measured.control.compared:
            measured.control = self.control(live[0].case)  # the first case fails in the base: another has to do
            measure_pairs([measured.control], rule, seed, progress, self.memory_limit)
        for case in self.only_new:
            measured.alone[case] = self.first_look(case, seed)

    def paired(self, case: Case) -> PairedCase:
        """A case on both sides. With an injection into the new one the base has an empty one: what it holds in memory
        must not be a difference, for where tensors lie can change a time by more than what is injected."""
        injection = self.injections.get(case)
        base, new = draft(case, Injection() if injection else None), draft(case, injection)
        return self.with_noise(
            PairedCase(
                case.id,
                (base, self.sides.base.executor),
                (new, self.sides.new.executor),
                self.sampling[case],
                Evidence(sigma=self.sigmas.get(case.id)),
            )
        )

    def control(self, case: Case) -> PairedCase:
        """The base against itself."""
        base = self.sides.base.executor
        sides = (draft(case), base), (draft(case), base)
        evidence = Evidence(sigma=self.sigmas.get(case.id))
        return self.with_noise(PairedCase(CONTROL, *sides, self.sampling[case], evidence, control=True))

    def with_noise(self, pair: PairedCase) -> PairedCase:
        pair.noise = self.noise(pair)
        return pair

    def first_look(self, case: Case, seed: int) -> Measurement:
        """A case that only the new side has: whether it is correct, and roughly its time."""
        row = planned(self.sides, [case]).left_out
        if row:
            return row[0]
        state = draft(case)
        sides = [(state, self.sides.new.executor)]
        play_round(sides, self.sampling[case], seed, 0, memory_limit=self.memory_limit())
        assert state.measurement is not None
        return state.measurement

    def memory_limit(self) -> int | None:
        """Bytes that a worker may take: half of what is free, for there are two; None where the device says it."""
        return free_bytes(self.sides) if self.sides.device == "cpu" else None


@contextmanager
def open_session(sides: Sides, options: Options, say: Callable[[str], None]) -> Iterator[GateSession]:
    """Hold the device, and see what can be compared on it. Raises UsageError and NothingSelected."""
    with device_lock(sides.device, say, uuid=Machine(sides.new.executor).uuid(sides.device)):
        yield session_of(refreshed(sides), options)


def session_of(sides: Sides, options: Options) -> GateSession:
    """What can be compared of both sides' cases. Raises UsageError and NothingSelected."""
    if sides.new.environment.exclusive:
        raise UsageError(
            f"{sides.device} is in exclusive-process mode, and the gate keeps two processes on it: allow that with "
            "sudo nvidia-smi -c 0, or compare with a stored baseline (--baseline)"
        )
    here = sides.new.cases(sides.device, options.select)
    there = cases_of_base(sides, options.select)
    of_here, of_base = set(here), set(there)
    timed = [case for case in here if not get_component(case.component).experiment]
    if not timed:
        raise NothingSelected("nothing here is timed: the gate is for kernels, not for experiments")
    plan = planned(sides, [case for case in timed if case in of_base])
    return GateSession(
        sides,
        shared=tuple(case for group in plan.groups for case in group.cases),
        sampling={case: sampling_of(sides.new.scenario.sampling_of(case), options.quick) for case in here},
        left_out={row.case: row for row in plan.left_out},
        only_new=tuple(case for case in timed if case not in of_base),
        only_base=tuple(case for case in there if case not in of_here),
        order=tuple(timed),
    )


def cases_of_base(sides: Sides, select: Sequence[str]) -> list[Case]:
    """The base's cases; a selection may leave none of them, which is no mistake of the user's."""
    try:
        return sides.base.cases(sides.device, select)
    except NothingSelected:
        return []


def planned(sides: Sides, cases: Sequence[Case]) -> planning.Plan:
    """Which cases can run. With a Python for each side, what one has not got installed shows when it is tried."""
    unsupported = None
    if not sides.one_python:
        asked = [Machine(side.executor).ask("unsupported", cases=tuple(cases)) for side in (sides.base, sides.new)]
        reasons = {case: there and here for case, there, here in zip(cases, *asked, strict=True)}
        unsupported = reasons.__getitem__
    return planning.make([(case, None) for case in cases], Sampling(), free_bytes(sides), None, unsupported)


def free_bytes(sides: Sides) -> int:
    """What a process may take: of what is free, half, for there are two."""
    return Machine(sides.new.executor).free_bytes(sides.device) // 2


def draft(case: Case, injection: Injection | None = None) -> Draft:
    component = get_component(case.component)
    return Draft(case, None, component.work_of(case), component.predict_bytes(case), injection=injection)
