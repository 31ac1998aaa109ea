"""`auto`: the first variant of a list that can run this problem. The list is by experience, fastest first."""

from __future__ import annotations

from tbench.components.attention.component import ATTENTION
from tbench.components.attention.problem import AttentionProblem
from tbench.components.registry import Kernel, Variant
from tbench.errors import Unsupported
from tbench.threads import worker_threads

FULL = ("cudnn", "flash", "efficient", "math")
WINDOW = ("chunked", "flex", "masked")
WINDOW_CUDA = ("flex", "chunked", "masked")
SPARSE = ("flex", "masked")
RAGGED_BATCH = ("masked",)


def candidates(problem: AttentionProblem) -> tuple[str, ...]:
    if problem.lengths:
        return RAGGED_BATCH
    if problem.plain:
        # In decode, the CPU's flash kernel divides its work by KV heads only; a plain product also divides the cache.
        few_heads = problem.decode and problem.device == "cpu" and problem.batch * problem.kv_heads < worker_threads()
        return ("naive", *FULL) if few_heads else FULL
    if problem.pattern.reach is None:
        return SPARSE
    return WINDOW if problem.device == "cpu" else WINDOW_CUDA


def choose(problem: AttentionProblem) -> Kernel:
    """Set up the best variant that can run. Raises Unsupported with every candidate's reason."""
    reasons = []
    for name in candidates(problem):
        try:
            kernel = set_up(ATTENTION.variants[name], problem)
        except Unsupported as refusal:
            problem.contexts.close()
            reasons.append(f"{name}: {refusal}")
            continue
        problem.ran = name
        return kernel
    raise Unsupported("; ".join(reasons))


def set_up(variant: Variant, problem: AttentionProblem) -> Kernel:
    pattern = "full" if problem.plain else problem.pattern.text  # a window wider than the sequence hides nothing
    reason = ATTENTION.unsupported(problem.case.with_(pattern=pattern, kernel=variant.name))
    if reason:
        raise Unsupported(reason)
    kernel: Kernel = variant.factory(problem)
    return kernel
