"""Runs to store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tbench.records import Measurement
from tbench.store import RunFolder
from tests.synthetic import ENVIRONMENT, attention, failed, ok

HEADER_GIVEN: dict[str, Any] = {
    "scenario": {"name": "attention", "sweep": {"seq_len": (512, 1024)}, "sampling": {"target": 0.02}},
    "environment": ENVIRONMENT.to_dict(),
    "seed": 0,
    "select": [],
    "counts": {"planned": 3},
}


def three() -> list[Measurement]:
    return [
        ok(attention("naive"), 36e-3, 1),
        ok(attention("flash"), 6e-3, 2),
        failed(attention("flex"), "oom", "too big"),
    ]


def started(folder: Path, measurements: list[Measurement], header: Mapping[str, Any] = HEADER_GIVEN) -> None:
    with RunFolder.create(folder, header) as run:
        for measurement in measurements:
            run.append(measurement)
