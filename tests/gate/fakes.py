"""Two sides that measure nothing: whole gates without a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tbench.execution.executor import Executor, WorkerFailed
from tbench.gate.sides import Side, Sides
from tbench.records import Injection, Memory, Sampling
from tbench.scenario import load
from tests.execution.fakes import FakeExecutor, FakeWorker
from tests.synthetic import ENVIRONMENT

SCENARIO = """\
version: 1
name: mine
component: attention
fixed: {batch: 1, heads: 2, head_dim: 16, causal: true}
sweep:
  seq_len: [64]
  kernel: [naive, flash]
"""
PER_CALL = 1000  # injected operations that double a call's time
EQUAL = {"naive": 0.01, "flash": 0.01}


class FakeSide(FakeExecutor):
    """A fake whose calls become slower and bigger by what is injected, and which answers questions about the machine.

    `answers`: what it says to other requests; a failure is raised.
    """

    def __init__(
        self, speed: Mapping[str, float] = EQUAL, answers: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        super().__init__(dict(speed), **more)
        self.answers = {"environment": ENVIRONMENT, **(answers or {})}

    def start(self, like: Any = None, look: Any = None) -> FakeWorker:
        self.alive += 1
        return FakeSideWorker(self)


class FakeSideWorker(FakeWorker):
    executor: FakeSide

    def ask(self, do: str, timeout: float, **arguments: Any) -> Any:
        if do == "calibrate_injection":
            assert isinstance(arguments["sampling"], Sampling)  # the conditions that the case is timed under
            return [round(PER_CALL * share) for share in arguments["shares"]]
        if do in self.executor.answers:
            answer = self.executor.answers[do]
            if isinstance(answer, WorkerFailed):
                raise answer
            return answer
        if do == "prepare":
            self.injection = arguments.get("injection") or Injection()
        answer = super().ask(do, timeout, **arguments)
        if do == "turn":
            slower = 1 + self.injection.repeats / PER_CALL
            return replace(answer, seconds=tuple(slower * one for one in answer.seconds))
        if do == "finish" and answer["memory"] is not None:
            memory: Memory = answer["memory"]
            return {**answer, "memory": replace(memory, peak_bytes=2000 + self.injection.bytes)}
        return answer


def sides_of(
    folder: Path, base: Executor, new: Executor, *, base_text: str = SCENARIO, new_text: str = SCENARIO
) -> Sides:
    """Two checkouts below `folder`, with a scenario in each."""
    made = []
    for name, text, executor in (("base", base_text, base), ("new", new_text, new)):
        tree = folder / name
        tree.mkdir(exist_ok=True)
        (tree / "scenario.yaml").write_text(text)
        made.append(Side(name, load(str(tree / "scenario.yaml")), executor, ENVIRONMENT, tree))
    return Sides(*made, device="cpu", path="scenario.yaml")
