"""Runs made up for comparisons, and stored ones for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tbench.analysis.run import Run
from tbench.records import Environment, Measurement, Memory
from tbench.store import RunFolder
from tests.synthetic import ENVIRONMENT, attention, failed, header, ok, turns

HERE = replace(ENVIRONMENT, ceilings=None, warnings=(), load=0.0)  # made-up times are faster than any machine


def run_of(
    measurements: Sequence[Measurement], folder: str = "results/made-up", environment: Environment = HERE, **head: Any
) -> Run:
    return Run(Path(folder), {**header(), **head}, environment, tuple(measurements))


def stored(folder: Path, measurements: Sequence[Measurement], environment: Environment = HERE) -> str:
    """A complete run on disk, as `tbench run` leaves it; the path, for a command line."""
    cases = [one.case.id for one in measurements]
    with RunFolder.create(folder, {**header(), "cases": cases, "environment": environment.to_dict()}) as run:
        for measurement in measurements:
            run.append(measurement)
        run.finish()
    return str(folder)


def timed(kernel: str, seconds: float, seed: int, seq_len: int = 1024, **other: Any) -> Measurement:
    """A case that takes `seconds`; processes are `between` (1%) apart, `rounds` (4) of them."""
    shape = {name: other.pop(name) for name in ("rounds", "between") if name in other}
    return ok(attention(kernel, seq_len), seconds, seed, turns=turns(seconds, seed, **shape), **other)


def weighing(measurement: Measurement, peak: int | None) -> Measurement:
    return replace(measurement, memory=Memory(peak))


def times(measurement: Measurement, factor: float) -> Measurement:
    """The same samples, all by a factor longer."""
    slower = (replace(turn, seconds=tuple(factor * one for one in turn.seconds)) for turn in measurement.turns)
    return replace(measurement, turns=tuple(slower))


def before() -> list[Measurement]:
    """A base in which every verdict has its case."""
    return [
        timed("naive", 36e-3, 1),
        timed("flash", 6.5e-3, 2),
        timed("auto", 6.6e-3, 3, ran="flash"),
        timed("chunked", 9e-3, 4, between=0.06),
        failed(attention("flex"), "unsupported", "needs a C++ compiler to build its kernel: install g++"),
        timed("naive", 0.81, 5, 4096),
        timed("flash", 0.105, 6, 4096),
        failed(attention("flex", 4096), "timeout", "set-up took longer than 120 s: raise sampling.timeout"),
        timed("chunked", 0.09, 7, 4096),
        failed(attention("naive", 65536), "oom", "needs 256 GiB, 14.2 GiB are free"),
        timed("masked", 0.2, 8, 4096),
    ]


def after() -> list[Measurement]:
    """The same on the new side: slower, faster, and so on, in the order of `before`."""
    return [
        timed("naive", 36e-3, 11),
        timed("flash", 8.1e-3, 12),
        timed("auto", 3.1e-3, 13, ran="efficient"),
        timed("chunked", 9.4e-3, 14, between=0.06),
        failed(attention("flex"), "unsupported", "needs a C++ compiler to build its kernel: install g++"),
        weighing(timed("naive", 0.81, 15, 4096), 3 * 2**30),
        failed(attention("flash", 4096), "wrong", "relative error 0.031 is above 1e-05", error=0.031, error_limit=1e-5),
        timed("flex", 0.046, 16, 4096),
        failed(attention("naive", 65536), "oom", "needs 256 GiB, 14.2 GiB are free"),
        timed("masked", 0.2, 18, 4096),
        timed("cudnn", 0.06, 19, 4096),
    ]
