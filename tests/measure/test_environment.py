"""What spoils measurements is said, each with a remedy; what does not is not."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tbench.measure import compiler, environment
from tbench.measure.environment import Situation, capture, pin_threads, warnings
from tbench.measure.nvml import Refused
from tbench.records import Environment

QUIET = Situation(device="cpu", cores=8, threads=8, load=0.1, governor="performance")
QUIET_GPU = replace(QUIET, device="cuda:0", nvidia_gpu=True, torch_has_gpu_support=True)


def said(situation: Situation, **variables: str) -> list[str]:
    return list(warnings(situation, variables))


@pytest.mark.parametrize("situation", [QUIET, QUIET_GPU, replace(QUIET, load=None, governor=None, quota=8.0)])
def test_a_quiet_machine_has_no_warning(situation: Situation) -> None:
    assert said(situation) == []


@pytest.mark.parametrize(
    ("situation", "what", "remedy"),
    [
        (replace(QUIET, load=3.0), "3.0 of 8 cores busy", "tbench doctor --refresh"),
        (replace(QUIET, threads=1), "one thread on 8 cores", "set OMP_NUM_THREADS=8"),
        (replace(QUIET, threads=16), "16 threads on 8 cores", "set OMP_NUM_THREADS=8"),
        (replace(QUIET, quota=2.5), "is limited to 2.5 cores", "set OMP_NUM_THREADS=2 or raise its CPU limit"),
        (replace(QUIET, quota=0.5), "is limited to 0.5 cores", "set OMP_NUM_THREADS=1"),
        (replace(QUIET, governor="powersave"), "powersave", "cpupower frequency-set -g performance"),
        (replace(QUIET, nvidia_gpu=True), "built without CUDA", "install a CUDA build"),
        (replace(QUIET, cache_problem="/x cannot be written (No space)"), "/x cannot be written", "set XDG_CACHE_HOME"),
        (replace(QUIET_GPU, throttled=("power brake",)), "already throttled (power brake)", "let it cool down"),
        (replace(QUIET_GPU, other_gpu_processes=2), "2 other process(es) use cuda:0", "end them"),
        (replace(QUIET_GPU, mig=True), "MIG slice", "turn MIG off"),
        (replace(QUIET_GPU, compute_mode="exclusive process"), "one process at a time", "sudo nvidia-smi -c 0"),
        (
            replace(QUIET_GPU, visible_gpus=("H100", "L4")),
            "2 GPUs are visible, cuda:0 (H100), cuda:1 (L4); this run uses cuda:0 only",
            "--device names another",
        ),
    ],
)
def test_what_spoils_measurements_is_said_with_a_remedy(situation: Situation, what: str, remedy: str) -> None:
    (sentence,) = said(situation)
    assert what in sentence
    assert remedy in sentence


def test_a_container_that_forces_tf32_is_told() -> None:
    (sentence,) = said(QUIET_GPU, NVIDIA_TF32_OVERRIDE="1")
    assert "fp32_precision: tf32" in sentence
    assert said(QUIET_GPU, NVIDIA_TF32_OVERRIDE="0", TORCH_ALLOW_TF32_CUBLAS_OVERRIDE="1") == []


def test_the_remedy_changes_when_the_user_has_set_the_threads() -> None:
    (sentence,) = said(replace(QUIET, threads=1), OMP_NUM_THREADS="1")
    assert "unset OMP_NUM_THREADS" in sentence


def test_one_thread_on_one_core_is_all_there_is() -> None:
    assert said(replace(QUIET, cores=1, threads=1)) == []


@pytest.mark.parametrize(
    ("policy", "what"), [("passive", "short calls take up"), ("ACTIVE", "keeps a worker's threads")]
)
def test_a_policy_of_openmp_that_others_do_not_have_is_said(policy: str, what: str) -> None:
    (sentence,) = said(QUIET, OMP_WAIT_POLICY=policy)
    assert what in sentence
    assert "unset it" in sentence


@pytest.mark.parametrize("variable", ["CUDA_LAUNCH_BLOCKING", "PYTORCH_NO_CUDA_MEMORY_CACHING"])
def test_variables_that_slow_cuda_down_matter_there_only(variable: str) -> None:
    (sentence,) = said(QUIET_GPU, **{variable: "1"})
    assert sentence.startswith(variable)
    assert sentence.endswith("unset it")
    assert said(QUIET_GPU, **{variable: "0"}) == []
    assert said(QUIET, **{variable: "1"}) == []


def test_this_machine_is_described() -> None:
    here = capture("cpu")
    assert (here.device, here.torch) == ("cpu", torch.__version__)
    assert here.device_name == here.cpu
    assert here.threads == torch.get_num_threads()
    assert here.packages["tbench"]
    assert here.device_uuid is None
    assert (here.load is None) == ("load" in here.unavailable)
    assert Environment.from_dict(here.to_dict()) == here


def test_a_description_can_be_read_without_torch() -> None:
    """torch's kind of string for its version had the command line import all of torch, two seconds a run."""
    assert b"torch." not in pickle.dumps(capture("cpu"))


def test_a_gpu_is_described_and_what_it_refuses_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(name="Fake GPU", uuid="1-2-3", total_memory=80 << 30, L2_cache_size=50 << 20)

    def refuses() -> str:
        raise Refused("no driver here")

    class Slowed:
        def __init__(self, uuid: str) -> None:
            assert uuid == "1-2-3"

        def snapshot(self, names: tuple[str, ...]) -> dict[str, Any]:
            return {"clock_reasons": ["idle", "power brake"], "unavailable": {"other_processes": "in a container"}}

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(environment, "Telemetry", Slowed)
    monkeypatch.setattr(environment, "driver_version", refuses)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91301)
    here = capture("cuda:0")
    assert here.cudnn == "9.13.1"
    assert (here.device_name, here.device_uuid, here.device_memory_bytes) == ("Fake GPU", "1-2-3", 80 << 30)
    assert here.last_level_cache_bytes == 50 << 20
    assert here.driver is None
    assert here.unavailable.items() >= {"driver": "no driver here", "other_processes": "in a container"}.items()
    assert any("already throttled (power brake)" in warning for warning in here.warnings)


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert any("cannot be written (Not a directory)" in warning for warning in capture("cpu").warnings)


@pytest.mark.parametrize(("asked", "threads"), [("1", 1), ("1,2", 1), ("", None), ("many", None), ("0", None)])
def test_threads_are_pinned(asked: str, threads: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    try:
        assert pin_threads() == (threads or len(os.sched_getaffinity(0)))
        assert torch.get_num_threads() == (threads or len(os.sched_getaffinity(0)))
    finally:
        torch.set_num_threads(before)


def test_a_missing_compiler_is_named_with_a_remedy() -> None:
    said = compiler.problem({"CXX": "no-such-compiler"})
    assert said is not None
    assert "no-such-compiler is not found" in said
    assert "apt-get install g++" in said


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'x.cpp:1: fatal error: omp.h: not here' >&2; exit 1", "fatal error: omp.h: not here"),
        ("exit 3", "exit code 3"),
    ],
)
def test_a_compiler_that_fails_says_why(tmp_path: Path, script: str, reason: str) -> None:
    fake = tmp_path / "c++"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    said = compiler.problem({"CXX": str(fake)})
    assert said is not None
    assert reason in said


def test_a_compiler_that_works_is_no_problem(tmp_path: Path) -> None:
    fake = tmp_path / "c++"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    assert compiler.problem({"CXX": str(fake)}) is None
