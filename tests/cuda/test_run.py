"""`tbench run` on a real GPU, through the command line: workers are forked, and must be able to use it."""

from __future__ import annotations

from pathlib import Path

import pytest

import tbench
from tbench.cli import exit_code

SHORT = "{target: 0.5, min_time: 0.0, max_time: 0.2, min_rounds: 2, max_rounds: 2, warmup: 0.0, turn_time: 0.002}"
PARTS = {
    "attention": """\
fixed: {heads: 4, head_dim: 64, dtype: bfloat16}
sweep: {phase: [forward, forward_backward, decode], seq_len: [128], kernel: [naive, naive-compiled, flash]}
""",
    "norm": """\
fixed: {dtype: bfloat16, seq_len: 128, hidden: 256}
sweep: {phase: [forward, forward_backward], norm: [layernorm, rmsnorm], kernel: [default, compiled]}
""",
    "feedforward": """\
fixed: {dtype: bfloat16, seq_len: 128, hidden: 256}
sweep: {phase: [forward, forward_backward], activation: [relu, swiglu], kernel: [default]}
""",
    "position": """\
fixed: {dtype: bfloat16, seq_len: 128, heads: 4, head_dim: 64}
sweep: {phase: [forward, forward_backward], encoding: [sinusoidal, learned, rope, alibi], kernel: [default]}
""",
    "block": """\
fixed: {dtype: bfloat16, seq_len: 128, hidden: 256, heads: 4}
sweep: {phase: [forward, forward_backward, decode], design: ["2017", "2024"]}
""",
}


@pytest.mark.parametrize("component", PARTS)
def test_forked_workers_measure_on_the_gpu(component: str, tmp_path: Path) -> None:
    """Also where the compiler was imported before the fork, which looks for GPUs."""
    scenario, run = tmp_path / "small.yaml", tmp_path / "run"
    scenario.write_text(f"version: 1\nname: small\ncomponent: {component}\n{PARTS[component]}sampling: {SHORT}\n")
    assert exit_code(["run", str(scenario), "-o", str(run), "--device", "cuda"]) == 0
    frame = tbench.read_run(run)
    assert list(frame["status"].unique()) == ["ok"], frame["reason"].tolist()
    assert (frame["latency_ms"] > 0).all()
    assert (frame["peak_memory_bytes"] > 0).all()
    assert set(frame["device"]) == {"cuda:0"}
