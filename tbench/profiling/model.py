"""A profile as data: operators or kernels with their times, and allocations over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tbench.records import Case


@dataclass(frozen=True)
class Operator:
    """`seconds` of its own and `bytes` it allocated (negative: freed more; None: kernels of a GPU allocate nothing
    themselves), over all `calls` of it in the profile."""

    name: str
    calls: int
    seconds: float
    bytes: int | None


@dataclass(frozen=True)
class Profile:
    """`calls` of the case took `span_seconds`; `between_seconds` of these in no operator or kernel. `allocations`: of
    the last call, (seconds, bytes held beyond what there was before); `peak_bytes`: the most of them."""

    case: Case
    calls: int
    span_seconds: float
    between_seconds: float
    operators: tuple[Operator, ...]
    allocations: tuple[tuple[float, int], ...]
    peak_bytes: int

    @staticmethod
    def of(case: Case, found: Mapping[str, Any]) -> Profile:
        """From what the worker answers."""
        return Profile(
            case,
            int(found["calls"]),
            float(found["span_seconds"]),
            float(found["between_seconds"]),
            tuple(Operator(*one) for one in found["operators"]),
            tuple((float(at), int(size)) for at, size in found["allocations"]),
            int(found["peak_bytes"]),
        )

    @property
    def between(self) -> str:
        """What the time outside of all operators is."""
        return "GPU idle" if self.case.device.startswith("cuda") else "Python and dispatch"

    def to_dict(self) -> dict[str, Any]:
        return {
            "case": self.case.id,
            "calls": self.calls,
            "span_seconds": self.span_seconds,
            "between_seconds": self.between_seconds,
            "operators": [vars(one) for one in self.operators],
            "allocations": [list(one) for one in self.allocations],
            "peak_bytes": self.peak_bytes,
        }
