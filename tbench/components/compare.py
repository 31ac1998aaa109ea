"""How far a result is from the float64 oracle, row by row, and how far it may be; before that, its form.

An error in one row out of thousands must not vanish in the norm of the whole, so rows are compared one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tbench.components.calling import kind
from tbench.components.workload import Malformed

# Largest error of a row that rounding explains, by dtype: several times what correct kernels show.
LIMITS = {"float32": 1e-4, "bfloat16": 6e-2, "float16": 1e-2}


def row_error(found: Tensor, expected: Tensor, smallest: float, floor: float = 0.0) -> float:
    """Largest over rows of ‖found − expected‖ / ‖expected‖; NaN if any element is not finite.

    A row below `smallest` times the root mean square row, or below `floor`, is compared with that size instead of its
    own. `floor` is for results that may be nothing but rounding: a difference that should be 0.
    """
    if found.shape != expected.shape or not bool(torch.isfinite(found).all()):
        return math.nan
    sizes = expected.norm(dim=-1)
    least = max(floor, smallest * float(sizes.square().mean().sqrt()))
    difference = (found - expected).norm(dim=-1)
    return float((difference / sizes.clamp(min=max(least, 1e-300))).max())


def require_forms(results: Sequence[Any], like: Mapping[str, Tensor]) -> None:
    """Each result must be a tensor as the one of its place in `like`. Raises Malformed."""
    if len(results) != len(like):
        told = "1 result" if len(results) == 1 else f"{len(results)} results"
        raise Malformed(f"{told} instead of {len(like)} ({', '.join(like)})")
    for result, (name, model) in zip(results, like.items(), strict=True):
        require_form("the result" if len(like) == 1 else f"the result for {name}", result, model)


def require_form(what: str, result: Any, like: Tensor) -> None:
    """`result` must be a tensor of the shape, dtype and device of `like`. Raises Malformed."""
    if not isinstance(result, Tensor):
        raise Malformed(f"{what} is {kind(result)} instead of a tensor")
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
        raise Malformed("an input has no gradient: the result does not depend on it by operations that have a backward")
