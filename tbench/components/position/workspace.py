"""What an encoding holds at the peak beside its inputs: the analytic side of `peak_memory_bytes`. No torch.

A test weighs all of these.
"""

from __future__ import annotations

from tbench.components.position.formulas import Position, input_bytes, k_bytes, q_bytes, score_bytes, table_bytes


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
