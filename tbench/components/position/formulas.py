"""On what an encoding works, what it must compute and move at least, and what its variants hold. No torch.

What is timed is what the encoding does to the tensors that are there without it:

    none                        nothing: the figure is the price of a call
    learned, sinusoidal         x + table, once a model           x (batch, seq_len, heads · head_dim)
    rope, rope-interpolated     q and k turned, in every layer    q (batch, seq_len, heads, head_dim), k (… kv_heads …)
    alibi                       scores + bias, in every layer     scores (batch, heads, seq_len, seq_len)

Tables (sinusoidal, RoPE's cosines and sines) are made before; ALiBi's bias, heads times as large as one head's
scores, is built in the call. A fused attention kernel that takes a bias or turns q and k itself pays less.
"""

from __future__ import annotations

from tbench.components.problem import Problem
from tbench.records import Work

ENCODINGS = ("none", "learned", "sinusoidal", "rope", "rope-interpolated", "alibi")
INTERPOLATION = 2.0  # rope-interpolated: as for twice the trained length; the cost does not depend on it


class Position(Problem):
    """Sizes of one encoding."""

    @property
    def encoding(self) -> str:
        return str(self.case["encoding"])

    @property
    def rotary(self) -> bool:
        return self.encoding.startswith("rope")

    @property
    def heads(self) -> int:
        return self.case.integer("heads")

    @property
    def kv_heads(self) -> int:
        return self.case.integer("kv_heads")

    @property
    def head_dim(self) -> int:
        return self.case.integer("head_dim")

    @property
    def hidden(self) -> int:
        return self.heads * self.head_dim


def q_bytes(p: Position) -> int:
    """Size of q, and of x."""
    return p.itemsize * p.tokens * p.hidden


def k_bytes(p: Position) -> int:
    return p.itemsize * p.tokens * p.kv_heads * p.head_dim


def table_bytes(p: Position) -> int:
    """Size of a table with a vector for every position."""
    return p.itemsize * p.seq_len * p.hidden


def angle_bytes(p: Position) -> int:
    """Size of RoPE's cosines and sines."""
    return p.itemsize * p.seq_len * p.head_dim


def score_bytes(p: Position) -> int:
    return p.itemsize * p.batch * p.heads * p.seq_len**2


def input_bytes(p: Position) -> int:
    """What the encoding works on, and the result."""
    if p.rotary:
        return q_bytes(p) + k_bytes(p)
    return score_bytes(p) if p.encoding == "alibi" else q_bytes(p)


def held_bytes(p: Position) -> int:
    """What is made before and kept."""
    if p.rotary:
        return angle_bytes(p)
    if p.encoding == "alibi":
        return 4 * (p.seq_len + p.heads)  # positions and slopes, in float32
    return {"none": 0, "learned": 8 * p.seq_len, "sinusoidal": table_bytes(p)}[p.encoding]


def resident_bytes(p: Position) -> int:
    """Inputs, with a backward pass the gradient of the result, the learned table, and what is kept."""
    table = table_bytes(p) if p.encoding == "learned" else 0
    return input_bytes(p) * (2 if p.backward else 1) + table + held_bytes(p)


def work(p: Position) -> Work:
    """Every input read and every result written once. To add is to pass the gradient on: only RoPE's must be turned
    back, and the learned table's summed over the batch."""
    elements = input_bytes(p) // p.itemsize
    if p.encoding == "none":
        return Work(0.0, 0.0)
    if p.rotary:  # 4 products and 2 sums for 2 elements
        passes = 2 if p.backward else 1
        return Work(float(passes * 3 * elements), float(passes * (2 * input_bytes(p) + angle_bytes(p))))
    if p.encoding == "alibi":  # slope · distance, + score
        return Work(float(2 * elements), float(2 * input_bytes(p)))
    moved = 2 * input_bytes(p) + table_bytes(p)
    if p.encoding == "learned" and p.backward:
        return Work(float(2 * elements), float(moved + input_bytes(p) + table_bytes(p)))
    return Work(float(elements), float(moved))


# ---------------------------------------------------------------------- workspace
# What is held at the peak beside the inputs; a test weighs all of it.


def eager(p: Position) -> int:
    """Results, and what is on the way to them."""
    if p.encoding == "none":
        return 0
    if p.rotary:  # to turn a tensor takes twice its size: the halves of the result, then the result
        q, k = q_bytes(p), k_bytes(p)
        return 3 * q + 2 * k if p.backward else q + max(q, 2 * k)
    if p.encoding == "alibi":
        bias, wide, distances = score_bytes(p) // p.batch, 4 * p.heads * p.seq_len**2, 4 * p.seq_len**2
        return max(score_bytes(p) + bias, wide + max(bias, distances) if p.half else 0)
    if p.encoding == "learned":  # rows that were looked up; backward, the sum over the batch and the table's gradient
        return input_bytes(p) + table_bytes(p) * (2 if p.backward else 1)
    return input_bytes(p)


def compiled(p: Position) -> int:
    """Results and gradients only. In halves the learned table's gradient is summed in float32."""
    if p.encoding == "learned" and p.backward:
        return input_bytes(p) + table_bytes(p) * (3 if p.half else 1)
    return input_bytes(p) * (2 if p.backward and p.rotary else 1)
