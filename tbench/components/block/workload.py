"""A block, set up: what the worker times, and how it is checked."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tbench.components.block import formulas, reference
from tbench.components.block.design import Design
from tbench.components.block.model import ATTENTION, Block
from tbench.components.compare import Rows, array, blame, loosened, own, require_form, require_untouched, worst
from tbench.components.data import fill, holds, nudge
from tbench.components.registry import Kernel, Variant
from tbench.components.workload import Check

MOST_ROWS = 16
CHAIN = 2.0  # of the limit of a single operation: a block is a chain of them
SMALLEST_ROW = {"result": 0.1, "gradient": 1.0}  # of the root mean square row, as in attention's oracle


class Set:
    """One set of inputs: x, the cache in decode, the weights; calling it does what is timed."""

    def __init__(self, work: BlockWorkload, weights: Mapping[str, Tensor]) -> None:
        design = work.design
        self.x = work.empty(design.batch, design.queries, design.hidden)
        self.w = weights
        self.grad = torch.empty_like(self.x, requires_grad=False) if design.backward else None
        size = (design.batch, design.kv_heads, design.seq_len, design.head_dim)
        self.cache = (work.empty(*size), work.empty(*size)) if design.decode else None
        self.block = Block(design, work.attend, self.cache)

    def __call__(self) -> Any:
        out = self.block(self.x, self.w)
        if self.grad is None:
            return (out,)
        try:  # costs nothing where nothing is raised
            return (out, *torch.autograd.grad(out, (self.x, *self.w.values()), self.grad))
        except Exception as failure:
            blame([out], {"x": self.x}, failure)
            raise

    def changing(self) -> list[Tensor]:
        """All but the weights."""
        return [self.x, *(self.cache or ()), *([] if self.grad is None else [self.grad])]

    def fill(self, generator: torch.Generator) -> None:
        for x in self.changing():
            fill(x, generator)

    def held(self) -> dict[str, Tensor]:
        """Copies of everything but the weights and the cache's last place, which the block writes."""
        kept = {} if self.cache is None else dict(zip("kv", (x[:, :, :-1] for x in self.cache), strict=True))
        named = {"x": self.x, **({} if self.grad is None else {"grad": self.grad}), **kept}
        return {name: x.detach().clone() for name, x in named.items()}


class BlockWorkload:
    """See `tbench.components.workload.Workload`. Sets share the weights unless they are `apart`, as layers are."""

    layers = 1
    notes: tuple[str, ...] = ()
    overwrites = False

    def __init__(self, design: Design, variant: Variant, seed: int, sets: int = 1, apart: bool = False) -> None:
        self.design = design
        self.attend: Kernel = variant.factory(design)
        self.generator = torch.Generator(design.device).manual_seed(seed)
        self.sets: list[Set] = []
        for number in range(sets):
            self.sets.append(Set(self, self.weights() if apart or number == 0 else self.sets[0].w))
            self.sets[-1].fill(self.generator)
        self.calls: Sequence[Callable[[], Any]] = self.sets
        self.ran = variant.name
        self.resident_bytes = formulas.resident_bytes(design)

    def empty(self, *size: int) -> Tensor:
        d = self.design
        return torch.empty(size, dtype=getattr(torch, d.dtype), device=d.device, requires_grad=d.backward)

    def weights(self) -> dict[str, Tensor]:
        """Matrices so that a product keeps the size of its input, scales about 1, biases about 0."""
        made = {name: self.empty(*size) for name, size in self.design.weights().items()}
        for name, weight in made.items():
            fill(weight, self.generator, weight.shape[-1] ** -0.5 if weight.dim() == 2 else 0.1)
            if name.startswith("norm"):
                with torch.no_grad():
                    weight.add_(1.0)
        return made

    @property
    def call(self) -> Callable[[], Any]:
        return self.calls[0]

    @property
    def x(self) -> Tensor:
        return self.sets[0].x

    @property
    def w(self) -> Mapping[str, Tensor]:
        return self.sets[0].w

    def check(self, seed: int) -> Check:
        one = self.sets[0]
        expectation = self.expect(0, seed)
        try:
            return expectation.compare(self.watching_attention(one))
        finally:
            expectation.done()

    def watching_attention(self, one: Set) -> Any:
        """A call; what attention returns in it must have q's form, or it could still pass by being broadcast."""

        def watched(q: Tensor, k: Tensor, v: Tensor) -> Any:
            out = self.attend(q, k, v)
            require_form(ATTENTION, out, q)
            return out

        one.block.attend = watched
        try:
            return one()
        finally:
            one.block.attend = self.attend

    def expect(self, index: int, seed: int) -> Expectation:
        """Some rows of one sequence; the gradient of the result is 0 everywhere else."""
        d, one, generator = self.design, self.sets[index], torch.Generator(self.design.device).manual_seed(seed)
        one.fill(generator)
        chance = random.Random(seed)
        sequence = chance.randrange(d.batch)
        chosen = {0, d.queries - 1, *chance.sample(range(d.queries), min(d.queries, MOST_ROWS - 2))}
        rows = torch.tensor(sorted(chosen), device=d.device)
        if one.grad is not None:
            kept = torch.zeros_like(one.grad)
            kept[sequence, rows] = one.grad[sequence, rows]
            one.grad.copy_(kept)
        active = self.active(one, sequence, rows)
        truth, plain = (self.computed(one, sequence, rows, active, dtype) for dtype in (torch.float64, one.x.dtype))
        named = {
            name: Rows(
                name,
                array(right),
                array(plain[name]),
                smallest=SMALLEST_ROW["result" if name == "out" else "gradient"],
            )
            for name, right in truth.items()
        }
        return Expectation(self, one, sequence, rows, named, generator)

    def computed(
        self, one: Set, sequence: int, rows: Tensor, active: Tensor | None, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """The result's rows, and with a backward pass the gradients of x and the weights, in `dtype`."""
        d = self.design

        def as_(x: Tensor) -> Tensor:
            return x.detach().to(dtype, copy=True)

        w = {name: as_(weight).requires_grad_(d.backward) for name, weight in one.w.items()}
        x = as_(one.x[sequence]).requires_grad_(d.backward)
        cache = None if one.cache is None else (as_(one.cache[0][sequence]), as_(one.cache[1][sequence]))
        out = reference.block(d, x, w, rows, cache, active)
        if one.grad is None:
            return {"out": out.detach()}
        grads = torch.autograd.grad(out, (x, *w.values()), as_(one.grad[sequence, rows]))
        return {"out": out.detach()} | {f"d{name}": grad for name, grad in zip(("x", *w), grads, strict=True)}

    def active(self, one: Set, sequence: int, rows: Tensor) -> Tensor | None:
        """Which units of the rows ReLU lets through, as the case's own dtype decides."""
        if self.design.gated or one.grad is None:
            return None
        watched = Watched(self.design, self.attend, one.cache)
        watched(one.x, one.w)
        return watched.seen[sequence, rows]

    def nudge(self, index: int) -> None:
        for x in self.sets[index].changing():
            nudge(x, self.generator)

    def close(self) -> None:
        """Nothing outlives a call but what the attention inside has entered, which ends with the process."""


class Expectation:
    """See `tbench.components.workload.Expectation`."""

    def __init__(
        self,
        work: BlockWorkload,
        one: Set,
        sequence: int,
        rows: Tensor,
        named: Mapping[str, Rows],
        generator: torch.Generator,
    ) -> None:
        self.work, self.set, self.sequence, self.rows, self.named = work, one, sequence, rows, named
        self.generator, self.held = generator, one.held()

    def compare(self, results: Sequence[Any]) -> Check:
        require_form("the result", results[0], self.set.x)
        now = self.set.held()
        require_untouched([name for name, x in self.held.items() if not holds(now[name], x)])
        found = dict(zip(self.named, map(own, results), strict=True))
        found["out"] = found["out"][self.sequence, self.rows]
        if self.set.grad is not None:
            found["dx"] = found["dx"][self.sequence]
        dtype = self.work.design.dtype
        checks = [right.compare(found[name], dtype) for name, right in self.named.items()]
        return loosened(worst(checks), CHAIN)

    def done(self) -> None:
        if self.set.grad is not None:
            fill(self.set.grad, self.generator)


class Watched(Block):
    """The same block; remembers which units came through its activation."""

    def activated(self, x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
        out = super().activated(x, w)
        self.seen = out.detach() > 0
        return out
