"""`tbench prove` on the CPU, through the command line; which cases it takes; and what a GPU's proof notes beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.catalog import COMPONENTS
from tbench.cli import exit_code
from tbench.components.registry import DTYPES
from tbench.proof.evidence import read
from tbench.proof.run import SIZES, cases, possible


def test_every_timed_component_variant_phase_and_dtype_is_asked() -> None:
    every = cases("cuda:0", [])
    timed = {name for name, component in COMPONENTS.items() if not component.experiment} - {"canary"}
    assert {case.component for case in every} == set(SIZES) == timed
    for name in timed:
        component = COMPONENTS[name]
        seen = {(case[component.variant_axis], case.phase, case.dtype) for case in every if case.component == name}
        assert len(seen) == len(component.variants) * len(component.phases) * len(DTYPES)


def test_of_what_cannot_run_at_any_size_one_case_tells_why() -> None:
    kept = possible(cases("cpu", ["kernel=cudnn,chunked phase=forward dtype=float32 component=attention"]))
    assert [(case["kernel"], case["pattern"]) for case in kept] == [
        ("cudnn", "full"),
        ("chunked", "window:40"),
        ("chunked", "window:40"),
    ]


def test_proving_through_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "proof.json"
    select = "component=norm kernel=naive,liger phase=forward dtype=float32"
    assert exit_code(["prove", "--device", "cpu", "-k", select, "-o", str(file)]) == 0
    out = capsys.readouterr().out
    assert "ok norm/forward" in out
    assert "liger runs on cuda only" in out
    assert out.splitlines()[-1] == f"2 ok, 1 unsupported; evidence in {file}"
    evidence = read(file)
    assert evidence is not None
    assert [one.status for one in evidence.proofs] == ["ok", "ok", "unsupported"]
    assert all(one.error is not None and one.error < 1e-5 for one in evidence.proofs[:2])
    assert "torch" in evidence.versions


def test_a_selection_that_leaves_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["prove", "--device", "cpu", "-k", "kernel=nosuch"]) == 2
    assert "nosuch" in capsys.readouterr().err
