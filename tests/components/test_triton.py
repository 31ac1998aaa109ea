"""The Triton example, checked in Triton's interpreter on the CPU, in a fresh process: the mode is read at import."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECK = """
from tbench.components import own
from tests.components.cases import attention, built

own.look_in("examples/triton-kernel")
for given in ({}, {"causal": False}, {"kv_heads": 1}, {"phase": "decode", "kv_heads": 2}):
    with built(attention("./kernels.py:attend", seq_len=100, batch=1, **given)) as workload:
        check = workload.check(3)
        assert check.passed, (given, check)
print("right")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton: pip install triton")
def test_the_triton_example_is_right_in_the_interpreter() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *sys.path]))}
    ran = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.stdout == "right\n", ran.stderr[-2000:]
