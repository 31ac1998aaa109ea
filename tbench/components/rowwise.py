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
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tbench.components.compare import LIMITS, blame, require_forms, row_error
from tbench.components.data import fill
from tbench.components.registry import Kernel
from tbench.components.setting import Setting
from tbench.components.workload import Check

MOST_ROWS = 64
SMALLEST_ROW = {"result": 0.1, "gradient": 1.0}  # of the root mean square row, as in attention's oracle
# An input may lie so close to a kink (ReLU's 0) that rounding decides on which side: such rows are not sampled.
Smooth = Callable[[Tensor, Mapping[str, Tensor]], Tensor]
# (float64 rows by input name, float64 parameters, row numbers by input name) → results in the order of the inputs
Reference = Callable[[Mapping[str, Tensor], Mapping[str, Tensor], Mapping[str, Tensor]], Sequence[Tensor]]


@dataclass(frozen=True)
class Operation:
    """What is computed, whatever the variant.

    `inputs`: sizes by name, (…, width). `parameters`: by name, size and standard deviation (1/√width keeps a product at
    the size of its input). `smooth`: which of some rows of an input have a derivative that rounding does not decide;
    None: all of them.
    """

    inputs: Mapping[str, tuple[int, ...]]
    reference: Reference
    parameters: Mapping[str, tuple[tuple[int, ...], float]]
    smooth: Smooth | None = None


class RowWise:
    """A case, set up: see `tbench.components.workload.Workload`."""

    layers = 1
    kv_cache_bytes = None

    def __init__(self, setting: Setting, operation: Operation, kernel: Kernel, seed: int) -> None:
        self.setting, self.operation, self.kernel = setting, operation, kernel
        self.inputs = {name: self.empty(size) for name, size in operation.inputs.items()}
        self.parameters = {name: self.empty(size) for name, (size, _) in operation.parameters.items()}
        self.learning = (*self.inputs.values(), *self.parameters.values())
        self.grads = [torch.empty_like(x, requires_grad=False) for x in self.inputs.values() if setting.backward]
        self.fill(torch.Generator(setting.device).manual_seed(seed))
        self.ran = str(setting.case["kernel"])
        self.notes = tuple(setting.notes)
        everything = (*self.learning, *self.grads, *setting.held)
        self.resident_bytes = sum(x.nbytes for x in everything)

    def empty(self, size: tuple[int, ...]) -> Tensor:
        s = self.setting
        return torch.empty(size, dtype=getattr(torch, s.dtype), device=s.device, requires_grad=s.backward)

    def fill(self, generator: torch.Generator) -> None:
        for x in (*self.inputs.values(), *self.grads):
            fill(x, generator)
        for name, (_, deviation) in self.operation.parameters.items():
            fill(self.parameters[name], generator)
            with torch.no_grad():
                self.parameters[name].mul_(deviation)

    def call(self) -> tuple[Tensor, ...]:
        """Results, and with a backward pass the gradients of all inputs and parameters. This is what is timed."""
        out = self.kernel(*self.learning)
        results = out if isinstance(out, tuple) else (out,)
        if not self.grads:
            return results
        try:  # costs nothing where nothing is raised
            return (*results, *torch.autograd.grad(results, self.learning, self.grads))
        except Exception as failure:
            blame(results, self.inputs, failure)
            raise

    def check(self, seed: int) -> Check:
        """Compare a sample of rows with the reference, on fresh data. Raises Malformed."""
        generator = torch.Generator(self.setting.device).manual_seed(seed)
        self.fill(generator)
        rows = {name: self.draw(name, seed) for name in self.inputs}
        for grad, name in zip(self.grads, self.inputs, strict=False):
            keep_only(grad, rows[name])
        expected = self.expected(rows)  # before the call: a kernel may write over its inputs
        kinds = ("", "d") if self.grads else ("",)
        names = [f"{kind}{name}" for kind in kinds for name in (*self.inputs, *(self.parameters if kind else ()))]
        try:
            found = self.call()
            require_forms(found[: len(found) - len(names) + len(self.inputs)], self.inputs)
            return self.compare(rows, expected, dict(zip(names, found, strict=True)))
        finally:
            self.fill(generator)

    def draw(self, name: str, seed: int) -> Tensor:
        """Numbers of the rows of an input that are compared: always the first and the last, where they are smooth."""
        x = self.inputs[name].detach().flatten(0, -2)
        chosen = {0, len(x) - 1, *random.Random(seed).sample(range(len(x)), min(len(x), MOST_ROWS - 2))}
        rows = torch.tensor(sorted(chosen), device=x.device)
        if self.operation.smooth is None:
            return rows
        return rows[self.operation.smooth(x[rows].double(), doubled(self.parameters))]

    def expected(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Results by the name of their input, gradients with a d before it, all in float64."""
        inputs = doubled({name: x.detach().flatten(0, -2)[rows[name]] for name, x in self.inputs.items()})
        parameters = doubled(self.parameters)
        with torch.set_grad_enabled(bool(self.grads)):
            learning = [x.requires_grad_(bool(self.grads)) for x in (*inputs.values(), *parameters.values())]
            results = list(self.operation.reference(inputs, parameters, rows))
        named = dict(zip(self.inputs, results, strict=True))
        if self.grads:
            pairs = zip(self.grads, rows.values(), strict=True)
            grads = torch.autograd.grad(results, learning, [g.flatten(0, -2)[r].double() for g, r in pairs])
            named |= {f"d{name}": grad for name, grad in zip((*inputs, *parameters), grads, strict=True)}
        return {name: x.detach() for name, x in named.items()}

    def compare(self, rows: Mapping[str, Tensor], expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Check:
        """The worst of all results and gradients."""
        worst = Check(0.0, LIMITS[self.setting.dtype])
        gradients = {f"d{name}": chosen for name, chosen in rows.items()}
        for name, truth in expected.items():
            x, kind = found[name].detach(), "result" if name in rows else "gradient"
            if name in rows or name in gradients:
                x = x.flatten(0, -2)
                if name in gradients and bool(without(x, gradients[name]).any()):
                    return replace(worst, error=math.inf, detail=f"in {name}, which is not 0 where the result's is")
                x = x[rows[name] if name in rows else gradients[name]]
            error = row_error(x.double(), truth, SMALLEST_ROW[kind])
            if math.isnan(error) or error > worst.error:
                worst = replace(worst, error=error, detail=f"in {name}")
            if math.isnan(error):
                break
        return worst

    def close(self) -> None:
        """Leave the contexts the variant needs."""
        self.setting.contexts.close()


def doubled(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies in float64, without history."""
    return {name: x.detach().to(torch.float64, copy=True) for name, x in tensors.items()}


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
