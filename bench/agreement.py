"""tbench's clock against `torch.utils.benchmark`, on the same operations, threads and process.

    python bench/agreement.py [SECONDS_PER_OPERATION]

Five operations from about 20 µs to 200 ms are timed in alternation, one visit of each harness after the other.
Prints both medians and their difference, and exits 1 if one is above 3%.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch.utils.benchmark import Timer

from tbench.measure.device import open_device
from tbench.measure.environment import pin_threads
from tbench.measure.sampler import calibrate, take_turn
from tbench.records import Sampling

VISIT_SECONDS = 0.2
LIMIT = 0.03


def operations() -> dict[str, Callable[[], torch.Tensor]]:
    torch.manual_seed(0)
    attend = torch.nn.functional.scaled_dot_product_attention
    # One thread does a sort: an operation shared by two costs about 50 µs here, most of it for waking the second.
    short = torch.randn(2560)
    row = torch.randn(2048, 1024)
    square = torch.randn(1024, 1024)
    q = torch.randn(1, 8, 1024, 64)
    long = torch.randn(1, 8, 5888, 64)
    return {
        "sort 2560": lambda: short.sort()[0],
        "layer_norm 2048x1024": lambda: torch.nn.functional.layer_norm(row, (1024,)),
        "matmul 1024^3": lambda: square @ square,
        "attention 8x1024x64": lambda: attend(q, q, q, is_causal=True),
        "attention 8x5888x64": lambda: attend(long, long, long, is_causal=True),
    }


def main(seconds: float) -> int:
    device, sampling = open_device("cpu"), Sampling()
    threads = pin_threads()
    print(f"{threads} threads, {seconds:g} s per operation, visits of {VISIT_SECONDS:g} s in alternation")
    worst = 0.0
    for name, call in operations().items():
        calls = calibrate(device, call, sampling)
        timer = Timer("call()", globals={"call": call}, num_threads=threads)
        ours: list[float] = []
        theirs: list[float] = []
        began = time.perf_counter()
        forward = True
        while time.perf_counter() - began < seconds or len(ours) < 5:
            for harness in ("ours", "theirs") if forward else ("theirs", "ours"):
                if harness == "ours":
                    ours.append(statistics.median(take_turn(device, call, calls, VISIT_SECONDS, sampling).seconds))
                else:
                    theirs.append(timer.blocked_autorange(min_run_time=VISIT_SECONDS).median)
            forward = not forward
        mine, other = statistics.median(ours), statistics.median(theirs)
        difference = mine / other - 1
        worst = max(worst, abs(difference))
        print(
            f"{name:22} tbench {mine * 1e6:10.1f} us   torch {other * 1e6:10.1f} us   {difference:+.1%}"
            f"   {len(ours)} visits"
        )
    print(f"largest difference {worst:.1%} (allowed {LIMIT:.0%})")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 8.0))
