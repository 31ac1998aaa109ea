"""What a report says around its table: the machine, how it was measured, what to beware of, how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tbench.analysis.run import Run
from tbench.tables import units
from tbench.tables.printable import printable

if TYPE_CHECKING:
    from tbench.claims.model import Words


def title(run: Run) -> str:
    scenario = run.header.get("scenario") or {}
    return str(scenario.get("title") or scenario.get("name") or run.folder.name)


def machine(run: Run) -> str:
    """In a line, what decides how fast things are: `Example 9000 Processor, 2 threads, torch 2.13.0`."""
    here = run.environment
    if run.machines:
        return f"{len(run.machines)} machines ({', '.join(run.device_types)}), torch {here.torch}"
    return f"{here.device_name}, {here.threads} threads, torch {here.torch}"


def environment(run: Run) -> list[tuple[str, str]]:
    """Label and value of everything known about the machine; what could not be had is left out."""
    here, header = run.environment, run.header
    packages = ", ".join(f"{name} {version}" for name, version in here.packages.items())
    facts = [
        ("device", f"{here.device} ({here.device_name})"),
        ("device memory", here.device_memory_bytes and units.size(here.device_memory_bytes)),
        ("driver, CUDA", ", ".join(filter(None, (here.driver, here.cuda)))),
        ("processor", f"{here.cpu}, {here.cores} cores, {here.threads} threads used"),
        ("memory", units.size(here.memory_bytes)),
        ("last-level cache", here.last_level_cache_bytes and units.size(here.last_level_cache_bytes)),
        ("allocator", here.allocator),
        ("peak throughput", ", ".join(_ceilings(run))),
        ("cluster", "; ".join(run.machines)),
        ("software", f"torch {here.torch}, Python {here.python}, {here.platform}"),
        ("packages", packages),
        ("measured", " to ".join(str(header[key]) for key in ("started", "ended") if header.get(key))),
        ("status", _status(run)),
        ("seed", None if header.get("seed") is None else str(header["seed"])),
    ]
    return [(label, value) for label, value in facts if value]


def warnings(run: Run) -> tuple[str, ...]:
    """The environment's warnings, and one when the run did not end by itself."""
    if run.header.get("status") == "interrupted":
        return (*run.environment.warnings, "the run was interrupted: continue it with --resume")
    return run.environment.warnings


def method(run: Run) -> list[str]:
    """How the figures came about, in sentences."""
    return [sentence.en for sentence in method_words(run)]


def method_words(run: Run) -> list[Words]:
    """The same in both languages."""
    from tbench.claims.model import Words  # with all claims, which a table of figures does without

    measured = [row for row in run.rows if row.latency is not None]
    if not measured:
        return []
    rounds = [row.latency.n_rounds for row in measured if row.latency]
    least, most = min(rounds), max(rounds)
    samples = sum(row.samples or 0 for row in measured)
    error = _largest_error(run)
    sentences = [
        Words(
            f"Each case ran in {least if least == most else f'{least} to {most}'} fresh "
            f"process{'es' if most > 1 else ''}, taking turns with the cases it is compared with; {samples} samples "
            "in all.",
            f"每个用例在{least if least == most else f'{least}至{most}'}个全新进程中运行，与其比较对象轮流进行；"
            f"共{samples}个样本。",
        ),
        Words(
            "Latency is the median over turns, with a 95% confidence interval from the variation between processes; "
            "speed-up is the median of turn-by-turn ratios, with its own interval.",
            "延迟为各轮次的中位数，95%置信区间来自进程之间的差异；加速比为逐轮次比值的中位数，有各自的区间。",
        ),
        Words(
            "Outputs were checked against a float64 reference, before timing and once in every round"
            + (f"; the largest relative error of a passing case is {error:.1e}" if error is not None else "")
            + ".",
            "计时前以及每一轮中，输出均与float64参考结果核对"
            + (f"；通过用例的最大相对误差为{error:.1e}" if error is not None else "")
            + "。",
        ),
        Words(
            "Peak memory comes from a separate pass and includes inputs, outputs and workspace.",
            "内存峰值在单独一次不计时的测量中得到，包括输入、输出与工作区。",
        ),
    ]
    sampling = (run.header.get("scenario") or {}).get("sampling") or {}
    if sampling.get("target") is not None and sampling.get("max_time") is not None:
        target, longest = f"±{100 * sampling['target']:g}%", f"{sampling['max_time']:g}"
        kinds = {"cold": Words("cold", "冷"), "auto": Words("cold in decode, hot elsewhere", "decode时为冷，其余为热")}
        cache = kinds.get(sampling.get("cache", "hot"), Words("hot", "热"))
        sentences.insert(
            1,
            Words(
                f"Sampling stopped once the interval was within {target}, or after {longest} s of samples; caches "
                f"were {cache.en}.",
                f"区间收窄到{target}以内，或样本累计{longest}秒后停止采样；缓存状态：{cache.zh}。",
            ),
        )
    return sentences


def command(run: Run) -> str | None:
    """The command that repeats the run; None where the run did not record it."""
    words = run.again()
    return None if words is None else printable(shlex.join(["tbench", *words]))


def _largest_error(run: Run) -> float | None:
    return max((row.error for row in run.rows if row.status == "ok" and row.error is not None), default=None)


def _ceilings(run: Run) -> Iterator[str]:
    ceilings = run.environment.ceilings
    if ceilings is None:
        return
    for dtype, flops in ceilings.flops.items():
        yield f"{units.rate(flops, 'FLOP/s', None)} {dtype}"
    if ceilings.bandwidth:
        yield f"{units.rate(ceilings.bandwidth[-1][1], 'B/s', None)} from memory"


def _status(run: Run) -> str:
    counts = run.header.get("counts") or {}
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    status = str(run.header.get("status", ""))
    return f"{status} ({words})" if words else status
