"""A folder of kernels that tests name by their place, and a case carried out as a worker does it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from tbench.catalog import get
from tbench.components.workload import Check
from tbench.records import Case
from tests.components.small import case

KERNELS = '''\
"""One of each kind."""
import torch
import torch.nn.functional as F
from tbench.components.position import kernels
from tbench.model.encodings import apply_rope, rope_tables

def attend(q, k, v, *, causal):
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

def windowed(q, k, v, causal=False, window=None):
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    row, key = torch.arange(q.shape[2])[:, None], torch.arange(k.shape[2])
    seen = (row >= key) if causal else torch.ones(q.shape[2], k.shape[2], dtype=torch.bool)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen & ((row - key).abs() < (window or 10**9)))

def filled(q, k, v, causal=False, lengths=None):
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    seen = None if lengths is None else torch.arange(k.shape[2]) < lengths[:, None, None, None]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen, is_causal=causal)

def made(problem):
    row = torch.arange(problem.queries)[:, None] + problem.first_query
    seen = problem.hold(problem.kept(row, torch.arange(problem.keys)))
    problem.notes.append("made in the factory")
    def masked(q, k, v):
        group = problem.group
        return F.scaled_dot_product_attention(
            q, k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1), attn_mask=seen
        )
    return masked

class Made:
    def __init__(self, problem):
        self.causal = problem.causal
    def __call__(self, q, k, v):
        return attend(q, k, v, causal=self.causal)

def norm(x, weight, bias=None):
    if bias is None:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weight
    return F.layer_norm(x, weight.shape, weight, bias, 1e-5)

def relu(x, w_in, w_out):
    return F.linear(F.relu(F.linear(x, w_in)), w_out)

def swiglu(x, w_gate, w_up, w_out):
    return F.linear(F.silu(F.linear(x, w_gate)) * F.linear(x, w_up), w_out)

def rope(q, k):
    cos, sin = (table[:, None] for table in rope_tables(torch.arange(q.shape[1]), q.shape[3], dtype=q.dtype))
    return apply_rope(q, cos, sin), apply_rope(k, cos, sin)

def learned(x, table):
    return x + table

def encoding(position):
    return kernels.EAGER[position.encoding](position)
'''


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    importlib.invalidate_caches()


def checked(of: Case, seed: int = 3) -> Check:
    """Set up, called and compared, as a worker does it."""
    made = get(of.component).workload(of, 1)
    try:
        made.call()
        found: Check = made.check(seed)
        assert made.ran == of["kernel"]
        return found
    finally:
        made.close()


def block(phase: str, kernel: str, **more: Any) -> Case:
    return case("block", phase, seq_len=40, hidden=32, heads=4, kernel=kernel, **more)


FORWARD, BOTH, DECODE = "forward", "forward_backward", "decode"
SMALL: dict[str, dict[str, Any]] = {
    "norm": {"seq_len": 20, "hidden": 24},
    "feedforward": {"seq_len": 20, "hidden": 24},
    "position": {"seq_len": 20, "heads": 4, "kv_heads": 2, "head_dim": 8},
}
