"""Modules that use CUDA when imported keep it from forked workers: the server then does without them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tbench.execution.executor import WorkerFailed
from tbench.execution.forkserver import poisoned
from tbench.execution.local import LocalExecutor
from tbench.measure.state import set_fp32_precision
from tests.components.cases import attention
from tests.execution.test_executor import KERNELS

# Stands in for a compiler that asks the CUDA runtime for devices: from then on children say that they are bad forks.
POISON = """
import os
import torch

torch.version.cuda = "13.0"
server = os.getpid()
torch.cuda._is_in_bad_fork = lambda: os.getpid() != server
open(os.environ["TBENCH_TEST_LOG"], "a").write("imported\\n")
"""


def test_a_server_whose_forks_can_use_a_gpu_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tbench.execution.worker.for_gpus", lambda: True)
    monkeypatch.setattr("tbench.execution.worker.bad_fork", lambda: False)
    assert not poisoned()


def test_a_server_whose_forks_could_not_use_a_gpu_starts_again_without_preloading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    (tmp_path / "looks_for_gpus.py").write_text(POISON)
    monkeypatch.setenv("TBENCH_TEST_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    with LocalExecutor(modules=["looks_for_gpus"]) as executor:
        worker = executor.start()
        try:
            # The version is only changed where the module was imported, before the fork.
            assert worker.ask("resolve", 30, device="cpu") == "cpu"
            changed = "built without CUDA" not in str(asked(worker))
        finally:
            worker.close()
    assert log.read_text() == "imported\n"
    assert not changed


def asked(worker: object) -> str:
    try:
        return str(worker.ask("resolve", 30, device="cuda"))  # type: ignore[attr-defined]
    except Exception as refused:
        return str(refused)


def test_what_compiles_for_a_gpu_does_so_once_before_the_first_round_and_in_no_template() -> None:
    """A template that had used the GPU could not be forked."""
    asked: list[tuple[str, bool]] = []

    class Worker:
        def ask(self, do: str, timeout: float, **arguments: Any) -> None:
            asked.append((do, arguments["call"]))
            raise WorkerFailed("error", "no GPU here: the first round will say so")

        def close(self) -> None:
            asked.append(("closed", False))

    executor = object.__new__(LocalExecutor)
    executor.templates, executor._built, executor._made = True, set(), {}
    executor._root = SimpleNamespace(fork=Worker)  # type: ignore[assignment]
    case = attention("flex", device="cuda:0", dtype="bfloat16")
    assert executor.template(case, None) is None
    assert executor.template(case, None) is None
    assert asked == [("warm", True), ("closed", False)]
    assert executor.template(attention("naive", device="cuda:0"), None) is None
    assert len(asked) == 2


def test_float32_is_what_is_asked_for_whatever_the_container_says() -> None:
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")  # as TORCH_ALLOW_TF32_CUBLAS_OVERRIDE has it
        set_fp32_precision("ieee")
        assert torch.get_float32_matmul_precision() == "highest"
        set_fp32_precision("tf32")
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("kernel", ["naive-compiled", "./kernels.py:attend"])
def test_a_template_can_be_forked_whatever_threads_pytorch_keeps(kernel: str, tmp_path: Path) -> None:
    """It is given up where a thread is left in it; setting their number makes PyTorch start a pool that stays."""
    (tmp_path / "kernels.py").write_text(KERNELS)
    case = attention(kernel, heads=1, kv_heads=1)
    look = {"folder": str(tmp_path)}
    modules = ["torch._dynamo"] if kernel == "naive-compiled" else []
    with LocalExecutor(threads=2, modules=modules, templates=True) as executor:
        worker = executor.start(case, look)
        try:
            assert executor._made[next(iter(executor._made))] is not None
            assert worker.ask("probe", 120, case=case, seed=1) == kernel
        finally:
            worker.close()
