"""The results as a pandas frame, in exactly the columns that other people's scripts are written against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tbench.analysis import clocks
from tbench.analysis.derive import Row
from tbench.analysis.statistics import Interval
from tbench.records import Value
from tbench.tables.json import finite

if TYPE_CHECKING:
    import pandas as pd

IDENTITY = ("case", "component", "phase", "device", "dtype")
TEXTS = ("status", "reason")
RESULTS = (
    "latency_ms",
    "latency_ms_low",
    "latency_ms_high",
    "samples",
    "speedup",
    "speedup_low",
    "speedup_high",
    "peak_memory_bytes",
    "memory_ratio",
    "tflops",
    "gbytes_per_s",
    "limit_fraction",
    "error",
)
# Columns where any row was timed on a GPU.
ON_A_GPU = ("clock", "host_us", "sm_mhz", "energy_joules", "power_watts", "tflops_flash_attention")
RECOMPUTED = 14 / 12  # FLOPs of a training step as FlashAttention counts them: the scores once more (Dao 2023, §4.1)
PLACE = ("host", "device_name")  # of rows of a cluster
INTEGERS = ("samples", "peak_memory_bytes")


def to_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """One row per measurement. Columns: `case, component, phase, device, dtype`, one per axis (the union, in the order
    first seen), then `status … error` as in `docs/results.md`.

    Times in milliseconds, memory in bytes, `error` relative to the float64 oracle. What could not be had is
    missing (NaN, `<NA>` in whole-number columns, None for an axis a component has not), never 0; `reason` says why.
    """
    import pandas as pd

    cells = [row_cells(row) for row in rows]
    data: dict[str, Any] = {}
    for name in columns(rows):
        values = [one.get(name) for one in cells]
        data[name] = pd.Series(values, dtype=_dtype(name, values))
    return pd.DataFrame(data)


def columns(rows: Sequence[Row]) -> list[str]:
    """The columns of results.csv, in the order of the contract; a run on a cluster adds `host` and `device_name`."""
    gpu = ON_A_GPU if any(clocks.on_gpu(row.measurement) for row in rows) else ()
    place = PLACE if any(row.measurement.host for row in rows) else ()
    return [*IDENTITY, *axis_names(rows), *TEXTS, *RESULTS, *gpu, *place]


def axis_names(rows: Sequence[Row]) -> list[str]:
    """Every axis of any row, in the order first seen."""
    return list(dict.fromkeys(name for row in rows for name, _ in row.measurement.case.axes))


def row_cells(row: Row) -> Mapping[str, Value | None]:
    """A row's values by column. None, or no such key for NaN and infinities: not a figure."""
    case = row.measurement.case
    low, middle, high = _ends(row.latency, 1e3)
    slow, ratio, fast = _ends(row.speedup, 1.0)
    cells: dict[str, Value | None] = {
        "case": case.id,
        "component": case.component,
        "phase": case.phase,
        "device": case.device,
        "dtype": case.dtype,
        **dict(case.axes),
        "status": row.status,
        "reason": "; ".join(reason.text for reason in row.reasons),
        "latency_ms": middle,
        "latency_ms_low": low,
        "latency_ms_high": high,
        "samples": row.samples,
        "speedup": ratio,
        "speedup_low": slow,
        "speedup_high": fast,
        "peak_memory_bytes": row.peak_memory_bytes,
        "memory_ratio": row.memory_ratio,
        "tflops": row.tflops,
        "gbytes_per_s": row.gbytes_per_s,
        "limit_fraction": row.limit_fraction,
        "error": row.error,
        **gpu_cells(row),
        "host": row.measurement.host or None,
        "device_name": row.measurement.device_name or None,
    }
    return {name: finite(value) for name, value in cells.items()}


def gpu_cells(row: Row) -> Mapping[str, Value | None]:
    """What only a GPU's row has."""
    measurement = row.measurement
    host, energy = clocks.host_seconds(measurement), measurement.energy
    return {
        "clock": clocks.told(measurement),
        "host_us": None if host is None else host * 1e6,
        "sm_mhz": clocks.sm_mhz(measurement),
        "energy_joules": energy.joules if energy else None,
        "power_watts": energy.watts if energy else None,
        "tflops_flash_attention": as_flash_attention_counts(row),
    }


def as_flash_attention_counts(row: Row) -> float | None:
    """Attention's TFLOP/s in the convention of FlashAttention's papers."""
    case = row.measurement.case
    if row.tflops is None or case.component != "attention":
        return None
    return row.tflops * (RECOMPUTED if case.phase == "forward_backward" else 1.0)


def _ends(one: Interval | None, scale: float) -> tuple[float | None, float | None, float | None]:
    if one is None:
        return None, None, None
    return (
        None if one.low is None else one.low * scale,
        one.estimate * scale,
        None if one.high is None else one.high * scale,
    )


def _dtype(name: str, values: Sequence[Value | None]) -> str | None:
    """Whole numbers stay whole beside missing ones; mixed columns keep their values; None: text as pandas has it."""
    if name in INTEGERS:
        return "Int64"
    if name in RESULTS or name in ON_A_GPU[1:]:
        return "float64"
    kinds = {type(value) for value in values}
    if kinds == {int}:
        return "int64"
    if kinds == {int, type(None)}:
        return "Int64"
    if kinds == {str}:
        return None
    return "bool" if kinds == {bool} else "object"
