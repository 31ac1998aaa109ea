"""What `tbench gate`, `tbench calibrate` and `tbench baseline save` were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tbench.errors import UsageError
from tbench.scenario import Scenario, load
from tbench.yamlfile.source import STDIN


@dataclass(frozen=True)
class Options:
    """The options of one command; what it has not got stays as it is here.

    `scenario`: its file. `against`: a git reference, `baseline`: a stored run, to compare with. `base_python`,
    `new_python`: interpreters, or their environments' folders. `tolerance`: a share; None for 5%, or what a calibration
    on this machine recommends. `output`: a folder; None for one of its own. `command`: as it was typed, for the record.
    """

    scenario: str
    device: str = "auto"
    select: Sequence[str] = ()
    overrides: Sequence[str] = ()
    quick: bool = False
    rigorous: bool = False
    seed: int = 0
    against: str | None = None
    baseline: str | None = None
    base_python: str | None = None
    new_python: str | None = None
    tolerance: float | None = None
    allow_inconclusive: bool = False
    junit: str | None = None
    output: str | None = None
    command: Sequence[str] = ()

    def read(self, path: str | None = None) -> Scenario:
        """The scenario, or another checkout's at `path`. Raises ScenarioError, and UsageError for standard input, which
        is read only once."""
        path = path or self.scenario
        if path == STDIN:
            raise UsageError("a scenario file is required, not standard input: both sides read it")
        return load(path, self.overrides, quick=self.quick, rigorous=self.rigorous)
