"""One operation timed once by a harness that lives in one process, for `peers.py`.

    python bench/once.py HARNESS CASE THREADS ALLOCATOR

CASE is a case as JSON. Prints one line of JSON: `estimate` in seconds, as the harness puts it first, and `spread`, what
it says about its accuracy, in words.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from operations import call
from torch.utils.benchmark import Measurement, Timer

Call = Callable[[], Any]


def blocked_autorange(once: Call) -> dict[str, Any]:
    return of_torch(timer(once).blocked_autorange())


def adaptive_autorange(once: Call) -> dict[str, Any]:
    return of_torch(timer(once).adaptive_autorange())


def timer(once: Call) -> Timer:
    return Timer("call()", globals={"call": once}, num_threads=torch.get_num_threads())


def of_torch(measured: Measurement) -> dict[str, Any]:
    return {"estimate": measured.median, "spread": f"IQR {measured.iqr:.3g} s in {len(measured.times)} blocks"}


def do_bench(once: Call) -> dict[str, Any]:
    from triton.testing import do_bench

    milliseconds = do_bench(once, return_mode="all")
    return {"estimate": sum(milliseconds) / len(milliseconds) * 1e-3, "spread": f"{len(milliseconds)} samples"}


def cuda_bench(once: Call) -> dict[str, Any]:
    """NVBench stops by itself. What it prints first is cold: the L2 cache is flushed before every call."""
    import cuda.bench as nvbench

    def operation(state: Any) -> None:
        def launch(launched: Any) -> None:
            with torch.cuda.stream(torch.cuda.ExternalStream(launched.get_stream().addressof())):
                once()

        state.exec(launch, batched=False)

    nvbench.register(operation)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nvbench.json"
        nvbench.run_all_benchmarks([sys.argv[0], "--json", str(file)])
        return of_nvbench(json.loads(file.read_text()))


def of_nvbench(found: Mapping[str, Any]) -> dict[str, Any]:
    summaries = {one["tag"]: one["data"] for one in found["benchmarks"][0]["states"][0]["summaries"]}

    def value(tag: str) -> float:
        return float(next(one["value"] for one in summaries[tag] if one["name"] == "value"))

    noise = value("nv/cold/time/gpu/stdev/relative")
    return {"estimate": value("nv/cold/time/gpu/mean"), "spread": f"standard deviation {noise:.2%}"}


HARNESSES: dict[str, Callable[[Call], dict[str, Any]]] = {
    "torch": blocked_autorange,
    "torch-adaptive": adaptive_autorange,
    "do_bench": do_bench,
    "cuda-bench": cuda_bench,
}


if __name__ == "__main__":
    harness, described, threads, allocator = sys.argv[1:]
    torch.set_num_threads(int(threads))
    answer = HARNESSES[harness](call(described, allocator))
    print(json.dumps(answer))
