"""How far a result is from the float64 oracle, and how far it may be; before that, its form.

An error in one row out of thousands must not vanish in the norm of the whole, so rows are compared one by one. What a
dtype allows is not a constant: it is FACTOR times the error of the *plain* computation, the equation written with
PyTorch's operations in that dtype, on the same rows; and FLOOR at least, for a plain result may be exact by luck. Rows
of different kinds (ordinary ones, tiny ones, those with large scores) lose different amounts to rounding, so each kind
has its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tbench.components.calling import kind
from tbench.components.workload import Check, Malformed

FACTOR = 3.0  # right kernels, which take their sums in another order, show up to twice the plain computation's error
# 250 times float32's rounding, 1.5 times the halves'; TF32 keeps as many bits as float16.
FLOOR = {"float32": 3e-5, "bfloat16": 1.2e-2, "float16": 1.5e-3, "tf32": 1.5e-3}
# The same for the root mean square of the rows: a number format that is a little too coarse shows there.
MEAN_FACTOR, MEAN_FLOOR = 2.0, 0.5


COARSE = 3.0  # for sums over all sampled rows in a coarse format: as many roundings as rows, of which √64 add up
FEWEST_FOR_MEAN = 8  # rows

# Bound before any kernel is loaded, which may put others in the place of torch's; the rest is numpy's.
_clone, _numpy, _to_copy = torch.ops.aten.clone.default, Tensor.numpy, torch.ops.aten._to_copy.default
Array = npt.NDArray[Any]


def own(x: Any) -> Any:
    """A copy of a tensor as it is now, made without any of Python's methods; anything else as it is."""
    return _clone(torch.ops.aten.detach.default(x)) if isinstance(x, Tensor) else x


def array(x: Tensor) -> Array:
    """The tensor in float64 on the host, no tensor any more: some kernels write over every tensor they find."""
    return np.atleast_2d(np.array(_numpy(_to_copy(x, dtype=torch.float64, device=torch.device("cpu"))), copy=True))


@dataclass(frozen=True)
class Rows:
    """One tensor's rows: `truth` of the oracle, `plain` of the same dtype as the result; (rows, width), in float64.

    `kinds` (rows): rows of one kind have one limit; None: they are all alike. A row below `smallest` times the root
    mean square row of its kind, or below `floor`, is compared with that size instead of its own: `floor` is for results
    that may be nothing but rounding, a difference that should be 0. `coarse`: times the usual floor of the limit.
    """

    name: str
    truth: Array
    plain: Array
    kinds: Array | None = None
    smallest: float = 0.1
    floor: float = 0.0
    coarse: float = 1.0

    def compare(self, result: Tensor, dtype: str) -> Check:
        """The worst kind, in proportion to its limit."""
        found = array(result)
        if found.shape != self.truth.shape or not np.isfinite(found).all():
            return Check(math.nan, FLOOR[dtype], f"in {self.name}")
        kinds = np.zeros(len(found)) if self.kinds is None else self.kinds
        return worst([self.compare_kind(found, kinds == one, dtype) for one in np.unique(kinds)])

    def compare_kind(self, found: Array, chosen: Array, dtype: str) -> Check:
        truth, floor = self.truth[chosen], self.coarse * FLOOR[dtype]
        errors = row_errors(found[chosen], truth, self.smallest, self.floor)
        allowed = np.nan_to_num(row_errors(self.plain[chosen], truth, self.smallest, self.floor), posinf=0.0)
        checks = [Check(float(errors.max()), max(floor, FACTOR * float(allowed.max())), f"in {self.name}")]
        if len(errors) >= FEWEST_FOR_MEAN:
            mean, usual = (float(np.sqrt(np.mean(one**2))) for one in (errors, allowed))
            checks.append(Check(mean, max(MEAN_FLOOR * floor, MEAN_FACTOR * usual), f"in {self.name}, mean row"))
        return worst(checks)


def worst(checks: Sequence[Check]) -> Check:
    """The one that is furthest in proportion to its limit; one that is not a number before all others."""
    return max(checks, key=lambda one: math.inf if math.isnan(one.error) else one.error / max(one.limit, 1e-300))


def row_errors(found: Array, expected: Array, smallest: float, floor: float = 0.0) -> Array:
    """(rows): ‖found − expected‖ / ‖expected‖ of each, sizes bounded below as `Rows` says."""
    sizes = np.linalg.norm(expected, axis=-1)
    least = max(floor, smallest * float(np.sqrt(np.mean(sizes**2))), 1e-300)
    errors: Array = np.linalg.norm(found - expected, axis=-1) / np.maximum(sizes, least)
    return errors


def loosened(check: Check, factor: float) -> Check:
    """The same with a limit `factor` times as high: for chains of operations."""
    return replace(check, limit=factor * check.limit)


def require_untouched(changed: Sequence[str]) -> None:
    """Raises Malformed where a call has written over its inputs: the next one would compute on something else."""
    if changed:
        raise Malformed(f"overwrites its input {', '.join(changed)}; inputs must stay unchanged")


def require_forms(results: Sequence[Any], like: Mapping[str, Tensor]) -> None:
    """Each result must be a tensor as the one of its place in `like`. Raises Malformed."""
    if len(results) != len(like):
        told = "1 result" if len(results) == 1 else f"{len(results)} results"
        raise Malformed(f"{told} instead of {len(like)} ({', '.join(like)})")
    for result, (name, model) in zip(results, like.items(), strict=True):
        require_form("the result" if len(like) == 1 else f"the result for {name}", result, model)


def require_form(what: str, result: Any, like: Tensor) -> None:
    """`result` must be a plain tensor of the shape, dtype and device of `like`. Raises Malformed.

    A subclass could put off its work until somebody looks at it.
    """
    if not isinstance(result, Tensor):
        raise Malformed(f"{what} is {kind(result)} instead of a tensor")
    if type(result) is not Tensor:
        raise Malformed(f"{what} is {kind(result)}, a subclass; return a plain torch.Tensor")
    for found, wanted in (
        (tuple(result.shape), tuple(like.shape)),
        (result.dtype, like.dtype),
        (result.device, like.device),
    ):
        if found != wanted:
            raise Malformed(f"{what} is {found} instead of {wanted}")


def blame(results: Sequence[Any], like: Mapping[str, Tensor], failure: Exception) -> None:
    """Raises Malformed where results are the reason why their gradients could not be had."""
    require_forms(results, like)
    if not all(result.requires_grad for result in results):
        raise Malformed(
            "the result has no gradient (requires_grad is False), which forward_backward needs; measure forward only"
        ) from failure
    if "not have been used in the graph" in str(failure):
        raise Malformed("an input has no gradient: no differentiable path leads to the result")
