"""Runs to make pages of: a sweep with every kind of row, one whose names attack the page, and a very large one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tbench.analysis.run import Run
from tbench.records import Ceilings, Measurement
from tests.synthetic import ENVIRONMENT, attention, every_status, header, ok

NAMES = (
    "<script>window.attacked = 1</script>",
    "</script><img src=x onerror=window.attacked=1>",
    "a|b",
    "=cmd()",
    "two\nlines",
    "{{ 7 * 7 }} ${7} 'quoted\" &amp; \u2028",
)
CEILINGS = Ceilings({"float32": 2e11}, ((2**15, 2e11), (2**30, 2e10)), "2026-01-02", threads=2)
PACE = {"naive": 2.0, "flash": 1.7, "auto": 1.6}


def sweep(kernels: dict[str, float], sizes: tuple[int, ...] = (512, 1024, 2048, 4096)) -> list[Measurement]:
    """Cases at several lengths whose time grows with a power of the length."""
    return [
        ok(attention("naive", size).with_(kernel=kernel), 1e-3 * (size / 512) ** power / (number + 1), size + number)
        for size in sizes
        for number, (kernel, power) in enumerate(kernels.items())
    ]


def run_of(measurements: list[Measurement], **changed: object) -> Run:
    environment = replace(ENVIRONMENT, ceilings=CEILINGS)
    return Run(Path("results/attention/example"), {**header(), **changed}, environment, tuple(measurements))


def modern() -> Run:
    others = [one for one in every_status() if one.case["seq_len"] == 65536 or one.status != "ok"]
    return run_of([*sweep(PACE), *others])


def hostile() -> Run:
    """Kernels, title and command with names that are markup, formulas, templates or lines."""
    measured = sweep({"naive": 2.0, **dict.fromkeys(NAMES, 1.5)}, (512, 1024))
    noted = [replace(one, notes=(f"note {one.case['kernel']}",)) for one in measured]
    scenario = {"name": "x", "title": NAMES[1], "sampling": {"target": 0.02, "max_time": 5.0, "cache": NAMES[0]}}
    return run_of(noted, scenario=scenario, command=["run", NAMES[0], "-k", NAMES[3]])


def large(cases: int) -> Run:
    """Many cases of few samples each, as a wide sweep has them."""
    kernels = [f"kernel-{number}" for number in range(10)]
    sizes = [512, 1024, 2048, 4096]
    made: list[Measurement] = []
    heads = 1
    while len(made) < cases:
        base = attention("naive").with_(heads=heads, kv_heads=heads)
        for size in sizes:
            for number, kernel in enumerate(kernels):
                case = base.with_(seq_len=size, kernel=kernel)
                baseline = base.with_(seq_len=size, kernel=kernels[0]).id
                made.append(ok(case, 1e-3 * size * heads / (number + 1), len(made), baseline=baseline))
        heads += 1
    return run_of(made[:cases])
