"""A case of positions, set up, and its float64 reference.

The references are written in another way than the encodings: RoPE as a product of complex numbers, the sinusoids
column by column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tbench.components.position.formulas import INTERPOLATION, Position
from tbench.components.registry import Variant
from tbench.components.rowwise import Operation, RowWise
from tbench.model.encodings import BASE, alibi_slopes, apply_rope, rope_tables

Tensors = Mapping[str, Tensor]


def build(position: Position, variant: Variant, seed: int, sets: int, apart: bool) -> RowWise:
    operation = OPERATIONS[position.encoding](position)
    return RowWise(position, operation, variant.factory(position), seed, sets, apart)


def vectors(p: Position) -> dict[str, tuple[int, ...]]:
    return {"x": (p.batch, p.seq_len, p.hidden)}


def nothing(p: Position) -> Operation:
    return Operation(vectors(p), lambda inputs, _, rows: [inputs["x"] * 1.0], {})


def added(p: Position) -> Operation:
    """x + table: learned, or sinusoidal."""

    def learned(inputs: Tensors, parameters: Tensors, rows: Tensors) -> Sequence[Tensor]:
        return [inputs["x"] + parameters["table"][rows["x"] % p.seq_len]]

    def sinusoidal(inputs: Tensors, parameters: Tensors, rows: Tensors) -> Sequence[Tensor]:
        place = (rows["x"] % p.seq_len).double()
        columns = [
            (torch.cos if column % 2 else torch.sin)(place / BASE ** (column // 2 * 2 / p.hidden))
            for column in range(p.hidden)
        ]
        return [inputs["x"] + torch.stack(columns, dim=-1)]

    if p.encoding == "learned":
        return Operation(vectors(p), learned, {"table": ((p.seq_len, p.hidden), 1.0)})
    return Operation(vectors(p), sinusoidal, {})


def turned(p: Position) -> Operation:
    """Pairs of q and k as complex numbers, times exp(i · angle)."""
    factor = INTERPOLATION if p.encoding == "rope-interpolated" else 1.0

    def turn(x: Tensor, place: Tensor) -> Tensor:
        pair = torch.arange(p.head_dim // 2, device=x.device, dtype=torch.float64)
        angle = place[:, None] / factor / BASE ** (2 * pair / p.head_dim)
        z = torch.complex(x[:, : p.head_dim // 2], x[:, p.head_dim // 2 :]) * torch.polar(torch.ones_like(angle), angle)
        return torch.cat((z.real, z.imag), dim=-1)

    def reference(inputs: Tensors, _: Tensors, rows: Tensors) -> Sequence[Tensor]:
        heads = {"q": p.heads, "k": p.kv_heads}
        return [turn(x, rows[name] // heads[name] % p.seq_len) for name, x in inputs.items()]

    sizes = {name: (p.batch, p.seq_len, heads, p.head_dim) for name, heads in (("q", p.heads), ("k", p.kv_heads))}

    def plain(inputs: Tensors, _: Tensors, rows: Tensors) -> Sequence[Tensor]:
        """Angles in float32, as most models compute them, and all else in the case's dtype."""
        heads = {"q": p.heads, "k": p.kv_heads}
        turned = []
        for name, x in inputs.items():
            places = rows[name] // heads[name] % p.seq_len
            tables = rope_tables(places, p.head_dim, factor=factor, dtype=x.dtype, angles=torch.float32)
            turned.append(apply_rope(x, *tables))
        return turned

    return Operation(sizes, reference, {}, plain=plain, overwrites=True)  # models turn q and k in place


def lowered(p: Position) -> Operation:
    """scores − slope · distance."""

    def reference(inputs: Tensors, _: Tensors, rows: Tensors) -> Sequence[Tensor]:
        query, head = rows["scores"] % p.seq_len, rows["scores"] // p.seq_len % p.heads
        slope = torch.tensor(alibi_slopes(p.heads), device=head.device, dtype=torch.float64)[head]
        key = torch.arange(p.seq_len, device=head.device)
        return [inputs["scores"] - slope[:, None] * (query[:, None] - key).abs()]

    return Operation({"scores": (p.batch, p.heads, p.seq_len, p.seq_len)}, reference, {})


OPERATIONS = {
    "none": nothing,
    "learned": added,
    "sinusoidal": added,
    "rope": turned,
    "rope-interpolated": turned,
    "alibi": lowered,
}
