"""A block, set up: what the worker times, and how it is checked."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tbench.components.block import formulas
from tbench.components.block.problem import BlockProblem
from tbench.components.compare import Rows, array, blame, loosened, own, require_form, require_untouched, worst
from tbench.components.data import fill, holds, nudge
from tbench.components.registry import Variant
from tbench.components.workload import Check
from tbench.model import reference
from tbench.model.encodings import rope_tables
from tbench.model.transformer import Attend, Block, KVCache

MOST_ROWS = 16
INSIDE = "attention's result inside the block"
CHAIN = 2.0  # of the limit of a single operation: a block is a chain of them
SMALLEST_ROW = {"result": 0.1, "gradient": 1.0}  # of the root mean square row, as in attention's oracle


class Set:
    """One set of inputs: x, the cache in decode, the block; calling it does what is timed."""

    def __init__(self, work: BlockWorkload, block: Block) -> None:
        problem, config = work.problem, work.problem.config
        self.x = work.empty(problem.batch, problem.queries, config.hidden)
        self.block, self.attend, self.rotation = block, work.attend, work.rotation
        self.weights = dict(block.named_parameters())
        self.grad = torch.empty_like(self.x, requires_grad=False) if problem.backward else None
        self.cache: KVCache | None = None
        if problem.decode:
            size = (problem.batch, config.kv_heads, problem.seq_len, config.head_dim)
            self.cache = KVCache(work.empty(*size), work.empty(*size))

    def __call__(self) -> Any:
        out = self.passed()
        if self.grad is None:
            return (out,)
        try:  # costs nothing where nothing is raised
            return (out, *torch.autograd.grad(out, (self.x, *self.weights.values()), self.grad))
        except Exception as failure:
            blame([out], {"x": self.x}, failure)
            raise

    def passed(self) -> Tensor:
        try:
            out: Tensor = self.block(self.x, self.attend, self.rotation, self.cache)
        except Exception:
            self.watched()  # it may be that attention gave what the block cannot go on with
            raise
        return out

    def watched(self) -> Any:
        """A call; what attention returns in it must have q's form, or it could still pass by being broadcast."""

        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            out: Tensor = self.attend(q, k, v)
            require_form(INSIDE, out, q)
            return out

        return self.block(self.x, attend, self.rotation, self.cache)

    def changing(self) -> list[Tensor]:
        """All but the weights."""
        cache = () if self.cache is None else (self.cache.k, self.cache.v)
        return [self.x, *cache, *([] if self.grad is None else [self.grad])]

    def fill(self, generator: torch.Generator) -> None:
        for x in self.changing():
            fill(x, generator)

    def held(self) -> dict[str, Tensor]:
        """Copies of everything but the weights and the cache's last place, which the block writes."""
        kept = {} if self.cache is None else {"k": self.cache.k[:, :, :-1], "v": self.cache.v[:, :, :-1]}
        named = {"x": self.x, **({} if self.grad is None else {"grad": self.grad}), **kept}
        return {name: x.detach().clone() for name, x in named.items()}


class BlockWorkload:
    """See `tbench.components.workload.Workload`. Sets share the weights unless they are `apart`, as layers are."""

    layers = 1
    overwrites = False

    def __init__(self, problem: BlockProblem, variant: Variant, seed: int, sets: int = 1, apart: bool = False) -> None:
        self.problem = problem
        self.attend: Attend = variant.factory(problem)
        self.rotation = self.rotated()
        self.generator = torch.Generator(problem.device).manual_seed(seed)
        self.sets: list[Set] = []
        for number in range(sets):
            self.sets.append(Set(self, self.block() if apart or number == 0 else self.sets[0].block))
            self.sets[-1].fill(self.generator)
        self.calls: Sequence[Callable[[], Any]] = self.sets
        self.ran = variant.name
        self.notes = tuple(problem.notes)
        self.resident_bytes = formulas.resident_bytes(problem)

    @property
    def dtype(self) -> torch.dtype:
        found: torch.dtype = getattr(torch, self.problem.dtype)
        return found

    def empty(self, *size: int) -> Tensor:
        p = self.problem
        return torch.empty(size, dtype=self.dtype, device=p.device, requires_grad=p.backward)

    def rotated(self) -> tuple[Tensor, Tensor] | None:
        """RoPE's cosines and sines of the tokens of a call."""
        p = self.problem
        if not p.config.rotary:
            return None
        positions = torch.arange(p.first, p.seq_len, device=p.device)
        return rope_tables(positions, p.config.head_dim, p.config.rope_base, dtype=self.dtype)

    def block(self) -> Block:
        """Matrices so that a product keeps the size of its input, scales about 1, biases about 0."""
        made = Block(self.problem.config, self.problem.device, self.dtype).requires_grad_(self.problem.backward)
        for name, weight in made.named_parameters():
            fill(weight, self.generator, weight.shape[-1] ** -0.5 if weight.dim() == 2 else 0.1)
            if name in ("norm1", "norm2"):
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
        return self.sets[0].weights

    def check(self, seed: int) -> Check:
        one = self.sets[0]
        expectation = self.expect(0, seed)
        try:
            one.watched()
            return expectation.compare(one())
        finally:
            expectation.done()

    def expect(self, index: int, seed: int) -> Expectation:
        """Some rows of one sequence; the gradient of the result is 0 everywhere else."""
        d, one, generator = self.problem, self.sets[index], torch.Generator(self.problem.device).manual_seed(seed)
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
        d = self.problem

        def as_(x: Tensor) -> Tensor:
            return x.detach().to(dtype, copy=True)

        w = {name: as_(weight).requires_grad_(d.backward) for name, weight in one.weights.items()}
        x = as_(one.x[sequence]).requires_grad_(d.backward)
        cache = None if one.cache is None else (as_(one.cache.k[sequence]), as_(one.cache.v[sequence]))
        out = reference.block(d.config, x, w, rows, d.first, cache, active)
        if one.grad is None:
            return {"out": out.detach()}
        grads = torch.autograd.grad(out, (x, *w.values()), as_(one.grad[sequence, rows]))
        return {"out": out.detach()} | {f"d{name}": grad for name, grad in zip(("x", *w), grads, strict=True)}

    def active(self, one: Set, sequence: int, rows: Tensor) -> Tensor | None:
        """Which units of the rows ReLU lets through, as the case's own dtype decides."""
        if self.problem.config.activation != "relu" or one.grad is None:
            return None
        seen: list[Tensor] = []

        def watched(x: Tensor) -> Tensor:
            seen.append(Block.activated(one.block, x))
            return seen[-1]

        one.block.activated = watched  # type: ignore[method-assign]
        try:
            one()
        finally:
            del one.block.activated
        return seen[0][sequence, rows].detach() > 0

    def nudge(self, index: int) -> None:
        for x in self.sets[index].changing():
            nudge(x, self.generator)

    def close(self) -> None:
        """Leave the contexts that the attention inside needs."""
        self.problem.contexts.close()


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
        arithmetic = self.work.problem.case.arithmetic
        checks = [right.compare(found[name], arithmetic) for name, right in self.named.items()]
        return loosened(worst(checks), CHAIN)

    def done(self) -> None:
        if self.set.grad is not None:
            fill(self.set.grad, self.generator)
