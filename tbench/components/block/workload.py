"""A block, set up: what the worker times, and how it is checked."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tbench.components.block import formulas, reference
from tbench.components.block.component import BLOCK
from tbench.components.block.design import Design
from tbench.components.block.model import ATTENTION, Block
from tbench.components.compare import LIMITS, blame, require_form, row_error
from tbench.components.data import fill
from tbench.components.workload import Check
from tbench.records import Case

MOST_ROWS = 16
CHAIN = 2.0  # of the limit of a single operation: a block is a chain of them
SMALLEST_ROW = {"result": 0.1, "gradient": 1.0}  # of the root mean square row, as in attention's oracle


class BlockWorkload:
    """See `tbench.components.workload.Workload`."""

    layers = 1
    notes: tuple[str, ...] = ()

    def __init__(self, case: Case, seed: int) -> None:
        self.design = design = Design.of(case)
        self.x = self.empty(design.batch, design.queries, design.hidden)
        self.w = {name: self.empty(*size) for name, size in design.weights().items()}
        self.grad = torch.empty_like(self.x, requires_grad=False) if design.backward else None
        size = (design.batch, design.kv_heads, design.seq_len, design.head_dim)
        self.cache = (self.empty(*size), self.empty(*size)) if design.decode else None
        self.attend = BLOCK.variant_of(case).factory(design)
        self.block = Block(design, self.attend, self.cache)
        self.ran = str(case["kernel"])
        self.resident_bytes = formulas.resident_bytes(design)
        self.fill(torch.Generator(design.device).manual_seed(seed))

    def empty(self, *size: int) -> Tensor:
        d = self.design
        return torch.empty(size, dtype=getattr(torch, d.dtype), device=d.device, requires_grad=d.backward)

    def fill(self, generator: torch.Generator) -> None:
        """x, cache and gradient of standard size; matrices so that a product keeps the size of its input."""
        for x in (self.x, *(self.cache or ()), *([] if self.grad is None else [self.grad])):
            fill(x, generator)
        for weight in self.w.values():
            fill(weight, generator)
            with torch.no_grad():
                weight.mul_(weight.shape[-1] ** -0.5 if weight.dim() == 2 else 0.1)
                weight.add_(0.0 if weight.dim() == 2 else 1.0)

    def call(self) -> Any:
        out = self.block(self.x, self.w)
        if self.grad is None:
            return (out,)
        try:  # costs nothing where nothing is raised
            return (out, *torch.autograd.grad(out, (self.x, *self.w.values()), self.grad))
        except Exception as failure:
            blame([out], {"x": self.x}, failure)
            raise

    def check(self, seed: int) -> Check:
        """Compare some rows of one sequence with the reference; the gradient of the result is 0 everywhere else.

        Raises Malformed.
        """
        d, generator = self.design, torch.Generator(self.design.device).manual_seed(seed)
        self.fill(generator)
        chance = random.Random(seed)
        sequence = chance.randrange(d.batch)
        chosen = {0, d.queries - 1, *chance.sample(range(d.queries), min(d.queries, MOST_ROWS - 2))}
        rows = torch.tensor(sorted(chosen), device=d.device)
        wide = {name: weight.detach().double().requires_grad_(d.backward) for name, weight in self.w.items()}
        x = self.x[sequence].detach().double().requires_grad_(d.backward)
        cache = None if self.cache is None else (self.cache[0][sequence].double(), self.cache[1][sequence].double())
        out = reference.block(d, x, wide, rows, cache, self.active(sequence, rows))
        expected = {"out": out.detach()}
        if self.grad is not None:
            kept = torch.zeros_like(self.grad)
            kept[sequence, rows] = self.grad[sequence, rows]
            self.grad.copy_(kept)
            grads = torch.autograd.grad(out, (x, *wide.values()), self.grad[sequence, rows].double())
            expected |= {f"d{name}": grad for name, grad in zip(("x", *wide), grads, strict=True)}
        found = dict(zip(expected, self.called_watching_attention(), strict=True))
        found["out"] = found["out"][sequence, rows]
        if self.grad is not None:
            found["dx"] = found["dx"][sequence]
            fill(self.grad, generator)
        return compared(d.dtype, found, expected)

    def called_watching_attention(self) -> Any:
        """A call; what attention returns in it must have q's form, or it could still pass by being broadcast."""

        def watched(q: Tensor, k: Tensor, v: Tensor) -> Any:
            out = self.attend(q, k, v)
            require_form(ATTENTION, out, q)
            return out

        self.block.attend = watched
        try:
            return self.call()
        finally:
            self.block.attend = self.attend

    def active(self, sequence: int, rows: Tensor) -> Tensor | None:
        """Which units of the rows ReLU lets through, as the case's own dtype decides."""
        if self.design.gated or self.grad is None:
            return None
        watched = Watched(self.design, self.attend, self.cache)
        watched(self.x, self.w)
        return watched.seen[sequence, rows]

    def close(self) -> None:
        """Nothing outlives a call but what the attention inside has entered, which ends with the process."""


class Watched(Block):
    """The same block; remembers which units came through its activation."""

    def activated(self, x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
        out = super().activated(x, w)
        self.seen = out.detach() > 0
        return out


def compared(dtype: str, found: dict[str, Tensor], expected: dict[str, Tensor]) -> Check:
    """The worst of the result and all gradients. A vector is one row."""
    worst = Check(0.0, CHAIN * LIMITS[dtype])
    for name, truth in expected.items():
        smallest = SMALLEST_ROW["result" if name == "out" else "gradient"]
        error = row_error(torch.atleast_2d(found[name].detach().double()), torch.atleast_2d(truth), smallest)
        if math.isnan(error) or error > worst.error:
            worst = Check(error, worst.limit, f"in {name}")
        if math.isnan(error):
            break
    return worst
