"""Predicted peak bytes against weighed ones: exact where they are claimed to be, good enough to plan elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tbench.catalog import get
from tbench.components.attention import ATTENTION, workspace
from tbench.execution.plan import CONTEXT_BYTES
from tbench.measure import memory
from tbench.measure.device import open_device
from tbench.records import Case, Measurement
from tests.components.cases import attention, built

SHARING = (4, 2, 1)  # of 4 heads: MHA, GQA, MQA


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Some scratch space is per thread."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def ratio(case: Case) -> float:
    """Weighed peak bytes by predicted ones."""
    with built(case) as workload:
        workload.call()  # the first call may allocate what stays
        peak = memory.peak(open_device("cpu"), workload).peak_bytes
    assert peak is not None
    return peak / ATTENTION.predict_bytes(case)


EXACT: list[dict[str, Any]] = [
    *({"kernel": "naive", "phase": "forward", "seq_len": n, "causal": c} for n in (65, 512) for c in (True, False)),
    *({"kernel": "naive", "phase": "forward_backward", "seq_len": n} for n in (300, 512)),
    {"kernel": "naive", "phase": "forward", "seq_len": 300, "pattern": "window:32"},
    {"kernel": "naive", "phase": "forward", "seq_len": 300, "pattern": "alternating:32:2"},
    {"kernel": "naive", "phase": "decode", "seq_len": 2000},
    {"kernel": "naive", "phase": "decode", "seq_len": 2000, "lengths": "ragged"},
    *({"kernel": "flash", "phase": "forward", "seq_len": n} for n in (65, 300, 1500)),
    {"kernel": "flash", "phase": "forward", "seq_len": 300, "causal": False},
    *({"kernel": "flash", "phase": phase, "seq_len": 700, "dtype": "bfloat16"} for phase in ("forward", "decode")),
    {"kernel": "flash", "phase": "decode", "seq_len": 2000},
    {"kernel": "flash", "phase": "decode", "seq_len": 2000, "pattern": "window:256"},
]


def identity(given: dict[str, Any]) -> str:
    return "-".join(str(value) for value in given.values())


@pytest.mark.parametrize("given", EXACT, ids=identity)
def test_naive_flash_and_decode_are_predicted_within_two_percent(given: dict[str, Any]) -> None:
    for kv_heads in SHARING:
        assert ratio(attention(kv_heads=kv_heads, head_dim=64, **given)) == pytest.approx(1, abs=0.02), kv_heads


PLANNED: list[dict[str, Any]] = [
    *({"kernel": "flash", "phase": "forward_backward", "causal": c} for c in (True, False)),
    *({"kernel": "math", "phase": phase} for phase in ("forward", "forward_backward", "decode")),
    {"kernel": "math", "phase": "forward", "dtype": "bfloat16"},
    *({"kernel": "masked", "phase": phase, "pattern": "window:64"} for phase in ("forward", "forward_backward")),
    {"kernel": "masked", "phase": "decode", "pattern": "strided:32:32"},
    {"kernel": "masked", "phase": "decode", "lengths": "ragged"},
    *({"kernel": "chunked", "phase": phase, "pattern": "window:64"} for phase in ("forward", "forward_backward")),
    {"kernel": "naive", "phase": "forward", "dtype": "bfloat16"},
    {"kernel": "naive", "phase": "forward_backward", "dtype": "float16", "seq_len": 256},
]


@pytest.mark.parametrize("given", PLANNED, ids=identity)
def test_the_others_are_predicted_well_enough_to_plan(given: dict[str, Any]) -> None:
    """Never more than planned for by half: what is told to fit would not. On processors without bfloat16 units oneDNN
    keeps a copy as large as the scores where all heads share one KV head: 1.40 there."""
    for kv_heads in SHARING:
        unit = given.get("dtype") != "bfloat16" or workspace.processor_flags() & {"avx512_bf16", "amx_bf16"}
        most = 1.25 if unit or kv_heads > 1 else 1.5
        assert 0.6 <= ratio(attention(kv_heads=kv_heads, head_dim=64, **{"seq_len": 700} | given)) <= most, kv_heads


def test_tiles_are_far_smaller_than_scores() -> None:
    naive, flash = (
        ATTENTION.predict_bytes(attention(kernel, seq_len=8192, head_dim=64)) for kernel in ("naive", "flash")
    )
    assert naive > 20 * flash


@pytest.mark.parametrize(
    ("dtype", "flag"), [("bfloat16", "amx_bf16"), ("float16", "amx_fp16"), ("float32", "amx_bf16")]
)
def test_keys_are_packed_where_the_processor_has_a_matrix_unit_for_them(
    dtype: str, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predicted(*flags: str, **given: Any) -> int:
        monkeypatch.setattr(workspace, "processor_flags", lambda: frozenset(flags))
        return ATTENTION.predict_bytes(attention(kernel="flash", seq_len=700, head_dim=64, dtype=dtype, **given))

    assert (predicted(flag) > predicted("avx512f")) == (dtype != "float32")
    assert predicted() == predicted("avx512f")
    assert predicted(flag, phase="decode") == predicted(phase="decode")  # one query is not worth it


H100 = Path(__file__).parents[2] / "results/gpu-h100/document/measurements.jsonl"
WEIGHED = [
    measurement
    for measurement in map(Measurement.from_dict, map(json.loads, H100.read_text(encoding="utf-8").splitlines()))
    if measurement.memory is not None and measurement.memory.peak_bytes is not None
]
WITHIN = {"naive": 0.02, "flash": 0.04, "flex": 0.1}  # the rest: 15%


@pytest.mark.parametrize("measurement", WEIGHED, ids=lambda one: one.case.id)
def test_what_a_gpu_weighed_is_what_is_planned_for(measurement: Measurement) -> None:
    """Committed measurements are the only GPU that tests always have."""
    assert measurement.memory is not None
    peak = measurement.memory.peak_bytes
    predicted = get(measurement.case.component).predict_bytes(measurement.case)
    assert predicted == pytest.approx(peak, rel=WITHIN.get(str(measurement.case["kernel"]), 0.15))


def test_a_context_on_a_gpu_is_what_is_planned_for() -> None:
    """What a process held of the GPU beside what its allocator had taken."""
    held = [
        measurement.memory.process_peak_bytes - measurement.memory.reserved_bytes
        for measurement in WEIGHED
        if measurement.memory and measurement.memory.process_peak_bytes and measurement.memory.reserved_bytes
    ]
    assert len(held) > 40
    assert max(held) <= CONTEXT_BYTES <= 1.1 * max(held)
