"""FlexAttention: the pattern as a function, compiled into the kernel; blocks without kept pairs are never touched."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from tbench.components.attention.kernels.masks import BLOCK, blocks
from tbench.components.attention.problem import AttentionProblem
from tbench.components.compiling import compiled
from tbench.components.registry import Kernel
from tbench.errors import Unsupported


def flex(problem: AttentionProblem, backend: str | None = None) -> Kernel:
    """Compiled flex_attention (Dong et al. 2024), on CUDA with a backend of its own choice or a given one (`FLASH`,
    `TRITON_DECODE`). Raises Unsupported without a compiler, or AVX2 on a CPU."""
    p = problem
    if p.device == "cpu" and torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "NO AVX"):
        raise Unsupported("needs a processor with AVX2")
    kernel = compiled(p.device, flex_attention)
    mask = None if p.dense else block_mask(p)
    options: dict[str, Any] = {} if backend is None else {"kernel_options": {"BACKEND": backend}}

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out: Tensor = kernel(q, k, v, block_mask=mask, enable_gqa=p.group > 1, **options)
        return out

    return attend


def block_mask(problem: AttentionProblem) -> BlockMask:
    """The pattern's blocks, partly and wholly kept apart. `create_block_mask` would need all positions at once."""
    some, every = blocks(problem)
    partial = some & ~every

    def listed(chosen: Tensor) -> tuple[Tensor, Tensor]:
        """(1, 1, rows) how many blocks, and (1, 1, rows, columns) which, the chosen ones first."""
        order = torch.argsort(chosen.int(), dim=-1, descending=True, stable=True)
        return chosen.sum(-1, dtype=torch.int32)[None, None], order.to(torch.int32)[None, None].contiguous()

    def mask_mod(batch: Any, head: Any, q: Any, k: Any) -> Any:
        return problem.kept(q + problem.first_query, k)

    mask = BlockMask.from_kv_blocks(
        *listed(partial),
        *listed(every),
        BLOCK_SIZE=BLOCK,
        mask_mod=mask_mod,
        seq_lengths=(problem.queries, problem.keys),
        compute_q_blocks=problem.backward,
    )
    for part in mask.as_tuple(flatten=True):
        if isinstance(part, Tensor):
            problem.hold(part)
    return mask
