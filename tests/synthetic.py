"""Measurements made up from a seed: every status, with figures a reader can check by eye."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from tbench.records import Case, Ceilings, Environment, Measurement, Memory, Status, Turn, Work

CEILINGS = Ceilings(
    {"float32": 170e9, "bfloat16": 420e9}, ((2**20, 90e9), (2**28, 33e9)), "2026-01-02T03:04:05+00:00", 2
)
ENVIRONMENT = Environment(
    device="cpu",
    device_name="Example 9000 Processor",
    python="3.11.9",
    torch="2.13.0",
    platform="Linux-6.1-x86_64",
    cpu="Example 9000 Processor",
    cores=2,
    threads=2,
    memory_bytes=16 * 2**30,
    last_level_cache_bytes=32 * 2**20,
    warnings=("other processes use 0.4 cores: stop them, or expect wider intervals",),
    ceilings=CEILINGS,
)


def turns(seconds: float, seed: int, rounds: int = 4, visits: int = 4, between: float = 0.01) -> tuple[Turn, ...]:
    """Turns of a case that takes `seconds`, 1% apart from process to process and 0.5% from turn to turn."""
    chance = random.Random(seed)
    taken = []
    for number in range(rounds):
        process = chance.gauss(0, between)
        for visit in range(visits):
            centre = process + chance.gauss(0, 0.005)
            taken.append(
                Turn(number, visit, 1, tuple(seconds * math.exp(centre + chance.gauss(0, 0.003)) for _ in range(5)))
            )
    return tuple(taken)


def attention(kernel: str, seq_len: int = 1024, kv_heads: int = 8, phase: str = "forward", **changed: str) -> Case:
    case = Case(
        "attention",
        phase,
        "cpu",
        "float32",
        (
            ("batch", 1),
            ("seq_len", seq_len),
            ("heads", 8),
            ("kv_heads", kv_heads),
            ("head_dim", 64),
            ("causal", True),
            ("pattern", "full"),
            ("kernel", kernel),
        ),
    )
    return case.with_(**changed)


def ok(case: Case, seconds: float, seed: int, **other: object) -> Measurement:
    length = case.integer("seq_len")
    decode = case.phase == "decode"
    heads, kv_heads = case.integer("heads"), case.integer("kv_heads")
    cache = 2 * kv_heads * length * 64 * 4
    work = (
        Work(4.0 * heads * length * 64, float(cache), cache)
        if decode
        else Work(2.0 * 8 * length**2 * 64, 16.0 * 8 * length * 64)
    )
    peak = 8 * length**2 * 4 * 2 if case["kernel"] == "naive" else 8 * length * 64 * 16
    given: dict[str, object] = {
        "baseline": case.with_(kernel="naive").id,
        "turns": turns(seconds, seed),
        "stopped": "target",
        "target": 0.05,
        "error": 2.1e-7,
        "error_limit": 1e-5,
        "memory": Memory(peak_bytes=peak),
        "work": work,
        "ran": str(case["kernel"]),
    }
    return Measurement(case, "ok", **{**given, **other})  # type: ignore[arg-type]


def failed(case: Case, status: Status, reason: str, **other: object) -> Measurement:
    return Measurement(case, status, reason, baseline=case.with_(kernel="naive").id, **other)  # type: ignore[arg-type]


def with_telemetry(measurement: Measurement, **telemetry: object) -> Measurement:
    return replace(measurement, turns=tuple(replace(turn, telemetry=telemetry) for turn in measurement.turns))


def every_status() -> list[Measurement]:
    """A sweep in which everything that can happen has happened."""
    small, large, huge = 1024, 4096, 65536
    return [
        ok(attention("naive", small), 36.1e-3, 1),
        ok(attention("flash", small), 6.56e-3, 2),
        ok(attention("auto", small), 6.6e-3, 3, ran="flash"),
        failed(attention("flex", small), "unsupported", "needs a C++ compiler to build its kernel: install g++"),
        ok(attention("naive", large), 0.84, 4, stopped="max_time", target=0.005),
        ok(
            attention("flash", large),
            105e-3,
            5,
            turns=turns(105e-3, 5, between=0.08),
            stopped="max_rounds",
            target=0.02,
        ),
        failed(
            attention("chunked", large), "wrong", "relative error nan is above 1e-05", error=math.nan, error_limit=1e-5
        ),
        failed(attention("flex", large), "timeout", "set-up took longer than 120 s: raise sampling.timeout"),
        failed(attention("naive", huge), "oom", "needs 256 GiB, 14.2 GiB are free"),
        ok(
            attention("flash", huge),
            27.0,
            6,
            memory=Memory(None, unavailable={"peak_bytes": "profiler gave no events"}),
        ),
        failed(attention("flex", huge), "error", "the worker died: segmentation fault (signal 11)"),
    ]


def decode() -> list[Measurement]:
    """KV sharing in decode: heads and kv_heads differ."""
    return [
        ok(
            attention("flash", 16384, kv_heads, phase="decode"),
            seconds,
            kv_heads,
            baseline=attention("flash", 16384, 8, "decode").id,
        )
        for kv_heads, seconds in ((8, 8.9e-3), (2, 2.6e-3), (1, 0.82e-3))
    ]


def header() -> dict[str, object]:
    return {
        "schema_version": 1,
        "status": "complete",
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "2026-01-02T03:09:05+00:00",
        "scenario": {
            "name": "attention",
            "title": "Naive and flash attention",
            "sampling": {"target": 0.02, "max_time": 5.0, "cache": "hot"},
        },
        "seed": 0,
        "counts": {"planned": 11, "error": 1, "ok": 6},
        "command": ["run", "scenarios/attention.yaml", "-k", "seq_len=1024,4096,65536"],
    }
