"""A run on a real cluster of two nodes on this machine's loopback addresses; one of them dies in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tbench.cli import exit_code

pytestmark = pytest.mark.whole
cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed: pip install 'tbench[ray]'")

KERNEL = """\
import time
import torch.nn.functional as F

def slow(q, k, v, causal):
    time.sleep(0.02)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
"""
SCENARIO = """\
version: 1
name: cluster
component: attention
fixed: {batch: 1, heads: 2, head_dim: 16}
sweep: {seq_len: [32, 48, 64, 80], kernel: [naive, "./kernels.py:slow"]}
baseline: {kernel: naive}
sampling: {target: 0.5, min_time: 0.0, max_time: 0.2, min_rounds: 2, max_rounds: 2, warmup: 0.0, turn_time: 0.002}
"""
STORE = 80 * 2**20


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that measures too, and a second node, each with locks of its own, as two machines have."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("TBENCH_LOCK_DIR", str(tmp_path))
    head = {"num_cpus": 1, "object_store_memory": STORE, "node_ip_address": "127.0.0.2", "include_dashboard": False}
    made = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        yield made
    finally:
        made.shutdown()


def test_a_node_dies_and_every_case_is_measured_with_its_group_on_one_node(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kernels.py").write_text(KERNEL)
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    locks = tmp_path / "second"
    locks.mkdir()
    second = cluster.add_node(
        num_cpus=1,
        object_store_memory=STORE,
        node_ip_address="127.0.0.3",
        env_vars={"TBENCH_LOCK_DIR": str(locks)},
    )
    run = tmp_path / "run"
    lines = run / "measurements.jsonl"

    def kill() -> None:
        ends = time.monotonic() + 120
        while time.monotonic() < ends and not (lines.exists() and lines.read_bytes().count(b"\n") >= 2):
            time.sleep(0.02)
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    on_ray = ["--device", "cpu", "--executor", "ray", "--address", cluster.address]
    command = ["run", str(tmp_path / "scenario.yaml"), "-o", str(run), *on_ray]
    code = exit_code(command)
    killer.join()
    out, err = capsys.readouterr()
    assert code == 0, err
    frame = pd.read_csv(run / "results.csv")
    assert list(frame["status"]) == ["ok"] * 8
    assert list(frame.columns[-2:]) == ["host", "device_name"]
    assert (frame.groupby("seq_len")["host"].nunique() == 1).all()
    assert frame["speedup"].notna().all()
    assert lines.read_bytes().count(b"\n") == 8
    assert "machines (" in out
    before = lines.read_bytes()
    assert exit_code([*command, "--resume"]) == 0
    assert lines.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--executor", "ray", "--device", "cuda:1"], "write auto, cpu or cuda"),
        (["--executor", "ray", "--address", "ray://127.0.0.1:1"], "write HOST:PORT"),
        (["--executor", "ray", "--per-node", "0"], "must be at least 1"),
        (["--executor", "ray", "--dry-run"], "leave out --executor"),
        (["--address", "127.0.0.1:1"], "add --executor ray"),
    ],
)
def test_mistakes_are_refused_before_anything_is_connected(
    tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scenario.yaml").write_text(SCENARIO.replace(', "./kernels.py:slow"', ", flash"))
    assert exit_code(["run", str(tmp_path / "scenario.yaml"), "-o", str(tmp_path / "run"), *options]) == 2
    assert said in capsys.readouterr().err
