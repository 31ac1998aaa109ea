"""A plain Python process with `torch.utils.benchmark`, for `agreement.py`: nothing of tbench's workers is in it.

    python bench/plain.py CASE THREADS ALLOCATOR

CASE is a case as JSON. For every number of seconds on a line of stdin, one line on stdout: the median of
`Timer.blocked_autorange` with that `min_run_time`, in seconds. In between the process sleeps.
"""

from __future__ import annotations

import sys

import torch
from operations import call
from torch.utils.benchmark import Timer


def main(described: str, threads: int, allocator: str) -> None:
    torch.set_num_threads(threads)
    timer = Timer("call()", globals={"call": call(described, allocator)}, num_threads=threads)
    print("ready", flush=True)
    for line in sys.stdin:
        print(timer.blocked_autorange(min_run_time=float(line)).median, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
