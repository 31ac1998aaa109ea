"""All duels of a run: screened in turn, suspects confirmed on fresh pairs. See `judge` for why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tbench.gate.duel import Duel
from tbench.gate.judge import cleared, open_after_first_look, suspicion, to_confirm, undecided
from tbench.gate.rule import Rule
from tbench.records import Measurement


class Watcher(Protocol):
    """Who wants to know how far a gate is (`say`: to keep, `at`: for a moment), and saves what there is after every
    sweep."""

    def begin(self, duels: Sequence[Duel]) -> None: ...
    def beside(self, measurements: Sequence[Measurement]) -> None: ...
    def say(self, message: str) -> None: ...
    def at(self, message: str) -> None: ...
    def swept(self) -> None: ...


def contest(
    duels: Sequence[Duel],
    rule: Rule,
    seed: int,
    watcher: Watcher,
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
        for duel in open_:
            duel.fight(duel.evidence.screen, seed, free_bytes())
        watcher.swept()
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
    if further and not late():
        watcher.say(f"{told(further)} not decided yet: more pairs")
        confirm(further, {duel.name: rule.most for duel in further}, rule, seed, watcher, free_bytes, late)


def confirm(
    suspects: Sequence[Duel],
    wanted: dict[str, int],
    rule: Rule,
    seed: int,
    watcher: Watcher,
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


def still_open(duels: Sequence[Duel], rule: Rule, late: bool) -> list[Duel]:
    """Those whose screening goes on; none where every case has failed, for then nothing is left to control."""
    if not all(duel.control for duel in duels) and all(duel.over for duel in duels if not duel.control):
        return []
    return [duel for duel in duels if not duel.over and undecided(duel.evidence, rule, late)]


def confirming(suspects: Sequence[Duel], wanted: dict[str, int], rule: Rule) -> Iterator[list[Duel]]:
    """The suspects that want another pair, sweep by sweep."""

    def goes_on(one: Duel) -> bool:
        return not one.over and len(one.evidence.confirm) < wanted[one.name] and not cleared(one.evidence, rule)

    while left := [one for one in suspects if goes_on(one)]:
        yield left


def suspicious(duel: Duel, rule: Rule) -> bool:
    return bool(duel.evidence.screen) and suspicion(duel.evidence.screen, rule) != 0


def told(duels: Sequence[Duel]) -> str:
    return f"{len(duels)} case{'' if len(duels) == 1 else 's'}"
