"""Bytes that attention moves between memory and processor, by a model. Where hardware counters can be read, they are
better; nothing here reads them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from tbench.analysis.derive import Row

ITEMSIZES: Mapping[str, int] = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
# How often the naive kernel carries its matrix of scores past the processor: forward it writes the scores, reads and
# writes them in the softmax, and reads the weights; backward it reads weights, writes and reads their gradient, reads
# weights again, and writes the gradient of the scores and reads it twice (FlashAttention, Dao et al. 2022, Algorithms 0
# and 3).
PASSES: Mapping[str, int] = {"forward": 4, "forward_backward": 4 + 7, "decode": 4}
FUSED = ("flash", "flex")


def modelled_bytes(row: Row) -> float | None:
    """Inputs and outputs once, and for the naive kernel its scores as often as it passes over them. None where the
    model knows nothing of the case."""
    measurement, case = row.measurement, row.measurement.case
    kernel = case.get("kernel")
    if case.component != "attention" or measurement.work is None or case.get("lengths") is not None:
        return None
    if kernel in FUSED:
        return measurement.work.bytes
    batch, heads, keys = (case.get(name) for name in ("batch", "heads", "seq_len"))
    if kernel != "naive" or case.dtype not in ITEMSIZES or case.phase not in PASSES:
        return None
    if not (isinstance(batch, int) and isinstance(heads, int) and isinstance(keys, int)):
        return None
    queries = 1 if case.phase == "decode" else keys
    return measurement.work.bytes + PASSES[case.phase] * ITEMSIZES[case.dtype] * batch * heads * queries * keys
