"""How many sets of inputs a case is timed on. No torch.

With one set, a kernel that remembers its last result would be the fastest of all, so timed calls go through several,
unless these would drive each other out of the last-level cache, where one alone stays in it: a hot row shall be hot.
Cold, they are so many that a call finds nothing of its own in that cache: twice the cache lies between two uses of a
set, as a model's other layers do.
"""

from __future__ import annotations

import math

from tbench.records import Sampling, Work

HOT = 3
HOT_SHARE = 0.5  # of the last-level cache that several hot sets may take
COLD = 2.0  # times the last-level cache
MOST = 4096


def count(work: Work, phase: str, sampling: Sampling, cache_bytes: int, room: int) -> int:
    """Sets of inputs for a case whose call moves `work.bytes`; beyond the first, `room` bytes may be used for them."""
    wanted = HOT
    if sampling.cold(phase):
        wanted = max(HOT, math.ceil(COLD * cache_bytes / max(1.0, work.bytes)))
    elif HOT * work.bytes > HOT_SHARE * cache_bytes and work.bytes <= cache_bytes:
        wanted = 1
    return max(1, min(MOST, wanted, at_most(work, room)))


def at_most(work: Work, room: int) -> int:
    """The first set, and as many as `room` takes beside it. A cache that is read in part takes all its room."""
    return 1 + int(room // max(1.0, work.bytes, work.kv_cache_bytes or 0))


def warm(work: Work, phase: str, sampling: Sampling, cache_bytes: int, sets: int) -> bool:
    """Whether inputs are asked for cold, and are not: there was no room for as many sets as that takes."""
    return sampling.cold(phase) and sets * work.bytes < cache_bytes
