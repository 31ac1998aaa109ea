"""Attention cases and their measurement, as tests write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tbench.components.attention import ATTENTION
from tbench.components.attention.problem import AttentionProblem, layers
from tbench.components.attention.workload import AttentionWorkload
from tbench.records import Case

SIZES: dict[str, Any] = {"batch": 2, "seq_len": 300, "heads": 4, "kv_heads": 4, "head_dim": 16}
WHAT: dict[str, Any] = {"phase": "forward", "device": "cpu", "dtype": "float32"}


def attention(kernel: str = "naive", **given: Any) -> Case:
    """An attention case; small unless told otherwise."""
    values = SIZES | {"causal": True, "pattern": "full", "kernel": kernel} | given
    what = WHAT | {name: values.pop(name) for name in WHAT if name in values}
    axes = tuple((axis.name, values.pop(axis.name)) for axis in ATTENTION.axes if axis.name in values)
    assert not values, f"no such axis: {values}"
    return Case("attention", what["phase"], what["device"], what["dtype"], axes)


def problem(**given: Any) -> AttentionProblem:
    """The only layer of a case."""
    (one,) = layers(attention(**given))
    return one


@contextmanager
def built(case: Case, seed: int = 1) -> Iterator[AttentionWorkload]:
    """A case, set up, and closed after."""
    workload = ATTENTION.workload(case, seed)
    try:
        yield workload
    finally:
        workload.close()
