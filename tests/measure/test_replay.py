"""CUDA graphs: captured on a fake of `torch.cuda` that records launches and their effects, and replays them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tbench.components.workload import Check
from tbench.errors import Unsupported
from tbench.measure.ahead import Pace
from tbench.measure.replay import LARGEST_POOL, WARM_CALLS, captured
from tbench.measure.sampler import Ring
from tests.measure.fakes import FakeCuda
from tests.measure.test_ahead import TURN, opened

KERNEL = 5e-6
SLOW_PYTHON = 40e-6


class CapturingCuda(FakeCuda):
    """Work has an effect. While capturing, what is launched on the current stream is noted, not done; other streams
    go on as ever, and waiting is an error, as in CUDA. `pool`: bytes that a captured call takes from the driver."""

    def __init__(self, pool: int = 0) -> None:
        super().__init__(launch_seconds=SLOW_PYTHON)
        self.noted: list[tuple[float, Callable[[], None]]] | None = None
        self.pool = pool
        self.stream = "default"

    def work(self, effect: Callable[[], None], stream: str = "current") -> None:
        if self.noted is not None and stream == "current":
            self.noted.append((KERNEL, effect))
            return
        self.launch(KERNEL, stream)
        effect()

    def synchronize(self, index: int = 0) -> None:
        if self.noted is not None:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand more lines")
        super().synchronize(index)

    def set_stream(self, stream: str) -> None:
        self.stream = stream

    def Stream(self, index: int) -> str:
        return f"own stream on {index}"

    def current_stream(self, index: int) -> str:
        return self.stream

    def CUDAGraph(self) -> FakeGraph:
        return FakeGraph(self)

    @contextmanager
    def graph(self, graph: FakeGraph, stream: Any, capture_error_mode: str) -> Iterator[None]:
        assert (stream, capture_error_mode) == ("own stream on 0", "thread_local")
        self.noted = graph.nodes
        try:
            yield
        finally:
            self.noted = None
        self.reserved += self.pool


class FakeGraph:
    def __init__(self, cuda: CapturingCuda) -> None:
        self.cuda, self.nodes, self.was_reset = cuda, [], False  # type: ignore[var-annotated]

    def replay(self) -> None:
        self.cuda.host += SLOW_PYTHON  # one submission for all of them
        at = max(self.cuda.free_at["current"], self.cuda.host)
        for seconds, effect in self.nodes:
            effect()
            at += seconds
        self.cuda.free_at["current"] = at

    def reset(self) -> None:
        self.was_reset = True


class Doubling:
    """A workload on numbers: a call puts twice its input into a buffer, where the next call puts its own."""

    layers, ran, notes, resident_bytes, overwrites = 1, "double", (), 8, False

    def __init__(self, cuda: CapturingCuda, sets: int, how: str = "honest") -> None:
        self.cuda, self.how = cuda, how
        self.inputs = [float(index) for index in range(sets)]
        self.buffers = [[0.0] for _ in range(sets)]
        self.made = 0
        self.calls = [self.call(index) for index in range(sets)]

    def call(self, index: int) -> Callable[[], list[float]]:
        def called() -> list[float]:
            self.made += 1

            def effect() -> None:
                self.buffers[index][0] = 2 * self.inputs[index]

            if self.how == "waits":
                self.cuda.synchronize()
            self.cuda.work(effect, "other" if self.how == "elsewhere" else "current")
            return self.buffers[index]

        return called

    def check(self, seed: int) -> Check:
        return Check(0.0, 1.0)

    def expect(self, index: int, seed: int) -> Any:
        self.inputs[index] = float(seed)
        right = 2.0 * seed
        return SimpleNamespace(compare=lambda results: Check(abs(results[0] - right), 0.5), done=lambda: None)

    def nudge(self, index: int) -> None:
        self.inputs[index] += 1

    def close(self) -> None:
        pass


def made(how: str = "honest", sets: int = 3, calls: int = 10, pool: int = 0) -> tuple[Any, CapturingCuda, Any]:
    cuda = CapturingCuda(pool)
    device = opened(cuda)
    device.use_own_stream()
    inner = Doubling(cuda, sets, how)
    return captured(device, inner, calls), cuda, device


def test_a_graph_goes_through_all_sets_equally_often_after_warming_each() -> None:
    replayed, _, _ = made(sets=3, calls=10)
    assert replayed.layers == 12
    assert len(replayed.graph.nodes) == 12
    assert replayed.inner.made == 3 * WARM_CALLS + 12


def test_a_replay_is_the_devices_time_with_one_submission_for_all_calls() -> None:
    replayed, _, device = made(sets=3, calls=12)
    pace = Pace(device, Ring(replayed.calls, replayed.nudge), 1, "ahead")
    pace.settle()
    samples = pace.turn(TURN, None, False, False)
    assert samples.clock == "ahead"
    assert [one / replayed.layers for one in samples.seconds] == pytest.approx([KERNEL] * len(samples.seconds))


@pytest.mark.parametrize(("how", "right"), [("honest", True), ("elsewhere", False)])
def test_the_replay_is_checked_on_new_inputs(how: str, right: bool) -> None:
    """Work on another stream is done once, at capture: its replay gives what it gave then, and that is `wrong`."""
    replayed, _, device = made(how)
    checks = []
    judge = SimpleNamespace(
        expect=lambda index: checks.append(replayed.expect(index, 77)),
        compare=lambda results: checks.append(checks.pop().compare(results)),
    )
    ring = Ring(replayed.calls, replayed.nudge)
    judge.expect(ring.last(1))
    judge.compare(device.time(ring.take(1, nudge=False), 1).result)
    assert [check.passed for check in checks] == [right]


def test_a_call_that_waits_cannot_be_captured_and_says_why() -> None:
    with pytest.raises(Unsupported) as refused:
        made("waits")
    said = str(refused.value)
    assert said.startswith("cannot be captured as a CUDA graph: CUDA error: operation not permitted")
    assert "\n" not in said


def test_the_graphs_memory_is_told_and_limited() -> None:
    replayed, _, _ = made(pool=5 << 20)
    assert replayed.pool_bytes == 5 << 20
    with pytest.raises(Unsupported, match=r"would hold 2\.0 GiB between turns"):
        made(pool=2 * LARGEST_POOL)


def test_a_kernel_that_writes_over_its_inputs_is_not_replayed() -> None:
    cuda = CapturingCuda()
    inner: Any = Doubling(cuda, 1)
    inner.overwrites = True
    with pytest.raises(Unsupported, match="writes over its inputs"):
        captured(opened(cuda), inner, 1)


def test_closing_gives_the_graph_back() -> None:
    replayed, _, _ = made()
    replayed.close()
    assert replayed.graph.was_reset
