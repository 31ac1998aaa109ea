"""What a block, and a whole model, should give, written down once more, without any fused operation.

In float64 it is the oracle; in a case's own dtype the plain computation, from which follows what rounding may do. It
shares no arithmetic with `transformer` and `encodings`: RoPE is a product of complex numbers, heads come one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from tbench.model.config import ModelConfig
from tbench.model.pattern import Full, Pattern

Weights = Mapping[str, Tensor]


def model(config: ModelConfig, tokens: Tensor, weights: Weights) -> Tensor:
    """Logits (N, vocab) of one sequence, tokens (N); `weights` by their names in `transformer.Decoder`."""
    x = weights["embedding"][tokens] * math.sqrt(config.hidden)
    if config.position_encoding == "learned":
        x = x + weights["position_table"][: len(tokens)]
    if config.position_encoding == "sinusoidal":
        x = x + sinusoids(len(tokens), config.hidden).to(x.dtype)
    for number, pattern in enumerate(config.patterns):
        w = {name.removeprefix(f"blocks.{number}."): weight for name, weight in weights.items()}
        x = block(config, x, w, torch.arange(len(tokens)), pattern=pattern)
    if config.norm_position == "pre":
        x = normed(config, x, weights["norm.weight"], weights.get("norm.bias"))
    return x @ weights["embedding" if config.tied_embeddings else "head"].T


def sinusoids(length: int, hidden: int) -> Tensor:
    """(length, hidden): Vaswani et al. 2017, §3.5, column by column."""
    position = torch.arange(length, dtype=torch.float64)
    columns = [
        (torch.cos if column % 2 else torch.sin)(position / 10_000 ** (column // 2 * 2 / hidden))
        for column in range(hidden)
    ]
    return torch.stack(columns, dim=-1)


def block(
    config: ModelConfig,
    x: Tensor,
    w: Weights,
    rows: Tensor,
    first: int = 0,
    cache: tuple[Tensor, Tensor] | None = None,
    active: Tensor | None = None,
    pattern: Pattern = Full(),  # noqa: B008 (frozen)
) -> Tensor:
    """One sequence: x (N, D), of which the first has the position `first`; rows (R). Returns the result's rows (R, D).

    `cache`: k and v (G, M, d), the last place of which is this token's. `active` (R, F): which units ReLU lets through,
    None to decide here. A number next to 0 falls on one side or the other by rounding, and its gradient with it.
    """
    chosen = x[rows]
    if config.norm_position == "pre":
        inside = normed(config, x, w["norm1"], w.get("norm1_bias"))
        chosen = chosen + attention(config, inside, w, rows, first, cache, pattern)
        return chosen + feedforward(config, normed(config, chosen, w["norm2"], w.get("norm2_bias")), w, active)
    chosen = chosen + attention(config, x, w, rows, first, cache, pattern)
    chosen = normed(config, chosen, w["norm1"], w.get("norm1_bias"))
    return normed(config, chosen + feedforward(config, chosen, w, active), w["norm2"], w.get("norm2_bias"))


def normed(config: ModelConfig, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    wide = x if x.dtype == torch.float64 else x.float()  # halves are normalised in float32, as everywhere
    if config.norm == "layernorm":
        wide = wide - wide.mean(-1, keepdim=True)
    out = (wide / ((wide * wide).mean(-1, keepdim=True) + config.norm_epsilon).sqrt()).to(x.dtype) * weight
    return out if bias is None else out + bias


def attention(
    config: ModelConfig,
    x: Tensor,
    w: Weights,
    rows: Tensor,
    first: int,
    cache: tuple[Tensor, Tensor] | None,
    pattern: Pattern,
) -> Tensor:
    """Head by head: every query head looks at the KV head of its group."""
    positions = torch.arange(len(x), device=x.device) + first
    outs = []
    for head in range(config.heads):
        shared = head // (config.heads // config.kv_heads)
        q = turned(config, projected(x[rows], w, "q", head, config.head_dim), positions[rows])
        k = turned(config, projected(x, w, "k", shared, config.head_dim), positions)
        v = projected(x, w, "v", shared, config.head_dim)
        if cache is not None:
            k, v = (torch.cat((old[shared, :-1], new)) for old, new in zip(cache, (k, v), strict=True))
        scores = q @ k.T / math.sqrt(config.head_dim)
        query, key = positions[rows][:, None], torch.arange(len(k), device=x.device)[None]
        if config.position_encoding == "alibi":
            scores = scores - slope(head, config.heads) * (query - key).abs()
        hidden = (key > query) | ~torch.as_tensor(pattern.keeps(query, key), device=x.device)
        outs.append(torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1) @ v)
    return affine(torch.cat(outs, dim=-1), w, "o")


def projected(x: Tensor, w: Weights, name: str, head: int, head_dim: int) -> Tensor:
    """x by those rows of a projection that make one head."""
    part = slice(head * head_dim, (head + 1) * head_dim)
    out = x @ w[f"w{name}"][part].T
    return out + w[f"b{name}"][part] if f"b{name}" in w else out


def affine(x: Tensor, w: Weights, name: str) -> Tensor:
    out = x @ w[f"w{name}"].T
    return out + w[f"b{name}"] if f"b{name}" in w else out


def turned(config: ModelConfig, x: Tensor, positions: Tensor) -> Tensor:
    """Each pair of numbers as a complex number, turned by its angle (Su et al. 2021, equation 13)."""
    if config.position_encoding != "rope":
        return x
    half = config.head_dim // 2
    frequencies = float(config.rope_base) ** (-torch.arange(half, dtype=torch.float64, device=x.device) / half)
    angles = positions.double()[:, None] / config.rope_factor * frequencies
    turning = torch.polar(torch.ones_like(angles), angles)
    out = torch.complex(x[:, :half].double(), x[:, half:].double()) * turning
    return torch.cat((out.real, out.imag), dim=-1).to(x.dtype)


def slope(head: int, heads: int) -> float:
    """ALiBi's for a power of two heads: 2^(−8 (head + 1) / heads) (Press et al. 2022, §3)."""
    return float(2.0 ** (-8 * (head + 1) / heads))


def feedforward(config: ModelConfig, x: Tensor, w: Weights, active: Tensor | None) -> Tensor:
    up = affine(x, w, "_up")
    if config.activation == "swiglu":
        gate = affine(x, w, "_gate")
        inside = gate / (1 + torch.exp(-gate)) * up
    elif config.activation == "geglu":
        inside = normal(affine(x, w, "_gate")) * up
    elif config.activation == "gelu":
        inside = normal(up)
    else:
        inside = up * (up > 0 if active is None else active)
    return affine(inside, w, "_down")


def normal(x: Tensor) -> Tensor:
    """GELU: x · P(a standard normal number is below x)."""
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2
