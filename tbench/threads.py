"""How many threads a worker computes with: one number, for the worker's environment and for the formulas."""

from __future__ import annotations

import os


def worker_threads() -> int:
    """OMP_NUM_THREADS where the user set it, else the cores this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # one number for each nesting level
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
