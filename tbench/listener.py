"""Who wants to know how a run goes on: the terminal, a notebook, a log."""

from __future__ import annotations

from collections.abc import Sequence

from tbench.records import Case, Measurement


class Listener:
    """Hears nothing. Override what is of interest; a run calls in this order, `update` between turns."""

    def start(self, cases: int, seconds: float | None) -> None:
        """A run of `cases` cases begins, predicted to take `seconds` in all (None: not known)."""

    def warn(self, message: str) -> None:
        """Something the user should know of, before or during the run."""

    def begin(self, cases: Sequence[Case]) -> None:
        """Cases that are compared are measured from now on."""

    def update(self, case: Case, state: str) -> None:
        """What a case does now, in a few words."""

    def done(self, measurement: Measurement) -> None:
        """A case has its result; of one that was left out by the plan, without `begin`."""

    def finish(self) -> None:
        """The run has ended, whatever the way."""
