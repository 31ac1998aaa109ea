"""`tbench gate --against`: from what was asked to a result in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tbench.errors import Interrupted
from tbench.gate.calibration import Known, known
from tbench.gate.code import origins, remarks
from tbench.gate.edits import prints, without_edited
from tbench.gate.folder import Folder, refuse_result
from tbench.gate.gate import Arena, arena, decide, result
from tbench.gate.outcome import Result
from tbench.gate.paired import Duel
from tbench.gate.rule import RIGOROUS, Rule, with_tolerance
from tbench.gate.sides import Asked, sides, state
from tbench.records import Measurement

CALIBRATIONS = Path("results") / "calibration"


@dataclass
class Watching:
    """Passes on to the folder once there is one. `tell` gets what is to be kept, `show` what is true for a moment."""

    tell: Callable[[str], None]
    show: Callable[[str], None] = lambda message: None
    folder: Folder | None = None

    def say(self, message: str) -> None:
        self.tell(message)

    def at(self, message: str) -> None:
        self.show(message)

    def begin(self, duels: Sequence[Duel]) -> None:
        if self.folder is not None:
            self.folder.duels = duels

    def beside(self, measurements: Sequence[Measurement]) -> None:
        if self.folder is not None:
            self.folder.others = measurements

    def swept(self) -> None:
        if self.folder is not None:
            self.folder.swept()


def run(
    asked: Asked,
    *,
    seed: int,
    tolerance: float | None,
    tell: Callable[[str], None],
    show: Callable[[str], None] = lambda message: None,
    command: Sequence[str] = (),
) -> Result:
    """Compare both sides and save what was found in `asked.out`.

    `tolerance`: None for 5%, or what a calibration on this machine recommends where that is more. `tell`: gets notes
    and warnings, `show` how far it is. Raises as `sides` and `arena`, StoreError, and Interrupted after
    Ctrl-C, with what was measured saved.
    """
    refuse_result(asked.out)
    watching = Watching(tell, show)
    with sides(asked) as both, arena(both, asked, watching) as place:
        found_at = origins(place.sides, place.shared, place.only_new, place.sampling)
        notes = (*state(place.sides, asked), *remarks(place.sides, place.shared, found_at))
        root = place.sides.new.root
        before = prints(found_at, root)
        for note in notes:
            tell(f"note: {note}")
        earlier = calibrated(place, asked.quick, tell)
        rule = ruled(Rule() if not asked.rigorous else RIGOROUS, tolerance, earlier, tell)
        sigmas: Mapping[str, float] = earlier.sigmas if earlier else {}
        header = {"seed": seed, "select": list(asked.select), "command": list(command), "cases": ids(place)}
        watching.folder = Folder(asked.out, place.sides, header)
        found: Result | None = None
        try:
            outcomes, control, _ = decide(place, rule, seed, watching, sigmas)
            outcomes = without_edited(outcomes, place.order, found_at, root, before)
            found = result(place, rule, outcomes, control, notes)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; what was measured is in {asked.out}") from None
        finally:
            watching.folder.finish(found)
    return found


def ids(place: Arena) -> list[str]:
    return [case.id for case in place.order]


def calibrated(place: Arena, quick: bool, tell: Callable[[str], None]) -> Known | None:
    """The calibration of this scenario on this machine, if there is one below the current folder."""
    here = place.sides.new
    found = known(CALIBRATIONS / here.scenario.name, here.environment, quick, [case.id for case in place.shared])
    if isinstance(found, str):
        tell(f"note: {found}")
        return None
    return found


def ruled(rule: Rule, tolerance: float | None, earlier: Known | None, tell: Callable[[str], None]) -> Rule:
    """The rule with the tolerance that was asked for, or that this machine needs."""
    if tolerance is not None:
        return with_tolerance(rule, tolerance)
    if earlier is not None and earlier.tolerance is not None and earlier.tolerance > rule.tolerance:
        tell(f"note: tolerance {earlier.tolerance:.0%}, as the calibration in {earlier.folder} recommends here")
        return with_tolerance(rule, earlier.tolerance)
    return rule
