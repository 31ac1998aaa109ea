"""What `tbench doctor` says: sections with a verdict each, the facts behind it, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tbench.analysis.statistics import Interval
from tbench.catalog import COMPONENTS
from tbench.cli.list import obstacle
from tbench.components.registry import Component, Variant
from tbench.execution.noise import Noise
from tbench.measure.environment import OPTIONAL_KERNELS
from tbench.measure.nvml import THROTTLING
from tbench.records import Ceilings, Environment
from tbench.tables import units

NOISY = 0.05  # relative spread from which small differences take long to tell

Fact = tuple[str, str]


@dataclass(frozen=True)
class Findings:
    """What was found. A string in place of a figure is the reason it is missing. `devices`: values of --device;
    `nvidia`: whether the system shows an NVIDIA device, whatever torch makes of it."""

    environment: Environment
    devices: tuple[Fact, ...]
    ceilings: Ceilings | str
    noise: Noise | str
    gpu: Mapping[str, Any] | None
    compiler_problem: str | None
    nvidia: bool = False


@dataclass(frozen=True)
class Section:
    """`verdict`: in a line; `facts`: label and value; `remedies`: what to do, empty where all is well."""

    name: str
    verdict: str
    facts: tuple[Fact, ...]
    remedies: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.remedies


def sections(found: Findings) -> list[Section]:
    """Every section, in the order to read them."""
    parts = [devices(found), machine(found), software(found), kernels(found), throughput(found), noise(found)]
    return [*parts, *([gpu(found)] if found.gpu is not None else [])]


def devices(found: Findings) -> Section:
    gpus = [name for name, _ in found.devices if name != "cpu"]
    if gpus:
        return Section("devices", units.counted(len(gpus), "GPU"), found.devices)
    if not found.nvidia:
        return Section("devices", "CPU only: no GPU here", found.devices)
    return Section(
        "devices",
        "an NVIDIA device, which this PyTorch cannot use",
        found.devices,
        ("install a CUDA build of PyTorch (https://pytorch.org/get-started), and check that `nvidia-smi` works",),
    )


def machine(found: Findings) -> Section:
    here = found.environment
    remedies = tuple(here.warnings)
    verdict = "quiet" if not remedies else f"{units.counted(len(remedies), 'thing')} to fix"
    return Section("machine", verdict, tuple(machine_facts(here)), remedies)


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


def software(found: Findings) -> Section:
    problem = found.compiler_problem
    remedies = () if problem is None else (f"flex cannot run on the CPU: {problem}",)
    here = found.environment
    verdict = f"torch {here.torch}, Python {here.python}"
    return Section("software", verdict, tuple(software_facts(found)), remedies)


def software_facts(found: Findings) -> Iterator[Fact]:
    here = found.environment
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


def kernels(found: Findings) -> Section:
    """Which can run on the device, as far as it can be told without trying; `tbench run --dry-run` tries."""
    kind = found.environment.device.split(":")[0]
    facts: list[Fact] = []
    can = every = 0
    for component in (one for one in COMPONENTS.values() if one.own is not None):  # the others are not kernels
        running, others = told_apart(component, kind, found)
        can, every = can + len(running), every + len(component.variants)
        facts.append((component.name, ", ".join(running) or "none"))
        facts += [(f"  {reason}", ", ".join(names)) for reason, names in others.items()]
    return Section("kernels", f"{can} of {every} can run on {kind}", tuple(facts))


def told_apart(component: Component, kind: str, found: Findings) -> tuple[list[str], dict[str, list[str]]]:
    """Variants that can run, and the others by the reason why not."""
    running: list[str] = []
    others: dict[str, list[str]] = {}
    for variant in component.variants.values():
        reason = against(variant, kind, found)
        if reason is None:
            running.append(variant.name)
        else:
            others.setdefault(reason, []).append(variant.name)
    return running, others


def against(variant: Variant, kind: str, found: Findings) -> str | None:
    if kind not in variant.devices:
        return f"{' and '.join(device.upper() for device in variant.devices)} only"
    if found.compiler_problem is not None and kind == "cpu" and variant.name in ("flex", "compiled", "naive-compiled"):
        return "no working C++ compiler"
    return obstacle(variant, kind == "cuda")


def throughput(found: Findings) -> Section:
    facts = tuple(ceiling_facts(found.ceilings))
    if isinstance(found.ceilings, str):
        again = "run `tbench doctor --refresh` once the cause is removed"
        return Section("peak throughput", "not measured", facts, (f"{found.ceilings}; {again}",))
    flops = found.ceilings.flops.get("float32")
    verdict = "measured" if flops is None else f"{units.rate(flops, 'FLOP/s', None)} in float32"
    return Section("peak throughput", verdict, facts)


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


def noise(found: Findings) -> Section:
    facts = tuple(noise_facts(found.noise))
    seen = found.noise
    if isinstance(seen, str):
        return Section("noise", "not measured", facts, (seen,))
    remedies = []
    if seen.relative_sd > NOISY:
        remedies.append(
            f"processes differ by {units.share(seen.relative_sd)}: stop other work on this machine, or use "
            "--rigorous to resolve small differences"
        )
    if seen.ratio is not None and differs(seen.ratio):
        remedies.append(
            f"the same code differs from itself ({units.times(seen.ratio)}): timings are unreliable right now; look "
            "for other load and changing clocks, then run `tbench doctor` again"
        )
    return Section("noise", aa(seen), facts, tuple(remedies))


def differs(ratio: Interval) -> bool:
    """Whether an interval leaves out 1."""
    return ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high


def aa(seen: Noise) -> str:
    """The host against itself: what a comparison of two equal kernels shows here."""
    if seen.ratio is None:
        return f"processes differ by {units.share(seen.relative_sd)}"
    return f"A/A {units.times(seen.ratio)}: the same code against itself, {seen.processes} processes each"


def noise_facts(noise: Noise | str) -> Iterator[Fact]:
    if isinstance(noise, str):
        yield "not measured", noise
        return
    yield "benchmark", noise.case.id
    yield (
        "process-to-process spread",
        f"{units.share(noise.relative_sd)} of {noise.seconds * 1e3:.3g} ms, {noise.processes} processes",
    )
    if noise.ratio is not None and noise.ratio.low is not None and noise.ratio.high is not None:
        half = (noise.ratio.high - noise.ratio.low) / 2
        yield "smallest difference", f"about {units.share(half)} is detectable with this many processes"


def gpu(found: Findings) -> Section:
    assert found.gpu is not None
    remedies = []
    if found.gpu.get("persistence_mode") is False:
        remedies.append("the driver unloads when the GPU is unused, so first calls are slow: sudo nvidia-smi -pm 1")
    reasons = [word for word in found.gpu.get("clock_reasons") or () if word in THROTTLING]
    if reasons:
        remedies.append("let it cool down, and look at its limits: nvidia-smi -q -d CLOCK,POWER,TEMPERATURE")
    verdict = "clocks free" if not reasons else f"clocks held back: {', '.join(reasons)}"
    return Section(f"{found.environment.device} now", verdict, tuple(gpu_facts(found.gpu)), tuple(remedies))


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
            number = isinstance(value, int | float) and not isinstance(value, bool)
            yield label, f"{value:g}" if number else str(value).lower()
    for name, reason in gpu["unavailable"].items():
        yield name.replace("_", " "), f"not available: {reason}"


def missing(here: Environment, name: str) -> str:
    return f"not available: {here.unavailable.get(name, 'no reason recorded')}"


def document(found: Findings, made: Sequence[Section]) -> dict[str, Any]:
    """For programs: the sections, and the figures behind them in full precision."""
    seen, peaks = found.noise, found.ceilings
    ratio = None if isinstance(seen, str) else seen.ratio
    return {
        "schema_version": 1,
        "ok": all(one.ok for one in made),
        "sections": [
            {
                "name": one.name,
                "ok": one.ok,
                "verdict": one.verdict,
                "facts": [{"name": label.strip(), "value": value} for label, value in one.facts],
                "remedies": list(one.remedies),
            }
            for one in made
        ],
        "environment": found.environment.to_dict(),
        "ceilings": None if isinstance(peaks, str) else peaks.to_dict(),
        "noise": None
        if isinstance(seen, str)
        else {
            "case": seen.case.id,
            "relative_sd": seen.relative_sd,
            "seconds": seen.seconds,
            "processes": seen.processes,
            "aa_ratio": ratio and ratio.estimate,
            "aa_low": ratio and ratio.low,
            "aa_high": ratio and ratio.high,
        },
        "gpu": found.gpu,
    }
