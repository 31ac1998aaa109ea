"""What a cluster gains and costs: sleeping kernels on one, two and four nodes, and what Ray adds to a short case.

    python bench/cluster.py [CASES]

Starts Ray nodes on loopback addresses of this machine, each with locks of its own, as separate machines have. Kernels
sleep, so that nodes do not share what they need. Timed from the first case's start to the end, without starting nodes.
Writes the figures to results/reliability/cluster.json. Exits 1 if two nodes are less than 1.8 times as fast as one,
four less than 3.2 times, or a short case takes more than 100 ms longer than with the local executor.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = str(ROOT)
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
sys.path.insert(0, str(ROOT))

# Imported late: Ray reads the two variables above when it is imported.
from tbench import api  # noqa: E402
from tbench.listener import Listener  # noqa: E402

LEAST = {2: 1.8, 4: 3.2}
MOST_SECONDS = 0.100
KERNEL = """\
import time
import torch.nn.functional as F

def sleeps(q, k, v, causal):
    time.sleep(0.4)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
"""
HEAD = "version: 1\nname: {name}\ncomponent: attention\nfixed: {{batch: 1, heads: 1, head_dim: 8}}\n"
SWEEP = "sweep: {{seq_len: {lengths}, kernel: [{kernels}]}}\n"
SAMPLING = (
    "sampling: {target: 0.5, min_time: 0.0, max_time: 0.5, min_rounds: 2, max_rounds: 2, "
    "warmup: 0.0, turn_time: 0.001}\n"
)


class Stopwatch(Listener):
    def start(self, cases: int, seconds: float | None) -> None:
        self.began = time.perf_counter()

    def finish(self) -> None:
        self.seconds = time.perf_counter() - self.began


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """The address of a cluster of so many nodes, besides a head that measures nothing."""
    from ray.cluster_utils import Cluster

    common = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "node_ip_address": "127.0.0.2", **common})
    try:
        for number in range(nodes):
            locks = {"TBENCH_LOCK_DIR": tempfile.mkdtemp()}
            made.add_node(num_cpus=1, node_ip_address=f"127.0.0.{3 + number}", env_vars=locks, **common)
        yield made.address
    finally:
        made.shutdown()


def seconds(scenario: Path, place: Path, where: api.Where) -> float:
    watch = Stopwatch()
    run = api.run(scenario, out=place, device="cpu", where=where, listener=watch)
    assert all(row.status == "ok" for row in run.rows), [row.reasons for row in run.rows]
    return watch.seconds


def main(cases: int) -> int:
    figures: dict[str, Any] = {"cases": cases, "seconds": {}, "speed_up": {}}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "kernels.py").write_text(KERNEL)
        lengths = [16 + number for number in range(cases)]
        sleeping, short = place / "sleeping.yaml", place / "short.yaml"
        sleeping.write_text(
            HEAD.format(name="sleeping") + SWEEP.format(lengths=lengths, kernels='"./kernels.py:sleeps"') + SAMPLING
        )
        short.write_text(HEAD.format(name="short") + SWEEP.format(lengths=lengths, kernels="naive") + SAMPLING)
        figures["local_seconds"] = seconds(short, place / "local", api.Where())
        for nodes in (1, 2, 4):
            with cluster(nodes) as address:
                on_ray = api.Where("ray", address)
                figures["seconds"][nodes] = seconds(sleeping, place / f"sleeping-{nodes}", on_ray)
                if nodes == 1:
                    figures["ray_seconds"] = seconds(short, place / "ray", on_ray)
    one = figures["seconds"][1]
    figures["speed_up"] = {nodes: one / taken for nodes, taken in figures["seconds"].items()}
    figures["overhead_seconds"] = (figures["ray_seconds"] - figures["local_seconds"]) / cases
    print(json.dumps(figures, indent=2))
    (ROOT / "results/reliability/cluster.json").write_text(json.dumps(figures, indent=2) + "\n")
    enough = all(figures["speed_up"][nodes] >= least for nodes, least in LEAST.items())
    return int(not enough or figures["overhead_seconds"] > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 24))
