"""All duels of a run: screened in turn, suspects confirmed on fresh pairs. See `decision` for why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tbench.gate.decision import Evidence, cleared, open_after_first_look, suspicion, to_confirm, undecided, waiting
from tbench.gate.paired import Duel
from tbench.gate.rule import Rule
from tbench.records import Measurement


class Contender(Protocol):
    """What can be contested: a duel of two sides, or one that is simulated (`simulation.Drawn`)."""

    name: str
    evidence: Evidence
    control: bool

    @property
    def over(self) -> bool: ...
    def fight(self, into: list[float], seed: int, memory_limit: int | None = None) -> None: ...


class Progress(Protocol):
    """What a contest tells while it lasts: as for `Watcher`."""

    def say(self, message: str) -> None: ...
    def at(self, message: str) -> None: ...
    def swept(self) -> None: ...


class Watcher(Progress, Protocol):
    """Who wants to know how far a gate is (`say`: to keep, `at`: for a moment), and saves what there is after every
    sweep."""

    def begin(self, duels: Sequence[Duel]) -> None: ...
    def beside(self, measurements: Sequence[Measurement]) -> None: ...


def contest(
    duels: Sequence[Contender],
    rule: Rule,
    seed: int,
    watcher: Progress,
    free_bytes: Callable[[], int | None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Take all pairs. Afterwards each duel that is not over holds the evidence for a verdict.

    How many pairs a case gets may depend on the time there is, never on what its confirmation shows so far, but for the
    look between.

    Sweeps: one pair of every case that is still open, then the next of each, so that whatever the machine does for a
    while meets all cases. `free_bytes`: what a worker may take.
    """
    watcher.say(f"screening {told(duels)}, the control among them, in {rule.screen} pairs of processes or more each")
    began, sweep = clock(), 0
    ends = began + rule.allowance(len(duels))

    def late() -> bool:
        return clock() >= ends

    while open_ := still_open(duels, rule, late()):
        sweep += 1
        watcher.at(f"screening {told(open_)}, pair {sweep}")
        screen(open_, seed, watcher, free_bytes)
    suspects = [duel for duel in duels if not duel.over and suspicious(duel, rule)]
    if suspects:
        watcher.say(f"{told(suspects)} to confirm on fresh pairs")
        taken = sum(len(duel.evidence.screen) for duel in duels)
        affordable = taken * max(0.0, ends - clock()) / max(clock() - began, 1e-9) / len(suspects)
        for duel in suspects:
            duel.evidence.planned = to_confirm(duel.evidence, rule, len(suspects), affordable)
    confirm(suspects, {duel.name: duel.evidence.planned for duel in suspects}, rule, seed, watcher, free_bytes)
    left = open_after_first_look({duel.name: duel.evidence for duel in suspects if not duel.over}, rule)
    further = [duel for duel in suspects if duel.name in left and duel.evidence.planned < rule.most]
    others = [] if pointless(duels) else patient(duels, suspects, rule)
    if (further or others) and not late():
        watcher.say(f"{told([*further, *others])} not decided yet: more pairs")
        confirm(further, {duel.name: rule.most for duel in further}, rule, seed, watcher, free_bytes, late)
    while (others := patient(others, suspects, rule)) and not late():
        watcher.at(f"screening {told(others)}, pair {max(len(duel.evidence.screen) for duel in others) + 1}")
        screen(others, seed, watcher, free_bytes)


def screen(duels: Sequence[Contender], seed: int, watcher: Progress, free_bytes: Callable[[], int | None]) -> None:
    """One more pair of each."""
    for duel in duels:
        duel.fight(duel.evidence.screen, seed, free_bytes())
    watcher.swept()


def patient(duels: Sequence[Contender], suspects: Sequence[Contender], rule: Rule) -> list[Contender]:
    """Those that are neither suspects nor OK, and can still be looked at."""
    accused = {duel.name for duel in suspects}
    return [duel for duel in duels if not duel.over and duel.name not in accused and waiting(duel.evidence, rule)]


def confirm(
    suspects: Sequence[Contender],
    wanted: dict[str, int],
    rule: Rule,
    seed: int,
    watcher: Progress,
    free_bytes: Callable[[], int | None],
    late: Callable[[], bool] = lambda: False,
) -> None:
    """Take pairs of the suspects until each has as many as are `wanted`, or is cleared or over, or it is `late`."""
    for left in confirming(suspects, wanted, rule):
        if late():
            return
        pair = max(len(duel.evidence.confirm) for duel in left) + 1
        watcher.at(f"confirming {told(left)}, pair {pair} of at most {max(wanted.values())}")
        for duel in left:
            duel.fight(duel.evidence.confirm, seed, free_bytes())
        watcher.swept()


def still_open(duels: Sequence[Contender], rule: Rule, late: bool) -> list[Contender]:
    """Those whose screening goes on; none where every case has failed, for then nothing is left to control."""
    if pointless(duels):
        return []
    return [duel for duel in duels if not duel.over and undecided(duel.evidence, rule, late)]


def pointless(duels: Sequence[Contender]) -> bool:
    """Whether there are cases beside the control, and all of them have failed."""
    return not all(duel.control for duel in duels) and all(duel.over for duel in duels if not duel.control)


def confirming(suspects: Sequence[Contender], wanted: dict[str, int], rule: Rule) -> Iterator[list[Contender]]:
    """The suspects that want another pair, sweep by sweep."""

    def goes_on(one: Contender) -> bool:
        return not one.over and len(one.evidence.confirm) < wanted[one.name] and not cleared(one.evidence, rule)

    while left := [one for one in suspects if goes_on(one)]:
        yield left


def suspicious(duel: Contender, rule: Rule) -> bool:
    return bool(duel.evidence.screen) and suspicion(duel.evidence.screen, rule) != 0


def told(duels: Sequence[Contender]) -> str:
    return f"{len(duels)} case{'' if len(duels) == 1 else 's'}"
