"""`tbench calibrate`: whole runs of the gate on the same code, some with real work injected, again and again."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from tbench.catalog import get as get_component
from tbench.comparison.model import Verdict
from tbench.errors import CaseFailed, Interrupted, NothingSelected, UsageError
from tbench.execution.workplace import Machine
from tbench.gate import simulation
from tbench.gate.calibration import Summary, Trial, append_trial, kind_name, resumed, summarised, write_summary
from tbench.gate.decision import Rule, rule_for
from tbench.gate.options import Options
from tbench.gate.outcome import decide, exit_code
from tbench.gate.paired import InjectedNoise, Progress
from tbench.gate.run import GateSession, open_session
from tbench.gate.sides import Sides, open_same_code
from tbench.records import Case, Injection
from tbench.store.same import SAME_MACHINE

SHARES = (0.03, 0.10, 0.20)
NOISE_SHARE = 0.10  # of a case's time: what the work of injected noise is scaled from
GROWTH, LEAST_GROWTH = 0.02, 4 * 2**20
INJECTION_SECONDS = 120.0
ALARMS = (Verdict.SLOWER, Verdict.FASTER, Verdict.BIGGER, Verdict.BROKEN)

VERSION = 2  # of a trial: since 2 the sides are two checkouts, and workers scattered

Repeats = Mapping[Case, Mapping[float, int]]  # how many operations take a share of a case's time


class Kind(NamedTuple):
    """`share` of the target case's time that is added; whether it `grows` in memory; the `noise` of all cases."""

    share: float = 0.0
    grows: bool = False
    noise: str = ""


@dataclass(frozen=True)
class TrialPlan:
    """How many trials: `same` code on both sides, `injected` for each of `shares`, `memory` with a case that grows by
    2%, and by 4 MiB at least; `noisy`: the same code with each kind of injected noise."""

    same: int = 0
    injected: int = 0
    memory: int = 0
    noisy: int = 0
    shares: Sequence[float] = SHARES

    def kinds(self) -> list[Kind]:
        """Every trial, mixed: what the machine does for an hour must not meet one kind alone."""
        every = [Kind()] * self.same + [Kind(grows=True)] * self.memory
        for share in self.shares:
            every += [Kind(share)] * self.injected
        for name in simulation.KINDS:
            every += [Kind(noise=name)] * self.noisy
        random.Random(1).shuffle(every)
        return every


def calibrate(
    options: Options, plan: TrialPlan, output: Path, say: Callable[[str], None], rule: Rule | None = None
) -> tuple[Summary, list[Trial]]:
    """Carry out what is missing of the plan in the folder `output`, and say what all of its trials show.

    Raises as `open_same_code` and `open_session`, StoreError, and Interrupted after Ctrl-C; a trial that has ended is
    saved.
    """
    if not plan.kinds():
        raise UsageError("no trials: give --same, --injected, --memory or --noisy a number above 0")
    with open_same_code(options, output) as sides, open_session(sides, options, say) as session:
        say(f"measures {sides.base.label}")
        return carry_out(session, options, plan, output, say, rule or rule_for(options.quick))


def carry_out(
    session: GateSession,
    options: Options,
    plan: TrialPlan,
    output: Path,
    say: Callable[[str], None],
    rule: Rule,
) -> tuple[Summary, list[Trial]]:
    """The same, of a session that is open."""
    if not session.shared:
        raise NothingSelected("none of these cases can run here, so there is nothing to calibrate")
    done = resumed(output, described(session.sides, options, rule))
    todo = missing(plan, done)
    repeats: Repeats = {}
    if any(one.share or one.noise for one in todo):
        repeats = calibrate_injections(session, plan.shares, options.seed)
    try:
        for left, kind in zip(range(len(todo) - 1, -1, -1), todo, strict=True):
            done.append(trial(session, len(done) + 1, kind, repeats, rule, options.seed))
            append_trial(output, done[-1])
            say(ended(done[-1], left))
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {len(done)} trials are in {output}: the same command continues") from None
    summary = summarised(done, rule)
    new = session.sides.new
    write_summary(output, summary, new.scenario.name, new.environment, rule, options.quick)
    return summary, done


def described(sides: Sides, options: Options, rule: Rule) -> dict[str, Any]:
    """What trials must have in common to be added up."""
    return {
        "version": VERSION,
        "checkout": "worktrees" if sides.base.label.startswith("two worktrees") else "copies",
        "machine": {name: getattr(sides.new.environment, name) for name in SAME_MACHINE},
        "scenario": sides.new.scenario.on(sides.device).to_dict(),
        "select": list(options.select),
        "quick": options.quick,
        "rule": dataclasses.asdict(rule),
    }


def missing(plan: TrialPlan, done: Sequence[Trial]) -> list[Kind]:
    """What is left of the plan, in its order."""
    had = [Kind(one.share, bool(one.bytes), one.noise) for one in done]
    left = []
    for kind in plan.kinds():
        if kind in had:
            had.remove(kind)
        else:
            left.append(kind)
    return left


def calibrate_injections(session: GateSession, shares: Sequence[float], seed: int) -> Repeats:
    """How much work is so much of each case's time: found once, so that every trial adds the same."""
    machine = Machine(session.sides.new.executor)
    wanted = tuple(dict.fromkeys((*shares, NOISE_SHARE)))
    repeats: dict[Case, dict[float, int]] = {}
    for case in session.shared:
        asked = {"case": case, "sampling": session.sampling[case], "shares": wanted, "seed": seed}
        found = machine.ask("calibrate_injection", INJECTION_SECONDS, **asked)
        repeats[case] = dict(zip(wanted, found, strict=True))
    return repeats


def trial(session: GateSession, number: int, kind: Kind, repeats: Repeats, rule: Rule, seed: int) -> Trial:
    """One run of the gate. Nothing is known of earlier ones: no sigma is lent."""
    chance = random.Random(seed * 1_000_003 + number)
    target = chance.choice(session.shared) if kind.share or kind.grows else None
    size = more_bytes(target) if target is not None and kind.grows else 0
    began = time.perf_counter()
    seeds = random.Random(chance.randrange(2**31))
    if target is not None:
        injection = Injection(repeats[target][kind.share] if kind.share else 0, size)
        session = replace(session, injections={target: injection})
    if kind.noise:
        session = replace(
            session,
            noise=lambda pair: as_work(
                kind.noise, seeds.randrange(2**31), repeats[pair.case][NOISE_SHARE], pair.control
            ),
        )
    measured = session.begin()
    session.measure(measured, rule, chance.randrange(2**31), Progress())
    outcomes, control = decide(measured, rule, session.sides.new.scenario)
    if not any(one.compared for one in measured.pairs):
        raise CaseFailed("every case fails, so nothing can be calibrated: " + "; ".join(one.reason for one in outcomes))
    pairs = {one.name: (*one.evidence.screen, *one.evidence.confirm) for one in measured.pairs}
    injected = pairs.pop(target.id) if target is not None else ()
    return Trial(
        number=number,
        share=kind.share,
        target=target.id if target else "",
        flags={one.case: one.verdict for one in outcomes if one.verdict in ALARMS},
        open=tuple(one.case for one in outcomes if one.verdict == Verdict.INCONCLUSIVE),
        exit_code=exit_code(outcomes),
        seconds=time.perf_counter() - began,
        pairs=pairs,
        control=control.verdict if control else "",
        bytes=size,
        injected=injected,
        noise=kind.noise,
    )


def as_work(kind: str, seed: int, repeats: int, control: bool) -> InjectedNoise:
    """The work that a kind of noise is, pair after pair: `repeats` operations are the share `NOISE_SHARE`. Only the new
    side wanders in one-sided drift, and the control has none."""
    for base, new in simulation.noise_of(kind, seed):
        shares = (base, base if control and kind == simulation.ONE_SIDED else new)
        first, second = (Injection(round(share / NOISE_SHARE * repeats)) for share in shares)
        yield first, second


def more_bytes(case: Case) -> int:
    return max(LEAST_GROWTH, round(GROWTH * get_component(case.component).predict_bytes(case)))


def ended(one: Trial, left: int) -> str:
    flags = ", ".join(f"{verdict} {case}" for case, verdict in one.flags.items()) or "no flag"
    return f"trial {one.number}, {kind_name(*one.kind)}, {one.seconds:.0f} s: {flags} ({left} left)"
