"""One call under torch.profiler: what its operators or kernels take, and what it allocates when. Never while timing.

On a CPU the operators' own times add up to the calls: what is not in an operator is Python and dispatch. On a GPU it is
the kernels that add up, and what is between them is a GPU that waits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

CALL = "tbench call"  # the range around each profiled call, for Perfetto and for external profilers
WARM_CALLS = 3
SECONDS = 0.3  # of calls, or one if it takes longer
MOST_CALLS = 20
MOST_POINTS = 2000  # of a picture


def profiled(call: Callable[[], Any], synchronize: Callable[[], None], cuda: bool, trace: str) -> dict[str, Any]:
    """Profile a few calls, and write the trace to the file `trace` (Chrome's format, which Perfetto opens).

    Returns plain data: `calls`, `span_seconds` (of all of them), `operators` as (name, calls, seconds, bytes), longest
    first, `between_seconds` outside of all operators or kernels, `allocations` of the last call as (seconds, bytes held
    beyond what there was before), `peak_bytes` of them.
    """
    from torch.profiler import ProfilerActivity, profile, record_function

    for _ in range(WARM_CALLS):
        call()
    synchronize()
    began = time.perf_counter()
    call()
    synchronize()
    once = time.perf_counter() - began
    calls = min(MOST_CALLS, max(1, math.ceil(SECONDS / once)))
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(activities=activities, record_shapes=True, profile_memory=True):
        call()  # what the profiler sets up once is not the call's
        synchronize()
    with profile(activities=activities, record_shapes=True, profile_memory=True) as seen:
        for _ in range(calls):
            with record_function(CALL), marked(cuda):
                call()
                synchronize()
    seen.export_chrome_trace(trace)
    events = seen.profiler.kineto_results.events()
    ranges = [(one.start_ns(), one.duration_ns()) for one in events if one.name() == CALL and on_host(one)]
    averages = seen.key_averages()
    operators = list(kernels(events) if cuda else host_operators(averages))
    span = sum(duration for _, duration in ranges) / 1e9
    if cuda:
        between = max(0.0, span - sum(one[2] for one in operators))
    else:  # what the range around a call has to itself
        between = sum(one.self_cpu_time_total for one in averages if one.key == CALL) / 1e6
    allocations = list(held(events, *ranges[-1], cuda=cuda))
    return {
        "calls": calls,
        "span_seconds": span,
        "operators": sorted(operators, key=lambda one: -one[2]),
        "between_seconds": between,
        "allocations": thinned(allocations),
        "peak_bytes": max((size for _, size in allocations), default=0),
    }


def marked(cuda: bool) -> AbstractContextManager[Any]:
    """An NVTX range, for `nsys` and `ncu` around the whole process; nothing on a CPU."""
    if not cuda:
        return nullcontext()
    import torch

    return torch.cuda.nvtx.range(CALL)


def host_operators(averages: Sequence[Any]) -> Iterator[tuple[str, int, float, int]]:
    """Each operator with the time that is its own, not that of operators it calls."""
    for one in averages:
        if one.key != CALL and one.self_cpu_time_total > 0:
            yield one.key, one.count, one.self_cpu_time_total / 1e6, one.self_cpu_memory_usage


def kernels(events: Sequence[Any]) -> Iterator[tuple[str, int, float, None]]:
    """Each kernel and copy on the device. The allocator's bytes belong to operators, not to kernels: None here."""
    found: dict[str, list[int]] = {}
    for one in events:
        if not on_host(one) and one.name() not in (CALL, "[memory]"):
            found.setdefault(one.name(), []).append(one.duration_ns())
    for name, durations in found.items():
        yield name, len(durations), sum(durations) / 1e9, None


def held(events: Sequence[Any], start: int, duration: int, cuda: bool) -> Iterator[tuple[float, int]]:
    """Bytes held beyond what there was at the start, after each allocation and release of one call."""
    changes = [
        (one.start_ns(), one.nbytes())
        for one in events
        if one.name() == "[memory]" and on_host(one) is not cuda and start <= one.start_ns() <= start + duration
    ]
    total = 0
    yield 0.0, 0
    for at, change in sorted(changes, key=lambda one: one[0]):
        total += change
        yield (at - start) / 1e9, total
    yield duration / 1e9, total


def on_host(event: Any) -> bool:
    return str(event.device_type()).endswith("CPU")


def thinned(points: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """At most as many points as a picture shows; the highest of those left out together is kept."""
    if len(points) <= MOST_POINTS:
        return points
    step = math.ceil(len(points) / MOST_POINTS)
    few = [max(points[i : i + step], key=lambda one: one[1]) for i in range(0, len(points) - 1, step)]
    return [*few, points[-1]]
