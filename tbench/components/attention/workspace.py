"""What variants hold at the peak beside inputs, outputs and gradients: the analytic side of `peak_memory_bytes`.

`whole_scores` is exact for float32 on a CPU, `flash_tiles` for bfloat16 too (a test weighs them); the others are good
enough to tell what fits. Where a variant peaks before all gradients exist, what is not there yet is taken off. oneDNN's
own scratch for half precision products (a fraction of a MiB, or a copy of K) is in none of the others.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tbench.components.attention.formulas import cache_bytes, gradient_bytes, query_bytes, score_bytes
from tbench.components.attention.problem import AttentionProblem
from tbench.threads import worker_threads

MULTIPROCESSORS = 132  # an H100's; others differ too little for a plan
ON_MATRIX_UNIT = {"bfloat16": "amx_bf16", "float16": "amx_fp16"}  # number format to the processor's flag


def whole_scores(problem: AttentionProblem) -> int:
    """The textbook's score matrices: two at a time forward, three backward (on CUDA four: masking there does not reuse
    the one it reads), when dq and dk do not exist yet."""
    p = problem
    mask = 0 if p.dense else p.queries * p.keys * max(1, len(p.lengths))
    if p.backward:
        return mask + (3 if p.device == "cpu" else 4) * score_bytes(p) - (query_bytes(p) + cache_bytes(p) // 2)
    return mask + 2 * score_bytes(p)


def repeated_scores(problem: AttentionProblem) -> int:
    """SDPA's fallback: all in float32, inputs scaled first, K and V repeated for shared heads, the mask as floats."""
    p = problem
    per_head = 4 * p.batch * p.heads * p.head_dim  # float32 bytes of one position in all heads
    scaled = per_head * (3 * p.queries + p.keys)
    upcast = per_head * (p.queries + 2 * p.keys) if p.itemsize < 4 else 0
    repeated = p.itemsize * p.batch * p.heads * p.head_dim * 2 * p.keys if p.group > 1 else 0
    mask = 2 * 4 * p.queries * p.keys if p.causal else 0
    scores = (3 if p.backward else 2) * 4 * p.batch * p.heads * p.queries * p.keys
    return scores + mask + scaled + upcast + repeated


def packed_keys(problem: AttentionProblem, heads: int, width: int) -> int:
    """K and V in the layout that a processor's matrix unit (AMX) reads, and a tile of each thread.

    Only where there are queries enough to be worth it (FlashAttentionKernel.cpp, `need_pack`; as weighed).
    """
    p = problem
    if p.dtype not in ON_MATRIX_UNIT or ON_MATRIX_UNIT[p.dtype] not in processor_flags():
        return 0
    return p.itemsize * p.head_dim * (2 * p.batch * heads * p.keys + worker_threads() * width)


@cache
def processor_flags() -> frozenset[str]:
    """What the processor says it can do; nothing where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))


def flash_tiles(problem: AttentionProblem) -> int:
    """Log-sum-exp, and on a CPU a set of tiles for each thread (PyTorch, FlashAttentionKernel.cpp)."""
    p = problem
    folded = p.dense and p.group > 1  # query heads of a group stand one after the other
    rows, heads = (p.group * p.queries, p.kv_heads) if folded else (p.queries, p.heads)
    logsumexp = 4 * p.batch * heads * rows
    if p.device != "cpu":
        return logsumexp + (2 * query_bytes(p) if p.backward else 0)
    tile = min(256 if rows >= 768 else 64 if rows >= 192 else 32, rows)
    width = min(512, p.keys)
    half = p.itemsize * tile * width if p.itemsize < 4 else 0
    if not p.backward:
        tiles = worker_threads() * (4 * (tile * width + 2 * tile + tile * p.head_dim) + half)
        packed = packed_keys(p, heads, width) if rows >= 4 * worker_threads() else 0
        return logsumexp + tiles + packed
    # Gradients of K and V come out for every query head and are added up after.
    spread = (p.group - 1) * cache_bytes(p) if p.group > 1 else 0
    return logsumexp + query_bytes(p) + spread + worker_threads() * (2 * 4 * tile * width + 2 * half)


def flash_scratch(problem: AttentionProblem) -> int:
    """Tiles, and what PyTorch's backward makes beside them on a GPU (flash_attn/flash_api.cpp).

    Row sums of dout · out, copies of both in the kernel's layout, and gradients of K and V for every query head, added
    up after. The gradient of q in float32 is in `flash_tiles`.
    """
    p = problem
    if p.device == "cpu" or not p.backward:
        return flash_tiles(p) + (split_results(p) if p.decode else 0)
    spread = p.group * cache_bytes(p) if p.group > 1 else 0
    return flash_tiles(p) + 4 * p.batch * p.heads * p.queries + 2 * query_bytes(p) + spread


def split_results(problem: AttentionProblem) -> int:
    """Partial outputs and log-sum-exps in float32 of a decode step on a GPU, which divides the keys among blocks where
    there are too few KV heads to keep all multiprocessors busy (flash_attn/flash_api.cpp, `num_splits_heuristic`)."""
    p = problem
    if p.device == "cpu":
        return 0
    keys_of_a_block = 256 if p.head_dim <= 64 else 128 if p.head_dim <= 128 else 64
    splits = min(-(-p.keys // keys_of_a_block), 2 * MULTIPROCESSORS // (p.batch * p.kv_heads))
    return 4 * splits * p.batch * p.heads * (p.head_dim + 1) if splits > 1 else 0


def flex_tiles(problem: AttentionProblem) -> int:
    """Tiles as in flash; on a CPU also q and the result once more, in the layout of the compiled kernel."""
    return flash_tiles(problem) + (2 * query_bytes(problem) if problem.device == "cpu" else 0)


def dense_mask(problem: AttentionProblem) -> int:
    """A boolean mask, and the additive one that is made of it at every call."""
    p = problem
    masks = 1 if not p.lengths else p.batch if p.group == 1 else p.batch * p.kv_heads
    return (1 + p.itemsize) * masks * p.queries * p.keys + flash_tiles(p)


def chunks(problem: AttentionProblem) -> int:
    """Pieces of the output before they are joined; backward, gradients of K and V for every overlapping piece."""
    p = problem
    overlap = 5 * cache_bytes(p) - gradient_bytes(p) if p.backward else 0  # pieces are a quarter of a window
    return query_bytes(p) + flash_tiles(p) + overlap
