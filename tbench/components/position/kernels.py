"""Encodings at work: each takes a `Position`, makes its tables, and returns the callable that is timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tbench.components.position.formulas import INTERPOLATION, Position
from tbench.components.registry import Kernel
from tbench.model.encodings import (
    alibi_bias,
    alibi_slopes,
    apply_rope,
    require_positions,
    rope_tables,
    sinusoidal_table,
)


def none(position: Position) -> Kernel:
    return lambda x: x


def learned(position: Position) -> Kernel:
    """x (batch, seq_len, hidden) + table (seq_len, hidden), whose rows are looked up."""
    places = position.hold(torch.arange(position.seq_len, device=position.device))
    require_positions(position.seq_len, places)

    def add(x: Tensor, table: Tensor) -> Tensor:
        return x + F.embedding(places, table)

    return add


def sinusoidal(position: Position) -> Kernel:
    places = torch.arange(position.seq_len, device=position.device)
    table = position.hold(sinusoidal_table(places, position.hidden, dtype=getattr(torch, position.dtype)))
    return lambda x: x + table


def rope(position: Position) -> Kernel:
    """q (batch, seq_len, heads, head_dim), k (batch, seq_len, kv_heads, head_dim)."""
    cos, sin = (position.hold(table[:, None]) for table in tables(position))  # (seq_len, 1, head_dim / 2)

    def turn(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        return apply_rope(q, cos, sin), apply_rope(k, cos, sin)

    return turn


def alibi(position: Position) -> Kernel:
    """scores (batch, heads, seq_len, seq_len) + bias; distances in float32, in which they are exact."""
    places = position.hold(torch.arange(position.seq_len, device=position.device, dtype=torch.float32))
    slopes = position.hold(torch.tensor(alibi_slopes(position.heads), device=position.device))

    def add(scores: Tensor) -> Tensor:
        return scores + alibi_bias(slopes, places, places).to(scores.dtype)

    return add


def tables(position: Position) -> tuple[Tensor, Tensor]:
    """Cosines and sines, (seq_len, head_dim / 2) each."""
    places = torch.arange(position.seq_len, device=position.device)
    factor = INTERPOLATION if position.encoding == "rope-interpolated" else 1.0
    return rope_tables(places, position.head_dim, factor=factor, dtype=getattr(torch, position.dtype))


def rope_of(turn: Callable[..., Any], position: Position) -> Kernel:
    """RoPE by Liger's function: (batch, heads, seq_len, head_dim) views, tables (1, seq_len, head_dim).

    It turns q and k where they are: they change from call to call, and nothing else is written.
    """
    cos, sin = (position.hold(torch.cat((table, table), dim=-1)[None]) for table in tables(position))

    def turned(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        q, k = turn(q.transpose(1, 2), k.transpose(1, 2), cos, sin)[:2]
        return q.transpose(1, 2), k.transpose(1, 2)

    return turned


EAGER: dict[str, Callable[[Position], Kernel]] = {
    "none": none,
    "learned": learned,
    "sinusoidal": sinusoidal,
    "rope": rope,
    "rope-interpolated": rope,
    "alibi": alibi,
}
