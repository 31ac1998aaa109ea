"""What was proved, as a file: what `tbench list` and the docs say of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tbench.analysis.run import Run
from tbench.components.attention import ATTENTION
from tbench.errors import UsageError
from tbench.measure.proving import named
from tbench.proof.evidence import NEVER, Evidence, Proof, default_path, every, of_run, page, read, slug, told, write
from tests.components.cases import attention

ROOT = Path(__file__).parents[2]
H100 = "NVIDIA H100 80GB HBM3"


def evidence(*proofs: Proof, **versions: str) -> Evidence:
    return Evidence(H100, "2026-11-30", {"torch": "2.13.0", **versions}, proofs)


def proof(kernel: str, status: str = "ok") -> Proof:
    case = attention(kernel, device="cuda:0", dtype="bfloat16")
    return Proof(case, status, "" if status == "ok" else "differs", kernel, 1e-3, ("flash_fwd_kernel",), "", "it waits")  # type: ignore[arg-type]


def test_evidence_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = evidence(proof("flash"), proof("naive", "wrong"))
    write(tmp_path / "new" / "proof.json", made)
    assert read(tmp_path / "new" / "proof.json") == made


def test_kernels_are_what_ran_on_the_device_and_no_call_of_the_runtime() -> None:
    from torch.autograd import DeviceType

    events = [
        SimpleNamespace(name=name, device_type=DeviceType.CUDA if on_device else DeviceType.CPU)
        for name, on_device in (("cudaLaunchKernel", False), ("flash_fwd", True), ("flash_fwd", True), ("sync", False))
    ]
    assert named(events) == ("flash_fwd",)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"proofs": [1]}'])
def test_a_file_that_is_no_evidence_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "proof.json").write_text(content)
    assert read(tmp_path / "proof.json") is None


def test_a_user_without_a_home_directory_has_no_evidence_and_must_name_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert every() == every(committed_only=True)
    with pytest.raises(UsageError, match="name a file with -o"):
        default_path(H100)


def test_what_was_proved_is_told_with_its_package_and_the_rest_never_ran() -> None:
    known = [evidence(proof("flash-attn-3"), proof("naive", "wrong"), **{"flash-attn-3": "3.0.0"})]
    assert told("attention", "flash-attn-3", known) == (
        f"proved on {H100} (forward), torch 2.13.0, flash-attn-3 3.0.0, 2026-11-30"
    )
    assert told("attention", "naive", known) == NEVER
    decode = replace(proof("varlen-paged"), case=attention("varlen-paged", phase="decode", device="cuda:0"))
    assert told("attention", "varlen-paged", [evidence(decode)]) == f"proved on {H100}, torch 2.13.0, 2026-11-30"
    assert told("attention", "flash", []) == NEVER


def test_a_run_proves_each_variant_once_in_each_phase_and_dtype() -> None:
    made = of_run(Run.read(ROOT / "results/gpu-h100/document"))
    assert made.device_name == H100
    keys = [(one.case.component, one.case.get("kernel"), one.case.phase, one.case.dtype) for one in made.proofs]
    assert len(keys) == len(set(keys))
    assert ("attention", "cudnn", "forward", "bfloat16") in keys


def test_what_comes_with_tbench_can_be_read_and_the_page_shows_it() -> None:
    files = list((ROOT / "tbench/proof/data").glob("*.json"))
    assert len(every(committed_only=True)) == len(files) >= 2
    shown = re.search(
        r"<!-- from tbench/proof/data; a test compares them -->\n(.*?)<!-- end -->",
        (ROOT / "docs/variants.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert shown is not None
    assert shown[1] == page("attention")
    assert shown[1].count("\n") == 2 + len(ATTENTION.variants)


def test_a_machine_names_its_file() -> None:
    assert slug(H100) == "nvidia-h100-80gb-hbm3"
    assert slug("®") == "device"
