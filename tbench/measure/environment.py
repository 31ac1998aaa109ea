"""The machine and software a run is made on, and what on it spoils measurements, each with a remedy."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from tbench.measure import allocator, machine
from tbench.measure.nvml import THROTTLING, Refused, driver_version
from tbench.measure.telemetry import Telemetry
from tbench.records import EXCLUSIVE_PROCESS, Environment
from tbench.store import usercache
from tbench.threads import worker_threads

# Distributions that bring kernels of their own or compile them.
OPTIONAL_KERNELS = (
    "triton",
    "flash-attn",
    "flash-attn-3",
    "flash-attn-4",
    "flash-linear-attention",
    "flashinfer-python",
    "liger-kernel",
    "nvidia-cutlass-dsl",
    "quack-kernels",
    "xformers",
    "transformer-engine",
)
# What of the environment changes what a GPU computes, or how fast. Nothing of it is set here.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "CUDA_MODULE_LOADING",
    "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUBLAS_EMULATE_SINGLE_PRECISION",
    "CUBLAS_EMULATION_STRATEGY",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
)
BUSY_SHARE = 0.1  # of the cores that others may use before it is worth a word


@dataclass(frozen=True)
class Situation:
    """What warnings are decided on; gathered by `capture`, made up in tests."""

    device: str
    cores: int
    threads: int
    load: float | None = None
    quota: float | None = None
    governor: str | None = None
    torch_has_gpu_support: bool = False
    nvidia_gpu: bool = False
    throttled: tuple[str, ...] = ()
    other_gpu_processes: int = 0
    mig: bool = False
    compute_mode: str | None = None
    visible_gpus: tuple[str, ...] = ()
    cache_problem: str | None = None


def pin_threads() -> int:
    """Set torch's threads to `worker_threads`; returns how many."""
    import torch

    count = worker_threads()
    torch.set_num_threads(count)
    return count


def capture(device: str) -> Environment:
    """Describe this process's machine, its software and `device` (`cpu` or `cuda:N`), with warnings.

    Takes about a quarter of a second, in which the load of other processes is watched.
    """
    import torch

    load = machine.other_load()
    cpu, cache_bytes = machine.cpu_model(), machine.last_level_cache_bytes()
    facts: dict[str, Any] = {"device_name": cpu, "last_level_cache_bytes": cache_bytes, "allocator": allocator.name()}
    seen: Mapping[str, Any] = {}
    unavailable: dict[str, str] = {}
    if load is None:
        unavailable["load"] = "/proc/stat does not report it"
    if device != "cpu":
        gpu, seen = gpu_facts(device)
        facts.update(gpu)
        unavailable.update(seen["unavailable"])
    if facts["last_level_cache_bytes"] is None:
        unavailable["last_level_cache_bytes"] = "the system does not report it"
    situation = Situation(
        device=device,
        cores=len(machine.allowed_cpus()),
        threads=torch.get_num_threads(),
        load=load,
        quota=machine.cpu_quota(),
        governor=machine.governor(),
        torch_has_gpu_support=torch.version.cuda is not None,
        nvidia_gpu=machine.nvidia_gpu_present(),
        throttled=tuple(word for word in seen.get("clock_reasons", ()) if word in THROTTLING),
        other_gpu_processes=seen.get("other_processes", 0),
        mig=bool(seen.get("mig")),
        compute_mode=facts.get("compute_mode"),
        visible_gpus=facts.get("visible_gpus", ()),
        cache_problem=usercache.problem(),
    )
    return Environment(
        device=device,
        python=platform.python_version(),
        torch=str(torch.__version__),  # torch's own kind of string would have the parent import torch
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=cpu,
        cores=situation.cores,
        threads=situation.threads,
        memory_bytes=machine.memory_bytes(),
        packages=installed_packages(),
        load=load,
        warnings=tuple(warnings(situation, os.environ)),
        unavailable=unavailable,
        **facts,
    )


def gpu_facts(device: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of `Environment` that are a GPU's, and a snapshot of what warnings depend on, refusals included."""
    import torch

    properties = torch.cuda.get_device_properties(device)
    uuid = str(properties.uuid)
    facts: dict[str, Any] = {
        "device_name": properties.name,
        "device_uuid": uuid,
        "device_memory_bytes": properties.total_memory,
        "last_level_cache_bytes": properties.L2_cache_size or None,
        "cuda": torch.version.cuda,
        "cudnn": cudnn_version(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "visible_gpus": tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())),
    }
    seen = Telemetry(uuid).snapshot(("clock_reasons", "other_processes", "compute_mode"))
    facts["compute_mode"] = seen.get("compute_mode")
    try:
        facts["driver"] = driver_version()
    except Refused as refused:
        seen["unavailable"]["driver"] = str(refused)
    return facts, seen


def cudnn_version() -> str | None:
    """`9.13.1` from the number that PyTorch gives (cudnn_version.h: major · 10000 + minor · 100 + patch)."""
    import torch

    number = torch.backends.cudnn.version()
    return None if number is None else f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def warnings(here: Situation, variables: Mapping[str, str]) -> Iterator[str]:
    """A sentence for everything that spoils measurements here, with what to do about it."""
    if here.load is not None and here.load > BUSY_SHARE * here.cores:
        yield (
            f"other processes keep {here.load:.1f} of {here.cores} cores busy: stop them and re-measure the peaks "
            "(tbench doctor --refresh), or expect wider intervals and peaks that are too low"
        )
    if here.threads == 1 < here.cores:
        yield (
            f"one thread on {here.cores} cores: "
            + ("unset OMP_NUM_THREADS" if "OMP_NUM_THREADS" in variables else f"set OMP_NUM_THREADS={here.cores}")
            + " to measure what the whole processor can do"
        )
    elif here.threads > here.cores:
        yield f"{here.threads} threads on {here.cores} cores compete for them: set OMP_NUM_THREADS={here.cores}"
    policy = variables.get("OMP_WAIT_POLICY", "").upper()
    if policy == "PASSIVE":
        yield (
            "OMP_WAIT_POLICY=PASSIVE makes OpenMP wake its threads for every parallel region, so short calls take up "
            "to 2.4 times as long: unset it unless other programs keep the cores busy"
        )
    elif policy == "ACTIVE":
        yield "OMP_WAIT_POLICY=ACTIVE keeps a worker's threads spinning while another has its turn: unset it"
    if here.quota is not None and here.quota < here.threads:
        yield (
            f"this container is limited to {here.quota:g} cores and is throttled when {here.threads} threads use "
            "more: set "
            f"OMP_NUM_THREADS={max(1, int(here.quota))} or raise its CPU limit"
        )
    if here.governor == "powersave":
        yield (
            "the CPU frequency governor is powersave, so clocks follow the load: "
            "sudo cpupower frequency-set -g performance"
        )
    if here.device == "cpu" and here.nvidia_gpu and not here.torch_has_gpu_support:
        yield (
            "this machine has an NVIDIA GPU but the installed PyTorch is built without CUDA: "
            "install a CUDA build to measure it (https://pytorch.org/get-started/locally)"
        )
    if here.cache_problem is not None:
        yield (
            f"the measured peaks cannot be stored, so every run measures them again: {here.cache_problem}; "
            "set XDG_CACHE_HOME to a writable folder"
        )
    if here.device != "cpu":
        yield from gpu_warnings(here, variables)


def gpu_warnings(here: Situation, variables: Mapping[str, str]) -> Iterator[str]:
    if variables.get("CUDA_LAUNCH_BLOCKING", "0") not in ("", "0"):
        yield "CUDA_LAUNCH_BLOCKING makes every launch wait for its kernel: unset it"
    if variables.get("PYTORCH_NO_CUDA_MEMORY_CACHING", "0") not in ("", "0"):
        yield "PYTORCH_NO_CUDA_MEMORY_CACHING makes every allocation call the driver: unset it"
    if variables.get("NVIDIA_TF32_OVERRIDE") == "1":
        yield (
            "NVIDIA_TF32_OVERRIDE=1 has libraries compute float32 in TF32 whatever is asked for, so float32 rows will "
            "be wrong: unset it, and write `fp32_precision: tf32` where TF32 is meant"
        )
    if here.compute_mode == EXCLUSIVE_PROCESS:
        yield (
            f"{here.device} is in exclusive-process mode, so one process at a time can use it: every case is measured "
            "alone, without turns and without a speed-up; sudo nvidia-smi -c 0 allows several"
        )
    if len(here.visible_gpus) > 1:
        listed = ", ".join(f"cuda:{index} ({name})" for index, name in enumerate(here.visible_gpus))
        yield (
            f"{len(here.visible_gpus)} GPUs are visible, {listed}; this run uses {here.device} only: --device names "
            "another, and runs on different GPUs do not wait for each other"
        )
    if here.throttled:
        yield (
            f"{here.device} is already throttled ({', '.join(here.throttled)}): "
            "let it cool down, check its power limit and cooling, and look at the clocks of each row"
        )
    if here.other_gpu_processes:
        yield (
            f"{here.other_gpu_processes} other process(es) use {here.device}: end them (nvidia-smi lists them), "
            "or name another device"
        )
    if here.mig:
        yield (
            f"{here.device} is a MIG slice: its clocks, power and memory are the whole GPU's; "
            "they include other slices' work; interpret them with care or turn MIG off"
        )


def installed_packages() -> dict[str, str]:
    """Versions of tbench, numpy and the optional kernels that are installed."""
    versions = {}
    for name in ("tbench", "numpy", "nvidia-ml-py", *OPTIONAL_KERNELS):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
