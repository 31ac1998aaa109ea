"""What a component hands to the worker to be timed and checked. The one door between the two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Check:
    """Result of one comparison with the float64 oracle on fresh random inputs.

    `error`: the largest, over all outputs (and gradients), of ‖out − ref‖ / ‖ref‖; NaN where the output holds one.
    `limit`: what the dtype allows. `detail` names the output that is worst and where.
    """

    error: float
    limit: float
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.error <= self.limit  # NaN compares false


class Malformed(Exception):
    """What a variant returned is not comparable at all: no tensor, another shape or dtype, no gradient. Says which."""


class Workload(Protocol):
    """A case, set up. `call` is exactly what is timed: no set-up, no copies of inputs, no checks.

    `ran`: the variant that really runs (differs from the case's for `auto`). `resident_bytes`: inputs and
    cache. `notes`: what a reader of the row must know. `layers`: how many operations
    of the kind the case names one call makes (a stack of layers); figures are for one of them, the mean.
    """

    call: Callable[[], Any]
    ran: str
    notes: tuple[str, ...]
    layers: int
    resident_bytes: int

    def check(self, seed: int) -> Check:
        """Refill the inputs in place from `seed`, call once and compare with the oracle. Raises Malformed."""
        ...

    def close(self) -> None:
        """Undo what set-up changed in the process."""
        ...
