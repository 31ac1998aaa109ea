"""Attention: full or sparse, with KV heads shared or not, in forward, forward + backward and decode. No torch here.

component    the axes, and the door to the rest
pattern      which keys a query sees
problem      the shapes of one operation
formulas     what it costs at least;  workspace: what variants hold beside that
variants     the ways to compute it, a short entry each;  adapters: those of other packages;  own: the user's
kernels/     the arithmetic
workload     what a worker times;  inputs: on which tensors;  oracle: what the result must be
"""

from __future__ import annotations

from tbench.components.attention import adapters, variants
from tbench.components.attention.component import ATTENTION

__all__ = ["ATTENTION", "adapters", "variants"]  # the latter two register themselves
