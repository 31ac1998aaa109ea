"""Peak memory is counted, not sampled: two runs of the same code agree to the byte, so a rule is enough."""

from __future__ import annotations

from typing import Literal, get_args

MemoryVerdict = Literal["BIGGER", "SMALLER"]
MEMORY_VERDICTS: tuple[MemoryVerdict, ...] = get_args(MemoryVerdict)

LEAST_GROWTH = 2**20  # bytes: allocators round, and nobody misses less
GROWTH = 100  # one part in so many: 1%


def grown(base: int, new: int) -> bool:
    """Whether `new` bytes are more than `base` by over 1% and over 1 MiB."""
    return new - base > LEAST_GROWTH and GROWTH * (new - base) > base


def weighed(base: int | None, new: int | None) -> MemoryVerdict | None:
    """What became of a peak in bytes; None where it is as it was, or was not had on both sides."""
    if base is None or new is None:
        return None
    return "BIGGER" if grown(base, new) else "SMALLER" if grown(new, base) else None
