"""Operations that work on each row by itself (norms, feed-forward layers, position encodings): one workload for all.

An operation takes inputs, which consist of rows, and parameters, which all rows share; it gives for every input a
result of the same size. Since a row of the result depends on one row of the input only, the float64 reference looks at
a sample of rows. With a backward pass the gradient of the result is 0 in all others during the check, so that the
gradients of the parameters follow from the sampled rows too.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tbench.components.compare import COARSE, Rows, array, blame, own, require_forms, require_untouched, worst
from tbench.components.data import fill, holds, nudge
from tbench.components.problem import Problem
from tbench.components.registry import Kernel
from tbench.components.workload import Check

MOST_ROWS = 64
SMALLEST_ROW = {"result": 0.1, "gradient": 1.0}  # of the root mean square row, as in attention's oracle
# An input may lie so close to a kink (ReLU's 0) that rounding decides on which side: such rows are not sampled.
Smooth = Callable[[Tensor, Mapping[str, Tensor]], Tensor]
# (rows by input name, parameters, row numbers by input name) → results in the order of the inputs, in their dtype
Reference = Callable[[Mapping[str, Tensor], Mapping[str, Tensor], Mapping[str, Tensor]], Sequence[Tensor]]
# Makes the rows (rows, width) of an input, in place, as hard as they can be; says of which kind each is: (rows)
Hard = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Operation:
    """What is computed, whatever the variant.

    `inputs`: sizes by name, (…, width). `parameters`: by name, size and standard deviation (1/√width keeps a product at
    the size of its input). `reference` is the equation: in float64 the oracle, and in a case's dtype the plain
    computation, unless `plain` says that otherwise. `smooth`: which of some rows of an input have a derivative that
    rounding does not decide; None: all of them. `hard`: for data of checks. `overwrites`: a variant may write its
    results over the inputs.
    """

    inputs: Mapping[str, tuple[int, ...]]
    reference: Reference
    parameters: Mapping[str, tuple[tuple[int, ...], float]]
    plain: Reference | None = None
    smooth: Smooth | None = None
    hard: Hard | None = None
    overwrites: bool = False


class Set:
    """One set of inputs, with the gradient of the results for a backward pass; calling it does what is timed."""

    def __init__(self, work: RowWise, parameters: Mapping[str, Tensor]) -> None:
        self.kernel = work.kernel
        self.inputs = {name: work.empty(size) for name, size in work.operation.inputs.items()}
        self.parameters = parameters
        self.learning = (*self.inputs.values(), *parameters.values())
        self.grads = [torch.empty_like(x, requires_grad=False) for x in self.inputs.values() if work.problem.backward]

    def __call__(self) -> tuple[Tensor, ...]:
        """Results, and with a backward pass the gradients of all inputs and parameters."""
        out = self.kernel(*self.learning)
        results = out if isinstance(out, tuple) else (out,)
        if not self.grads:
            return results
        try:  # costs nothing where nothing is raised
            return (*results, *torch.autograd.grad(results, self.learning, self.grads))
        except Exception as failure:
            blame(results, self.inputs, failure)
            raise

    def named(self) -> dict[str, Tensor]:
        """Inputs, gradients of the results and parameters."""
        grads = dict(zip((f"the gradient of {name}" for name in self.inputs), self.grads, strict=False))
        return {**self.inputs, **grads, **self.parameters}

    def fill(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Fill all but the parameters; what each holds now."""
        return {name: fill(x, generator) for name, x in self.named().items() if name not in self.parameters}


class RowWise:
    """A case, set up: see `tbench.components.workload.Workload`.

    Sets share the parameters, as the tokens of one layer do; with cold inputs (`apart`) each has its own, as layers do.
    """

    layers = 1

    def __init__(
        self, problem: Problem, operation: Operation, kernel: Kernel, seed: int, sets: int = 1, apart: bool = False
    ) -> None:
        self.problem, self.operation, self.kernel = problem, operation, kernel
        self.generator = torch.Generator(problem.device).manual_seed(seed)
        self.overwrites = False
        self.sets: list[Set] = []
        for number in range(sets):
            mine = self.made() if apart or number == 0 else self.sets[0].parameters
            self.sets.append(Set(self, mine))
            self.sets[-1].fill(self.generator)
        self.calls: Sequence[Callable[[], Any]] = self.sets
        self.ran = str(problem.case["kernel"])
        self.notes = tuple(problem.notes)
        first = self.sets[0]
        self.resident_bytes = sum(x.nbytes for x in (*first.learning, *first.grads, *problem.held))

    def empty(self, size: tuple[int, ...]) -> Tensor:
        p = self.problem
        return torch.empty(size, dtype=getattr(torch, p.dtype), device=p.device, requires_grad=p.backward)

    def made(self) -> dict[str, Tensor]:
        """Parameters, filled."""
        parameters = {name: self.empty(size) for name, (size, _) in self.operation.parameters.items()}
        self.held = self.fill(parameters, self.generator)
        return parameters

    def fill(self, parameters: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """What each holds now."""
        every = self.operation.parameters.items()
        return {name: fill(parameters[name], generator, deviation) for name, (_, deviation) in every}

    @property
    def call(self) -> Callable[[], Any]:
        return self.calls[0]

    @property
    def inputs(self) -> dict[str, Tensor]:
        return self.sets[0].inputs

    def check(self, seed: int) -> Check:
        """Compare a sample of rows with the reference, on fresh and hard data. Raises Malformed."""
        expectation = self.expected(self.sets[0], seed, hard=True)
        try:
            return expectation.compare(self.sets[0]())
        finally:
            self.sets[0].fill(self.generator)  # what is timed is ordinary data

    def expect(self, index: int, seed: int) -> Expectation:
        return self.expected(self.sets[index], seed, hard=False)

    def nudge(self, index: int) -> None:
        one = self.sets[index]
        if self.overwrites:
            one.fill(self.generator)
        else:
            for x in (*one.inputs.values(), *one.grads):
                nudge(x, self.generator)

    def expected(self, one: Set, seed: int, hard: bool) -> Expectation:
        """Refill a set, draw rows of it, and work out what they give: results, and gradients with a d before."""
        generator = torch.Generator(self.problem.device).manual_seed(seed)
        held = one.fill(generator)
        if hard:  # what a kernel has made of the parameters before is out of date
            self.held = self.fill(one.parameters, generator)
        kinds: dict[str, Tensor] = {}
        if hard and self.operation.hard is not None:
            with torch.no_grad():
                kinds = {
                    name: self.operation.hard(x.view(-1, x.shape[-1]), generator) for name, x in one.inputs.items()
                }
        rows = {name: self.draw(one, name, seed) for name in one.inputs}
        chosen = {name: array(kind[rows[name]]).ravel() for name, kind in kinds.items()}
        for grad, name in zip(one.grads, one.inputs, strict=False):
            keep_only(grad, rows[name])
            held[f"the gradient of {name}"] = grad.clone()
        if kinds:
            held |= {name: x.detach().clone() for name, x in one.inputs.items()}
        truth = self.computed(one, rows, self.operation.reference, torch.float64)
        plain = self.computed(one, rows, self.operation.plain or self.operation.reference, None)
        named = {
            name: Rows(
                name,
                array(right),
                array(plain[name]),
                chosen.get(name.removeprefix("d")),
                SMALLEST_ROW["result" if name in rows else "gradient"],
                coarse=1.0 if name.removeprefix("d") in rows else COARSE,
            )
            for name, right in truth.items()
        }
        return Expectation(self, one, rows, named, {**self.held, **held}, generator)

    def draw(self, one: Set, name: str, seed: int) -> Tensor:
        """Numbers of the rows of an input that are compared: always the first and the last, where they are smooth."""
        x = one.inputs[name].detach().flatten(0, -2)
        chosen = {0, len(x) - 1, *random.Random(seed).sample(range(len(x)), min(len(x), MOST_ROWS - 2))}
        rows = torch.tensor(sorted(chosen), device=x.device)
        if self.operation.smooth is None:
            return rows
        return rows[self.operation.smooth(x[rows].double(), doubled(one.parameters))]

    def computed(
        self, one: Set, rows: Mapping[str, Tensor], equation: Reference, dtype: torch.dtype | None
    ) -> dict[str, Tensor]:
        """Results by the name of their input, gradients with a d before it; `dtype` None: as the inputs are."""
        inputs = converted({name: x.detach().flatten(0, -2)[rows[name]] for name, x in one.inputs.items()}, dtype)
        parameters = converted(one.parameters, dtype)
        with torch.set_grad_enabled(bool(one.grads)):
            learning = [x.requires_grad_(bool(one.grads)) for x in (*inputs.values(), *parameters.values())]
            results = list(equation(inputs, parameters, rows))
        named = dict(zip(one.inputs, results, strict=True))
        if one.grads:
            pairs = zip(one.grads, rows.values(), strict=True)
            given = [g.flatten(0, -2)[r].to(result.dtype) for (g, r), result in zip(pairs, results, strict=True)]
            grads = torch.autograd.grad(results, learning, given)
            named |= {f"d{name}": grad for name, grad in zip((*inputs, *parameters), grads, strict=True)}
        return {name: x.detach() for name, x in named.items()}

    def close(self) -> None:
        """Leave the contexts the variant needs."""
        self.problem.contexts.close()


class Expectation:
    """See `tbench.components.workload.Expectation`."""

    def __init__(
        self,
        work: RowWise,
        one: Set,
        rows: Mapping[str, Tensor],
        named: Mapping[str, Rows],
        held: Mapping[str, Tensor],
        generator: torch.Generator,
    ) -> None:
        self.work, self.set, self.rows, self.named = work, one, rows, named
        self.held, self.generator = held, generator

    def compare(self, results: Sequence[Any]) -> Check:
        names, one = list(self.named), self.set
        require_forms(results[: len(results) - len(names) + len(one.inputs)], one.inputs)
        self.require_untouched()
        return worst([self.compared(name, x) for name, x in zip(names, results, strict=True)])

    def done(self) -> None:
        for grad in self.set.grads:
            fill(grad, self.generator)

    def require_untouched(self) -> None:
        """Raises Malformed where the call has written over what is not its own to overwrite."""
        changed = [name for name, x in self.set.named().items() if not holds(x, self.held[name])]
        if changed and self.work.operation.overwrites and set(changed) <= set(self.set.inputs):
            self.work.overwrites = True
        else:
            require_untouched(changed)

    def compared(self, name: str, found: Tensor) -> Check:
        """One result, or gradient, in the sampled rows; a gradient must be 0 in all others."""
        found, source = own(found), name if name in self.rows else name.removeprefix("d")
        if source in self.rows:
            found = found.flatten(0, -2)
            if name not in self.rows and bool(without(found, self.rows[source]).any()):
                return Check(math.inf, 0.0, f"in {name}: not 0 in rows whose output gradient is 0")
            found = found[self.rows[source]]
        return self.named[name].compare(found, self.work.problem.case.arithmetic)


def converted(tensors: Mapping[str, Tensor], dtype: torch.dtype | None) -> dict[str, Tensor]:
    """Copies in `dtype` (None: their own), without history."""
    return {name: x.detach().to(dtype or x.dtype, copy=True) for name, x in tensors.items()}


doubled = partial(converted, dtype=torch.float64)


def plain(kernel: Kernel) -> Reference:
    """The plain computation by a function of inputs and parameters with one result."""
    return lambda inputs, parameters, _: [kernel(*inputs.values(), *parameters.values())]


def keep_only(x: Tensor, rows: Tensor) -> None:
    """Set all rows of `x` (contiguous) but these to 0."""
    flat = x.view(-1, x.shape[-1])
    kept = flat[rows].clone()
    flat.zero_()[rows] = kept


def without(x: Tensor, rows: Tensor) -> Tensor:
    """`x` without these rows: (rows, width)."""
    outside = torch.ones(len(x), dtype=torch.bool, device=x.device)
    outside[rows] = False
    return x[outside]
