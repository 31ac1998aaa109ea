"""`tbench list` and `tbench schema` as a user meets them."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tbench.cli.list as listing
from tbench.catalog import COMPONENTS
from tbench.cli import exit_code
from tbench.components.registry import Variant
from tbench.model.presets import PRESETS

SMALL = """\
version: 1
name: small
component: attention
fixed: {heads: 2, head_dim: 16}
sweep:
  seq_len: [32, 64]
  kernel: [naive, flash]
baseline: {kernel: naive}
quick: {seq_len: [16]}
"""
HEAD = "dtype=float32 batch=1"
TAIL = "heads=2 kv_heads=2 head_dim=16 causal=true pattern=full"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_a_device_has_the_cases_of_its_section(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.write_text(SMALL + "cuda: {fixed: {dtype: bfloat16}, sweep: {seq_len: [4096]}}\n")
    assert exit_code(["list", str(small), "--device", "cuda"]) == 0
    there = capsys.readouterr().out.splitlines()
    assert len(there) == 2 and all("device=cuda:0 dtype=bfloat16 batch=1 seq_len=4096" in line for line in there)
    assert exit_code(["list", str(small), "--device", "cpu"]) == 0
    assert capsys.readouterr().out.count("dtype=float32") == 4


def row(out: str, name: str) -> str:
    (line,) = (line for line in out.splitlines() if line.startswith(f"{name} "))
    return line


def about(out: str, component: str) -> str:
    """What the overview says of one component: several have a variant called naive."""
    parts = re.split(r"^(\w+): ", out, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[component]


def test_components_variants_axes_and_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["list"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for component in COMPONENTS.values():
        assert component.about in out
        for name in component.variants:
            assert row(about(out, component.name), name)
        for axis in component.axes:
            assert axis.name in out
    for name, preset in PRESETS.items():
        assert str(preset.config.ffn_hidden) in row(out, name)
    assert "window:N" in row(about(out, "attention"), "pattern")
    assert "forward, forward_backward, decode" in out


def test_without_an_nvidia_device_what_needs_one_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(listing, "nvidia_device", lambda: False)
    assert exit_code(["list"]) == 0
    out = about(capsys.readouterr().out, "attention")
    assert "CUDA only; no NVIDIA device here" in row(out, "cudnn")
    assert "CUDA only" not in row(out, "naive")
    monkeypatch.setattr(listing, "nvidia_device", lambda: True)
    assert exit_code(["list"]) == 0
    assert "no NVIDIA device here" not in capsys.readouterr().out


def test_a_missing_package_is_named_with_its_remedy() -> None:
    needy = Variant("needy", print, "", requires=(("no_such_module_here", "some-distribution"),))
    assert listing.obstacle(needy, cuda=True) == "needs some-distribution: pip install some-distribution"
    assert listing.obstacle(Variant("fine", print, "", requires=(("json", "json"),)), cuda=False) is None


def test_cases_one_a_line_and_nothing_else_on_stdout(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["list", str(small), "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"attention/forward device=cpu {HEAD} seq_len={n} {TAIL} kernel={kernel}"
        for n in (32, 64)
        for kernel in ("naive", "flash")
    ]
    assert err == "4 cases\n"


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["--quick"], ["seq_len=16 kernel=naive", "seq_len=16 kernel=flash"]),
        (["--set", "seq_len=8", "-k", "kernel=flash"], ["seq_len=8 kernel=flash"]),
        (["-k", "seq_len=64", "-k", "kernel=naive"], ["seq_len=64 kernel=naive"]),
    ],
)
def test_options(small: Path, options: list[str], lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["list", str(small), *options]) == 0
    out, err = capsys.readouterr()
    found = [" ".join(w for w in line.split() if w.startswith(("seq_len", "kernel"))) for line in out.splitlines()]
    assert found == lines
    assert err == ("1 case\n" if len(lines) == 1 else f"{len(lines)} cases\n")


@pytest.mark.parametrize(
    ("there", "asked", "named"),
    [
        (False, "auto", "cpu"),
        (True, "auto", "cuda:0"),
        (True, "cpu", "cpu"),
        (False, "cuda", "cuda:0"),
        (False, "cuda:1", "cuda:1"),
    ],
)
def test_device(
    small: Path,
    there: bool,
    asked: str,
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(listing, "nvidia_device", lambda: there)
    assert exit_code(["list", str(small), "--device", asked]) == 0
    assert {line.split()[1] for line in capsys.readouterr().out.splitlines()} == {f"device={named}"}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-k", "kernel=math"], 5, "no case has kernel=math; kernel is naive, flash"),
        (["-k", "kernl=naive"], 2, "did you mean 'kernel'?"),
        (["--set", "kernel=flsh"], 2, "did you mean 'flash'?"),
        (["--set", "heads"], 2, "write axis=value"),
        (["--device", "tpu"], 2, "--device tpu: no such device"),
        (["--quick", "--rigorous"], 2, "mutually exclusive"),
    ],
)
def test_mistakes(small: Path, options: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["list", str(small), *options]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_a_mistake_in_the_file_has_its_place(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.write_text(SMALL.replace("flash", "flsh"))
    assert exit_code(["list", str(small)]) == 2
    assert (
        f"{small}:7:19: kernel: 'flsh' is not a kernel of attention; did you mean 'flash'?" in capsys.readouterr().err
    )


def test_a_file_that_is_not_there(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["list", str(small.with_name("smal.yaml"))]) == 2
    assert "there is no such file; did you mean" in capsys.readouterr().err


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SMALL.encode())))
    assert exit_code(["list", "-", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.count("\n") == 4
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"version: 1\ntitel: x\n")))
    assert exit_code(["list", "-"]) == 2
    assert "<stdin>:2:1: unknown key 'titel'; did you mean 'title'?" in capsys.readouterr().err


def test_options_of_a_scenario_without_one_are_not_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["list", "--quick"]) == 0
    assert "without a SCENARIO" in capsys.readouterr().err


def test_listing_cases_loads_nothing_heavy(small: Path) -> None:
    code = (
        f"import sys, tbench.cli\nassert tbench.cli.exit_code(['list', {str(small)!r}]) == 0\n"
        "print(*[m for m in ('torch', 'pandas', 'scipy', 'matplotlib') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "4 cases\n\n"


def test_schema_is_json_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["schema"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert set(COMPONENTS) == set(json.loads(out)["else"]["properties"]["component"]["enum"])
