"""`tbench calibrate`: whole runs of the gate on the same code, some with real work injected, again and again."""

from __future__ import annotations

import dataclasses
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tbench.catalog import get as get_component
from tbench.errors import CaseFailed, Interrupted, NothingSelected, StoreError, UsageError
from tbench.execution.runner import Machine
from tbench.gate import noise
from tbench.gate.calibration import TRIALS, Summary, Trial, kind_name, resumed, summarised, write_summary
from tbench.gate.gate import Arena, arena, decide
from tbench.gate.outcome import exit_code
from tbench.gate.paired import Duel, Source
from tbench.gate.rule import Rule
from tbench.gate.run import Watching
from tbench.gate.sides import Asked, Sides, alike
from tbench.records import Case, Handicap
from tbench.store import jsonfile
from tbench.store.same import SAME_MACHINE

SHARES = (0.03, 0.10, 0.20)
MEASURED = 0.10  # share of a case's time that the work of injected noise is told from
GROWTH, LEAST_GROWTH = 0.02, 4 * 2**20
BURDEN_SECONDS = 120.0
ALARMS = ("SLOWER", "FASTER", "BIGGER", "BROKEN")

VERSION = 2  # of a trial: since 2 the sides are two checkouts, and workers scattered


class Kind(NamedTuple):
    """`share` of the victim's time that is added; whether it `grows` in memory; the `noise` of all cases."""

    share: float = 0.0
    grows: bool = False
    noise: str = ""


@dataclass(frozen=True)
class Programme:
    """How many trials: `same` code on both sides, `injected` for each of `shares`, `memory` with a case that grows by
    2%, and by 4 MiB at least; `noisy`: the same code with each kind of injected noise."""

    same: int
    injected: int
    memory: int
    shares: Sequence[float] = SHARES
    noisy: int = 0

    def kinds(self) -> list[Kind]:
        """Every trial, mixed: what the machine does for an hour must not meet one kind alone."""
        every = [Kind()] * self.same + [Kind(grows=True)] * self.memory
        for share in self.shares:
            every += [Kind(share)] * self.injected
        for name in noise.KINDS:
            every += [Kind(noise=name)] * self.noisy
        random.Random(1).shuffle(every)
        return every


def calibrate(
    asked: Asked, programme: Programme, *, seed: int, rule: Rule, tell: Callable[[str], None]
) -> tuple[Summary, list[Trial]]:
    """Carry out what is missing of the programme in `asked.out`, and say what all of its trials show.

    Raises as `alike` and `arena`, StoreError, and Interrupted after Ctrl-C; a trial that has ended is saved.
    """
    if not programme.kinds():
        raise UsageError("no trials: give --same, --injected, --memory or --noisy a number above 0")
    with alike(asked) as both, arena(both, asked, Watching(tell)) as place:
        if not place.shared:
            raise NothingSelected("none of these cases can run here, so there is nothing to calibrate with")
        done = resumed(asked.out, described(both, asked, rule))
        todo = missing(programme, done)
        tell(f"measures {both.base.told}")
        burdens = burdens_of(place, programme.shares, seed) if any(one.share or one.noise for one in todo) else {}
        try:
            for left, kind in zip(range(len(todo) - 1, -1, -1), todo, strict=True):
                done.append(trial(place, len(done) + 1, kind, burdens, rule, seed))
                save(asked.out, done[-1])
                tell(told(done[-1], left))
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {len(done)} trials are in {asked.out}: the same command goes on") from None
        summary = summarised(done, rule)
        write_summary(asked.out, summary, both.new.scenario.name, both.new.environment, rule, asked.quick)
    return summary, done


def described(both: Sides, asked: Asked, rule: Rule) -> dict[str, Any]:
    """What trials must have in common to be added up."""
    machine = {name: getattr(both.new.environment, name) for name in SAME_MACHINE}
    scenario = both.new.scenario.to_dict()
    return {
        "version": VERSION,
        "checkout": "worktrees" if both.base.told.startswith("two worktrees") else "copies",
        "machine": machine,
        "scenario": scenario,
        "select": list(asked.select),
        "quick": asked.quick,
        "rule": dataclasses.asdict(rule),
    }


def missing(programme: Programme, done: Sequence[Trial]) -> list[Kind]:
    """What is left of the programme, in its order."""
    had = [Kind(one.share, bool(one.bytes), one.noise) for one in done]
    left = []
    for kind in programme.kinds():
        if kind in had:
            had.remove(kind)
        else:
            left.append(kind)
    return left


def burdens_of(place: Arena, shares: Sequence[float], seed: int) -> dict[Case, dict[float, int]]:
    """How much work is so much of each case's time: found once, so that every trial adds the same."""
    ask = Machine(place.sides.new.executor).ask
    asked = tuple(dict.fromkeys((*shares, MEASURED)))
    return {
        case: dict(zip(asked, ask("burden", BURDEN_SECONDS, case=case, shares=asked, seed=seed), strict=True))
        for case in place.shared
    }


def trial(place: Arena, number: int, kind: Kind, burdens: dict[Case, dict[float, int]], rule: Rule, seed: int) -> Trial:
    """One run of the gate. Nothing is known of earlier ones: no sigma is lent."""
    share, grows, name = kind
    chance = random.Random(seed * 1_000_003 + number)
    victim = chance.choice(place.shared) if share or grows else None
    size = more_bytes(victim) if victim is not None and grows else 0
    handicaps = {} if victim is None else {victim: Handicap(burdens[victim][share] if share else 0, size)}
    began = time.perf_counter()
    silent = Watching(lambda message: None)
    seeds = random.Random(chance.randrange(2**31))

    def injected(duel: Duel) -> Source | None:
        return done_as_work(name, seeds.randrange(2**31), burdens[duel.case][MEASURED], duel.control) if name else None

    outcomes, control, duels = decide(place, rule, chance.randrange(2**31), silent, {}, handicaps, injected)
    found = {one.name: (*one.evidence.screen, *one.evidence.confirm) for one in duels if not one.control}
    if not any(duel.compared for duel in duels):
        raise CaseFailed("every case fails, so nothing can be calibrated: " + "; ".join(one.reason for one in outcomes))
    return Trial(
        number=number,
        share=share,
        victim=victim.id if victim else "",
        flags={one.case: one.verdict for one in outcomes if one.verdict in ALARMS},
        open=tuple(one.case for one in outcomes if one.verdict == "INCONCLUSIVE"),
        exit_code=exit_code(outcomes),
        seconds=time.perf_counter() - began,
        pairs={name: values for name, values in found.items() if victim is None or name != victim.id},
        control=control.verdict if control else "",
        bytes=size,
        injected=found.get(victim.id, ()) if victim else (),
        noise=name,
    )


def done_as_work(name: str, seed: int, repeats: int, control: bool) -> Source:
    """The work that a kind of noise is, pair after pair: `repeats` operations are the share `MEASURED`. Only the new
    side wanders in one-sided drift, and the control has none."""
    for base, new in noise.source(name, seed):
        shares = (base, base if control and name == noise.ONE_SIDED else new)
        first, second = (Handicap(round(share / MEASURED * repeats)) for share in shares)
        yield first, second


def more_bytes(case: Case) -> int:
    return max(LEAST_GROWTH, round(GROWTH * get_component(case.component).predict_bytes(case)))


def save(folder: Path, one: Trial) -> None:
    """Add the trial's line; on return it is on the disk. Raises StoreError."""
    try:
        handle = os.open(folder / TRIALS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            jsonfile.append(handle, jsonfile.dumps(one.to_dict()))
        finally:
            os.close(handle)
    except OSError as problem:
        raise StoreError(f"{folder / TRIALS}: cannot be written: {problem.strerror}; name another with -o") from problem


def told(one: Trial, left: int) -> str:
    flags = ", ".join(f"{verdict} {case}" for case, verdict in one.flags.items()) or "no flag"
    return f"trial {one.number}, {kind_name(*one.kind)}, {one.seconds:.0f} s: {flags} ({left} left)"
