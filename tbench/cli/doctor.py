"""`tbench doctor`: what this machine is, what it can do, how steady it is, and what to fix. Tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tbench.errors import UsageError
from tbench.execution.executor import WorkerFailed
from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.execution.noise import Noise, measure_noise
from tbench.execution.workplace import Machine
from tbench.measure import compiler
from tbench.measure.environment import OPTIONAL_KERNELS
from tbench.measure.telemetry import Telemetry
from tbench.records import Ceilings, Environment
from tbench.tables import units
from tbench.tables.table import Table
from tbench.tables.text import PROSE, Sheet

NOISY = 0.05  # relative spread from which small differences take long to tell

Fact = tuple[str, str]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Findings:
    """What was found. A text in place of a figure is the reason it could not be had."""

    environment: Environment
    devices: tuple[Fact, ...]
    ceilings: Ceilings | str
    noise: Noise | str
    gpu: Mapping[str, Any] | None
    compiler_problem: str | None


def doctor(device: str, refresh: bool) -> None:
    """Examine the machine and print what was found. `refresh` measures the ceilings again."""
    findings = examine(device, refresh)
    sheet = Sheet(wide=PROSE)
    for title, facts in tables(findings):
        sheet.table(Table.of_words(("", ""), facts, title), caption="loud")
        sheet.say()
    remedies = list(to_fix(findings))
    sheet.say("what to fix" if remedies else "nothing to fix", "loud")
    for remedy in remedies:
        sheet.say(f"- {remedy}")
    print(sheet, end="")


def examine(device: str, refresh: bool) -> Findings:
    """Ask worker processes everything that needs torch, the device held so that no other run is disturbed."""
    with LocalExecutor() as executor:
        machine = Machine(executor)
        device = machine.resolve(device)
        devices = tuple(known_devices(machine))
        with device_lock(device, lambda message: print(f"warning: {message}", file=sys.stderr)):
            environment: Environment = machine.ask("environment", device=device)
            ceilings = attempted(lambda: machine.ceilings(device, "replace" if refresh else ""))
            noise = attempted(lambda: measure_noise(executor, device))
    gpu = Telemetry(environment.device_uuid).snapshot() if environment.device_uuid else None
    return Findings(environment, devices, ceilings, noise, gpu, compiler.problem())


def attempted(question: Callable[[], Answer]) -> Answer | str:
    """The answer, or why there is none."""
    try:
        return question()
    except WorkerFailed as failure:
        return f"{failure.status}: {failure.reason}"


def known_devices(machine: Machine) -> Iterator[Fact]:
    """Every device that could be named after --device, or why there is no GPU among them."""
    index = 0
    while True:
        try:
            name = machine.resolve("cpu" if index == 0 else f"cuda:{index - 1}")
        except UsageError as refused:
            if index == 1:
                yield "cuda", str(refused)
            return
        yield name, machine.ask("environment", device=name).device_name
        index += 1


# ---------------------------------------------------------------------- as tables


def tables(found: Findings) -> Iterator[tuple[str, Iterable[Fact]]]:
    yield "devices", found.devices
    yield "machine", machine_facts(found.environment)
    yield "software", software_facts(found)
    yield f"peak throughput of {found.environment.device}", ceiling_facts(found.ceilings)
    yield f"noise of {found.environment.device}", noise_facts(found.noise)
    if found.gpu is not None:
        yield f"{found.environment.device} now", gpu_facts(found.gpu)


def machine_facts(here: Environment) -> Iterator[Fact]:
    yield "processor", here.cpu
    yield "cores, threads", f"{here.cores} cores this process may use, {here.threads} threads used"
    yield "memory", units.size(here.memory_bytes)
    if here.device_memory_bytes is not None:
        yield "device memory", units.size(here.device_memory_bytes)
    cache = here.last_level_cache_bytes
    yield "last-level cache", missing(here, "last_level_cache_bytes") if cache is None else units.size(cache)
    if here.allocator is not None:
        yield "allocator", here.allocator
    yield "load from other processes", missing(here, "load") if here.load is None else f"{here.load:.2f} cores"


def software_facts(found: Findings) -> Iterator[Fact]:
    here = found.environment
    yield "torch, Python", f"{here.torch}, {here.python}"
    yield "system", here.platform
    if here.device != "cpu":
        yield "CUDA", here.cuda or "this PyTorch reports no CUDA version"
        yield "driver", here.driver or missing(here, "driver")
    for name, version in here.packages.items():
        yield name, version
    for name in OPTIONAL_KERNELS:
        if name not in here.packages:
            yield name, f"not installed: pip install {name}"
    yield "C++ compiler", found.compiler_problem or "works; flex can be compiled"


def ceiling_facts(ceilings: Ceilings | str) -> Iterator[Fact]:
    if isinstance(ceilings, str):
        yield "not measured", ceilings
        return
    yield "measured", f"{ceilings.measured_at}, {ceilings.threads} threads"
    for dtype in ("float32", "bfloat16", "float16"):
        rate = ceilings.flops.get(dtype)
        yield f"{dtype} matmul", "not supported here" if rate is None else units.rate(rate, "FLOP/s", None)
    for size, rate in ceilings.bandwidth:
        yield f"memory read, {units.size(size)}", units.rate(rate, "B/s", None)


def noise_facts(noise: Noise | str) -> Iterator[Fact]:
    if isinstance(noise, str):
        yield "not measured", noise
        return
    yield "benchmark", noise.case.id
    yield (
        "process-to-process spread",
        f"{units.share(noise.relative_sd)} of {noise.seconds * 1e3:.3g} ms, {noise.processes} processes",
    )


def gpu_facts(gpu: Mapping[str, Any]) -> Iterator[Fact]:
    """NVML's figures, each with its value or the reason it is refused."""
    for name, value in gpu.items():
        if name in ("time", "unavailable"):
            continue
        label = name.replace("_", " ")
        if name.endswith("_bytes"):
            yield label.removesuffix(" bytes"), units.size(value)
        elif isinstance(value, list):
            yield label, ", ".join(value) or "none"
        else:
            yield label, str(value).lower() if isinstance(value, bool) else f"{value:g}"
    for name, reason in gpu["unavailable"].items():
        yield name.replace("_", " "), f"not available: {reason}"


def missing(here: Environment, name: str) -> str:
    return f"not available: {here.unavailable.get(name, 'no reason recorded')}"


def to_fix(found: Findings) -> Iterator[str]:
    """Everything that spoils measurements here, each with a remedy."""
    yield from found.environment.warnings
    if found.compiler_problem is not None:
        yield f"flex cannot run on the CPU: {found.compiler_problem}"
    if isinstance(found.noise, Noise) and found.noise.relative_sd > NOISY:
        yield (
            f"processes differ by {units.share(found.noise.relative_sd)}: stop other work on this machine, or use "
            "--rigorous to resolve small differences"
        )
    if found.gpu is not None and found.gpu.get("persistence_mode") is False:
        yield "the driver unloads when the GPU is unused, so first calls are slow: sudo nvidia-smi -pm 1"
