"""What a component hands to the worker to be timed and checked. The one door between the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Call = Callable[[], Any]


@dataclass(frozen=True)
class Check:
    """Result of one comparison with the float64 oracle.

    `error`: of all rows of all outputs (and gradients) the one furthest from the oracle in proportion to its limit,
    ‖out − ref‖ / ‖ref‖; NaN where the output holds one. `limit`: what the dtype allows there. `detail` says where.
    """

    error: float
    limit: float
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.error <= self.limit  # NaN compares false


class Malformed(Exception):
    """What a variant did is not comparable at all: no tensor, another shape or dtype, no gradient, its inputs written
    over. Says which."""


class Expectation(Protocol):
    """What a call of one set of inputs should give, worked out before that call was made."""

    def compare(self, results: Any) -> Check:
        """Compare what the call gave. Raises Malformed, also where the inputs are not as they were before."""
        ...

    def done(self) -> None:
        """Put back what was changed for the comparison: data that is timed has no zeros."""
        ...


class Workload(Protocol):
    """A case, set up, with one or more sets of inputs.

    `calls`: one for each set; each is exactly what is timed: no set-up, no copies of inputs, no checks. `ran`: the
    variant that really runs (differs from the case's for `auto`). `resident_bytes`: inputs and cache of one set.
    `notes`: what a reader of the row must know. `layers`: how many operations of the kind the case names one call makes
    (a stack of layers); figures are for one of them, the mean. `overwrites`: whether calls were seen to write over
    inputs that the component leaves to them; then every timed call needs fresh data.
    """

    calls: Sequence[Call]
    ran: str
    notes: tuple[str, ...]
    layers: int
    resident_bytes: int
    overwrites: bool

    def check(self, seed: int) -> Check:
        """Call once on fresh data that is as hard as can be, and compare with the oracle. Raises Malformed."""
        ...

    def expect(self, index: int, seed: int) -> Expectation:
        """Refill set `index` in place, and say what its next call should give."""
        ...

    def nudge(self, index: int) -> None:
        """Change set `index`: quickly, for it happens between samples. Large inputs change in a few elements only."""
        ...

    def close(self) -> None:
        """Undo what set-up changed in the process."""
        ...
