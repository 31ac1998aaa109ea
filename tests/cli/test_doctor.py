"""`tbench doctor` as a user meets it, and its tables for machines this one is not."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import Any

import pytest

from tbench.analysis.statistics import Interval
from tbench.cli import doctor as module
from tbench.cli import exit_code
from tbench.cli.checkup import Findings, ceiling_facts, gpu_facts, machine_facts, noise_facts, sections
from tbench.cli.doctor import attempted
from tbench.errors import UsageError
from tbench.execution import noise
from tbench.execution.executor import WorkerFailed
from tbench.execution.noise import Noise
from tbench.measure.environment import OPTIONAL_KERNELS
from tbench.records import Case, Ceilings, Environment
from tbench.store import usercache

HERE = Environment(
    device="cuda:0",
    device_name="Fake GPU",
    python="3.11",
    torch="2.13.0",
    platform="Linux",
    cpu="Some Processor",
    cores=16,
    threads=16,
    memory_bytes=128 << 30,
    device_memory_bytes=80 << 30,
    cuda="13.0",
    packages={"tbench": "0.1.0", "triton": "3.5"},
    unavailable={
        "driver": "no permission",
        "load": "/proc/stat does not report it",
        "last_level_cache_bytes": "not told",
    },
)
CASE = Case("attention", "forward", "cuda:0", "float32", (("seq_len", 256), ("kernel", "naive")))
CEILINGS = Ceilings({"float32": 5e13}, ((1 << 20, 3e12),), "2026-01-01T00:00:00+00:00", 16)
FOUND = Findings(
    HERE, (("cpu", "Some Processor"), ("cuda:0", "Fake GPU")), CEILINGS, Noise(CASE, 0.01, 1e-3, 8), None, None
)


ON_CPU = replace(FOUND, environment=replace(HERE, device="cpu"), devices=(("cpu", "Some Processor"),))


@pytest.fixture(scope="module")
def printed() -> tuple[str, str]:
    """What `tbench doctor` prints on this CPU."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("COLUMNS", "200")
        patch.setattr(noise, "SAMPLING", replace(noise.SAMPLING, min_rounds=3, max_rounds=3))
        assert exit_code(["doctor", "--device", "cpu"]) == 0
    return out.getvalue(), err.getvalue()


def test_this_machine_is_shown_on_stdout(printed: tuple[str, str]) -> None:
    out, err = printed
    for words in (
        "devices",
        "cores this process may use",
        "last-level cache",
        "load from other processes",
        "C++ compiler",
    ):
        assert words in out
    for words in ("float32 matmul", "FLOP/s", "memory read, 1.00 MiB", "process-to-process spread", "fix"):
        assert words in out
    assert "Traceback" not in err


def test_every_optional_kernel_is_there_or_said_not_to_be(printed: tuple[str, str]) -> None:
    for name in OPTIONAL_KERNELS:
        (line,) = [line for line in printed[0].splitlines() if line.startswith(f"{name} ")]
        assert f"pip install {name}" in line or any(letter.isdigit() for letter in line)


def test_the_ceilings_are_kept_for_the_next_run(printed: tuple[str, str]) -> None:
    kept = [Ceilings.from_dict(json.loads(file.read_text())) for file in usercache.folder().glob("ceilings-*.json")]
    assert any(one.measured_at in printed[0] for one in kept)


def test_a_device_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["doctor", "--device", "cuda:99"]) == 2
    assert "cuda:99" in capsys.readouterr().err


def test_each_section_has_a_verdict(printed: tuple[str, str]) -> None:
    headings = [line for line in printed[0].splitlines() if line[:2] in ("✓ ", "! ")]
    assert [line[2:].partition(":")[0] for line in headings] == [
        "devices", "machine", "software", "kernels", "peak throughput", "noise",
    ]  # fmt: skip
    assert "A/A" in headings[-1] and "×" in headings[-1]


# ---------------------------------------------------------------------- made-up machines


def test_a_machine_without_a_gpu_is_told_so_in_a_word() -> None:
    here, *_ = sections(ON_CPU)
    assert (here.verdict, here.ok) == ("CPU only: no GPU here", True)
    seen, *_ = sections(replace(ON_CPU, nvidia=True))
    assert not seen.ok and "CUDA build" in seen.remedies[0]


def test_kernels_that_cannot_run_say_why() -> None:
    shown = flat(replace(ON_CPU, compiler_problem="no C++ compiler: install one"))
    (attention,) = [line for line in shown.splitlines() if line.startswith("kernels: attention:")]
    assert "naive" in attention and "flex" not in attention and "cudnn" not in attention
    assert "kernels:   CUDA only: " in shown and "cudnn" in shown
    (uncompiled,) = [line for line in shown.splitlines() if "no working C++ compiler" in line and "flex" in line]
    assert "naive-compiled" in uncompiled


def test_code_that_differs_from_itself_is_something_to_fix() -> None:
    for low, well in ((0.98, True), (1.02, False)):
        seen = Noise(CASE, 0.01, 1e-3, 8, Interval(1.04, low, 1.1, 0.04, 8, 16))
        noise = next(one for one in sections(replace(FOUND, noise=seen)) if one.name == "noise")
        assert noise.verdict.startswith("A/A 1.04× [") and noise.ok is well


def test_json_has_the_sections_and_the_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = Noise(CASE, 0.25, 1e-3, 8, Interval(1.01, 0.98, 1.05, 0.03, 8, 16))
    monkeypatch.setattr(module, "examine", lambda device, refresh: replace(ON_CPU, noise=seen))
    assert exit_code(["doctor", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False and document["ceilings"]["flops"]["float32"] == 5e13
    assert document["noise"]["aa_ratio"] == 1.01 and document["gpu"] is None
    noise = next(one for one in document["sections"] if one["name"] == "noise")
    assert not noise["ok"] and noise["remedies"][0].startswith("processes differ by 25%")
    assert exit_code(["doctor", "--format", "yaml"]) == 2


def flat(found: Findings) -> str:
    return "\n".join(f"{one.name}: {label}: {value}" for one in sections(found) for label, value in one.facts)


def to_fix(found: Findings) -> list[str]:
    return [remedy for one in sections(found) for remedy in one.remedies]


def test_everything_that_is_missing_has_its_reason() -> None:
    shown = flat(FOUND)
    assert "driver: not available: no permission" in shown
    assert "load from other processes: not available: /proc/stat does not report it" in shown
    assert "last-level cache: not available: not told" in shown
    assert "bfloat16 matmul: not supported here" in shown
    assert "device memory: 80.0 GiB" in shown


def test_figures_and_refusals_of_a_gpu() -> None:
    gpu: dict[str, Any] = {
        "time": 1.0,
        "mig": True,
        "sm_clock_mhz": 1755,
        "clock_reasons": [],
        "power_watts": 350.5,
        "memory_used_bytes": 11 << 30,
        "persistence_mode": False,
        "compute_mode": "exclusive process",
        "unavailable": {"process_bytes": "in a container"},
    }
    assert list(gpu_facts(gpu)) == [
        ("mig", "true"),
        ("sm clock mhz", "1755"),
        ("clock reasons", "none"),
        ("power watts", "350.5"),
        ("memory used", "11.0 GiB"),
        ("persistence mode", "false"),
        ("compute mode", "exclusive process"),
        ("process bytes", "not available: in a container"),
    ]
    (remedy,) = to_fix(replace(FOUND, gpu=gpu))
    assert "nvidia-smi -pm 1" in remedy


def test_what_could_not_be_measured_says_why() -> None:
    assert list(ceiling_facts("oom: out of memory")) == [("not measured", "oom: out of memory")]
    assert list(noise_facts("timeout: turn did not end")) == [("not measured", "timeout: turn did not end")]


def test_a_worker_that_fails_is_a_reason_and_not_the_end() -> None:
    def fails() -> int:
        raise WorkerFailed("oom", "no more memory")

    def refused() -> int:
        raise UsageError("this machine cannot be examined (ceilings): no more memory")

    assert attempted(fails) == "oom: no more memory"
    assert attempted(refused) == "this machine cannot be examined (ceilings): no more memory"
    assert attempted(lambda: 3) == 3


def test_nothing_to_fix_on_a_good_machine() -> None:
    assert list(to_fix(FOUND)) == []


def test_every_warning_is_shown_with_its_remedy() -> None:
    found = replace(
        FOUND,
        environment=replace(HERE, warnings=("the governor is powersave: change it",)),
        noise=Noise(CASE, 0.25, 1e-3, 8),
        compiler_problem="no C++ compiler: install one",
    )
    powersave, flex, noisy = to_fix(found)
    assert [one.name for one in sections(found) if not one.ok] == ["machine", "software", "noise"]
    assert powersave == "the governor is powersave: change it"
    assert "flex" in flex
    assert "install one" in flex
    assert noisy.startswith("processes differ by 25%")


def test_markup_in_a_name_is_printed_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = replace(HERE, cpu="[bold]Processor[/bold]", warnings=("see [red]this[/red]: do that",))
    monkeypatch.setattr(module, "examine", lambda device, refresh: replace(FOUND, environment=strange, gpu=None))
    assert exit_code(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "[bold]Processor[/bold]" in out
    assert "see [red]this[/red]: do that" in out
    assert dict(machine_facts(strange))["processor"] == "[bold]Processor[/bold]"
