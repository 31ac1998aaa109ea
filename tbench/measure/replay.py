"""A case's calls as a CUDA graph, captured once and replayed: what serving engines run.

What capture does not see (work on another stream, or a result computed on the host) is done once, while capturing, and
never again. So it is the replay's result that is compared with the oracle, after its inputs have been given new
contents in place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tbench.components.workload import Call, Check, Expectation, Workload
from tbench.errors import Unsupported
from tbench.measure.cuda import CudaDevice

WARM_CALLS = 3  # of every set before capture, on the stream that captures (PyTorch, "CUDA Graphs")
LARGEST_POOL = 2**30  # bytes that a graph may keep from the processes beside it


class Replayed:
    """A workload whose one call replays a graph of `unrolled` calls, through all sets of inputs in turn.

    See `tbench.components.workload.Workload`; `pool_bytes`: what the graph holds for the results of its calls.
    """

    overwrites = False

    def __init__(self, inner: Workload, graph: Any, results: Any, unrolled: int, pool_bytes: int) -> None:
        self.inner, self.graph, self.results, self.pool_bytes = inner, graph, results, pool_bytes
        self.last = (unrolled - 1) % len(inner.calls)
        self.layers = inner.layers * unrolled
        self.ran, self.notes, self.resident_bytes = inner.ran, inner.notes, inner.resident_bytes
        self.calls: Sequence[Call] = [self.replay]

    def replay(self) -> Any:
        """What the last of its calls gives, in the place where the graph always puts it."""
        self.graph.replay()
        return self.results

    def check(self, seed: int) -> Check:
        return self.inner.check(seed)

    def expect(self, index: int, seed: int) -> Expectation:
        return self.inner.expect(self.last, seed)

    def nudge(self, index: int) -> None:
        """The set whose result is seen is enough: a replay does the same work whatever its inputs hold."""
        self.inner.nudge(self.last)

    def close(self) -> None:
        self.graph.reset()
        self.inner.close()


def captured(device: CudaDevice, inner: Workload, calls: int) -> Replayed:
    """`calls` calls or some more, so that every set of inputs comes equally often. The device's current stream must be
    the one on which the workload was set up and called first: a backward pass remembers it. Raises Unsupported."""
    if inner.overwrites:
        raise Unsupported("launch: graph: the kernel writes over its inputs, and a replay would find them overwritten")
    cuda, sets = device.cuda, len(inner.calls)
    unrolled = sets * math.ceil(calls / sets)
    for _ in range(WARM_CALLS):
        for call in inner.calls:
            call()
    device.synchronize()
    device.release()
    before = cuda.memory_reserved(device.index)
    graph = cuda.CUDAGraph()
    try:
        with cuda.graph(graph, stream=cuda.current_stream(device.index), capture_error_mode="thread_local"):
            for index in range(unrolled):
                results = inner.calls[index % sets]()
    except Exception as problem:  # whatever CUDA or the kernel raises under capture
        said = str(problem).strip().splitlines()
        raise Unsupported(
            f"cannot be captured as a CUDA graph: {said[0] if said else type(problem).__name__}"
        ) from None
    pool = max(0, int(cuda.memory_reserved(device.index)) - int(before))
    if pool > LARGEST_POOL:
        graph.reset()
        raise Unsupported(
            f"launch: graph: its graph would hold {pool / 2**30:.1f} GiB between turns; calls that large take the same "
            "time queued ahead"
        )
    return Replayed(inner, graph, results, unrolled, pool)
