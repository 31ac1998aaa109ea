"""Where a worker's memory lies, by chance: so that no side of a comparison is lucky in it for a whole run.

Where code, stack and heap lie can change a time by more than the change that is looked for (Mytkowicz, Diwan, Hauswirth
& Sweeney 2009, who moved the stack by the size of the environment; Curtsinger & Berger 2013). A worker is forked, not
executed: the system's own randomisation was done once, for the server, and every worker inherits its addresses and its
environment. What loading another checkout's files moves, it moves in every worker of that side: a bias. A worker that
is scattered is moved by chance besides, so that it becomes a part of the noise, which is measured.

    heap     tensors of small sizes that stay, of each as many as it happens: they take the places that were free, and
             what is allocated next lies in another one; and one of any size, by which what comes after it is moved
    maps     a mapping of a random number of pages that stays, never touched: later ones, large tensors among them and
             the stacks of threads, lie elsewhere
    stack    calls are made below a random number of C frames

Libraries are where the server has them: that needs a new server. Nothing of this is resident, or counts for a case.
"""

from __future__ import annotations

import mmap
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

SIZES = tuple(2**power for power in range(6, 14))  # in bytes: less than what the allocator would map on its own
BLOCKS = 64  # of a size, at most: a MiB in all at the very most
STEP, STEPS = 64, 1900  # bytes of the one of any size: cache lines, below what the allocator would map
PAGES = 4096  # at most: 16 MiB, more than the holes that loading libraries leaves between mappings
DEPTH = 32

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Scattering:
    """What keeps its place for the life of a process, and how deep its calls are made."""

    depth: int
    blocks: tuple[torch.Tensor, ...]
    pages: mmap.mmap


def drawn() -> Scattering:
    """Another one in every process, whatever the state of its other random numbers, which it leaves alone."""
    chance = random.SystemRandom()
    sizes = [*(size for size in SIZES for _ in range(chance.randrange(BLOCKS))), STEP * chance.randrange(1, STEPS)]
    blocks = tuple(torch.empty(size, dtype=torch.uint8) for size in sizes)
    pages = mmap.mmap(-1, mmap.PAGESIZE * (1 + chance.randrange(PAGES)))
    return Scattering(chance.randrange(DEPTH), blocks, pages)


def below(depth: int, call: Callable[[], Answer]) -> Answer:
    """What `call` gives, made below so many calls through C: Python's own frames do not lie on the stack."""

    def deeper(left: int) -> Answer:
        return call() if left == 0 else next(map(deeper, (left - 1,)))

    return deeper(depth)
