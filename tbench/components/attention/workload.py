"""An attention case, set up: what the worker times, and how it is checked."""

from __future__ import annotations

from typing import Any

import torch

from tbench.components.attention import formulas, oracle
from tbench.components.attention import inputs as making
from tbench.components.attention.component import ATTENTION
from tbench.components.attention.inputs import Inputs
from tbench.components.attention.problem import Problem, layers
from tbench.components.compare import blame, require_forms
from tbench.components.data import fill
from tbench.components.registry import Kernel
from tbench.components.workload import Check
from tbench.records import Case


class Layer:
    """One layer's operation; calling it does what is timed and returns the results."""

    def __init__(self, problem: Problem, attend: Kernel, inputs: Inputs) -> None:
        self.problem, self.attend, self.inputs = problem, attend, inputs

    def __call__(self) -> tuple[Any, ...]:
        x = self.inputs
        out = self.attend(x.q, x.k, x.v)
        if x.grad is None:
            return (out,)
        try:  # costs nothing where nothing is raised
            return (out, *torch.autograd.grad(out, (x.q, x.k, x.v), x.grad))
        except Exception as failure:
            blame([out], {"q": x.q}, failure)
            raise

    def check(self, seed: int) -> Check:
        """Compare with the oracle on fresh data. The gradient of the output is 0 outside the sampled rows.

        Raises Malformed.
        """
        x, generator = self.inputs, torch.Generator(self.problem.device).manual_seed(seed)
        x.fill(generator)
        sample = oracle.draw(self.problem, seed)
        named = {"q": x.q, "k": x.k, "v": x.v}
        if x.grad is not None:
            sampled = torch.zeros_like(x.grad)
            canonical = x.canonical(sampled)
            for batch, head in sample.heads:
                group = slice(head * self.problem.group, (head + 1) * self.problem.group)
                canonical[batch, group, sample.rows] = x.canonical(x.grad)[batch, group, sample.rows]
            x.grad.copy_(sampled)
            named["grad"] = x.grad
        view = x.canonical
        try:
            found = self()
            require_forms(found[:1], {"q": x.q})
            results = dict(zip(("out", "dq", "dk", "dv"), found, strict=False))
            return oracle.compare(
                self.problem,
                sample,
                {name: view(tensor) for name, tensor in named.items()},
                {name: view(tensor) for name, tensor in results.items()},
            )
        finally:
            if x.grad is not None:
                fill(x.grad, generator)


class AttentionWorkload:
    """See `tbench.components.workload.Workload`. A stack of layers shares q, and k and v except in decode."""

    def __init__(self, case: Case, seed: int) -> None:
        variant = ATTENTION.variant_of(case)
        problems = layers(case)
        inputs: Inputs | None = None
        self.steps: list[Layer] = []
        kernels: dict[str, tuple[Problem, Kernel]] = {}
        for one in problems:
            alike = f"{one.pattern.text} {one.keys}"  # layers of the same pattern use one kernel
            if alike not in kernels:
                kernels[alike] = (one, variant.factory(one))
            problem, attend = kernels[alike]
            if inputs is None or problem.decode:
                inputs = making.make(problem, variant.layout, None if inputs is None else inputs.q)
                inputs.fill(torch.Generator(problem.device).manual_seed(seed))
            self.steps.append(Layer(problem, attend, inputs))
        self.problems = problems
        self.layers = len(problems)
        self.call: Any = self.steps[0] if self.layers == 1 else self.stack
        self.ran = " + ".join(dict.fromkeys(problem.ran or variant.name for problem, _ in kernels.values()))
        notes = [note for problem, _ in kernels.values() for note in problem.notes]
        if self.layers > 1:
            notes.append(f"mean of a stack of {self.layers} layers, one of them full")
        self.notes = tuple(dict.fromkeys(notes))
        held = sum(tensor.nbytes for problem, _ in kernels.values() for tensor in problem.held)
        self.resident_bytes = formulas.resident_bytes(case) + held

    def stack(self) -> None:
        for step in self.steps:
            step()

    def check(self, seed: int) -> Check:
        """The worst of all layers."""
        checks = [step.check(seed + index) for index, step in enumerate(self.steps)]
        failed = [check for check in checks if not check.passed]
        return failed[0] if failed else max(checks, key=lambda check: check.error)

    def close(self) -> None:
        """Leave the contexts the variant needs, the last entered first: each restores what it found."""
        for step in reversed(self.steps):
            step.problem.contexts.close()
