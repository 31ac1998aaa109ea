"""An attention case, set up: what the worker times, and how it is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tbench.components.attention import formulas, oracle
from tbench.components.attention import inputs as making
from tbench.components.attention.inputs import Inputs
from tbench.components.attention.problem import AttentionProblem
from tbench.components.compare import blame, own, require_forms, require_untouched
from tbench.components.data import fill
from tbench.components.registry import Kernel, Variant
from tbench.components.workload import Check


class Layer:
    """One layer's operation on one set of inputs; calling it does what is timed and returns the results."""

    def __init__(self, problem: AttentionProblem, attend: Kernel, inputs: Inputs) -> None:
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

    def expect(self, seed: int, hard: bool) -> Expectation:
        """Refill the inputs, and say what the next call should give."""
        x, generator = self.inputs, torch.Generator(self.problem.device).manual_seed(seed)
        held = x.fill(generator, making.KEY_MEAN if hard else 0.0)
        large = making.large_queries(self.problem, seed) if hard else None
        if large is not None:
            x.enlarge(large)
            held["q"] = x.q.detach().clone()
        sample = oracle.draw(self.problem, seed)
        if x.grad is not None:
            self.keep_sampled(sample, large)
            held["grad"] = x.grad.clone()
        view = {name: x.canonical(one) for name, one in x.named().items()}
        return Expectation(self, oracle.expected(self.problem, sample, view, large), held, generator)

    def keep_sampled(self, sample: oracle.Sample, large: Tensor | None) -> None:
        """Set the gradient of the output to 0 but for the sampled rows: those of k and v then follow from these alone.

        Rows with large scores have no gradient either: theirs would drown the others' in k's.
        """
        x = self.inputs
        assert x.grad is not None
        sampled = torch.zeros_like(x.grad)
        canonical = x.canonical(sampled)
        for batch, head in sample.heads:
            group = oracle.group_of(self.problem, head)
            canonical[batch, group, sample.rows] = x.canonical(x.grad)[batch, group, sample.rows]
        if large is not None:
            canonical.masked_fill_(large[:, :, None], 0)
        x.grad.copy_(sampled)


class Expectation:
    """See `tbench.components.workload.Expectation`."""

    def __init__(
        self, layer: Layer, expected: oracle.Expected, held: Mapping[str, Tensor], generator: torch.Generator
    ) -> None:
        self.layer, self.expected, self.held, self.generator = layer, expected, held, generator

    def compare(self, results: Sequence[Any]) -> Check:
        x = self.layer.inputs
        require_forms(results[:1], {"q": x.q})
        require_untouched(x.changed(self.held))
        named = dict(zip(("out", "dq", "dk", "dv"), map(own, results), strict=False))
        return self.expected.compare({name: x.canonical(tensor) for name, tensor in named.items()})

    def done(self) -> None:
        if self.layer.inputs.grad is not None:
            fill(self.layer.inputs.grad, self.generator)


class AttentionWorkload:
    """See `tbench.components.workload.Workload`. A stack of layers shares q, and k and v except in decode."""

    overwrites = False

    def __init__(self, problems: Sequence[AttentionProblem], variant: Variant, seed: int, sets: int = 1) -> None:
        kernels: dict[str, tuple[AttentionProblem, Kernel]] = {}
        for one in problems:  # layers of the same pattern use one kernel
            if alike(one) not in kernels:
                kernels[alike(one)] = (one, variant.factory(one))
        self.generator = torch.Generator(problems[0].device).manual_seed(seed)
        self.sets = [self.made([kernels[alike(one)] for one in problems], variant.layout) for _ in range(sets)]
        self.problems = problems
        self.layers = len(problems)
        self.calls: Sequence[Callable[[], Any]] = [
            steps[0] if self.layers == 1 else partial(stack, steps) for steps in self.sets
        ]
        self.ran = " + ".join(dict.fromkeys(problem.ran or variant.name for problem, _ in kernels.values()))
        notes = [note for problem, _ in kernels.values() for note in problem.notes]
        if self.layers > 1:
            notes.append(f"mean of a stack of {self.layers} layers, one of them full")
        self.notes = tuple(dict.fromkeys(notes))
        held = sum(tensor.nbytes for problem, _ in kernels.values() for tensor in problem.held)
        self.resident_bytes = formulas.resident_bytes(problems) + held
        self.contexts = [problem.contexts for problem, _ in kernels.values()]

    def made(self, kernels: Sequence[tuple[AttentionProblem, Kernel]], layout: str) -> list[Layer]:
        """The layers of one set of inputs."""
        inputs: Inputs | None = None
        steps = []
        for problem, attend in kernels:
            if inputs is None or problem.decode:
                inputs = making.make(problem, layout, None if inputs is None else inputs.q)
                inputs.fill(self.generator)
            steps.append(Layer(problem, attend, inputs))
        return steps

    @property
    def call(self) -> Callable[[], Any]:
        return self.calls[0]

    def check(self, seed: int) -> Check:
        """The worst of all layers."""
        checks = []
        for index, step in enumerate(self.sets[0]):
            expectation = step.expect(seed + index, hard=True)
            try:
                checks.append(expectation.compare(step()))
            finally:
                step.inputs.fill(self.generator)  # what is timed is ordinary data
        failed = [check for check in checks if not check.passed]
        return failed[0] if failed else max(checks, key=lambda check: check.error)

    def expect(self, index: int, seed: int) -> Expectation:
        """Of a stack, the last layer's."""
        return self.sets[index][-1].expect(seed, hard=False)

    def nudge(self, index: int) -> None:
        for step in self.sets[index]:
            step.inputs.nudge(self.generator)

    def close(self) -> None:
        """Leave the contexts the variant needs, the last entered first: each restores what it found."""
        for contexts in reversed(self.contexts):
            contexts.close()


def alike(problem: AttentionProblem) -> str:
    return f"{problem.pattern.text} {problem.keys}"


def stack(steps: Sequence[Layer]) -> Any:
    """All layers, one after the other; the results of the last."""
    for step in steps[:-1]:
        step()
    return steps[-1]()
