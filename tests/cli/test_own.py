"""Kernels of the user's own from the command line, from scenario to table; and those that packages offer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tbench
from tbench.cli import exit_code
from tests.cli.test_run import TINY
from tests.execution.test_executor import KERNELS

MINE = TINY.replace("[naive, flash]", '[flash, "./kernels.py:attend"]').replace("kernel: naive", "kernel: flash")
EXAMPLE = Path(__file__).parents[2] / "examples" / "own-kernel"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario and its kernels, seen from another folder."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "kernels.py").write_text(KERNELS)
    (tmp_path / "bench" / "mine.yaml").write_text(MINE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "bench" / "mine.yaml"


def test_a_run_of_what_works_and_what_fails(mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernels = ["flash", *(f"./kernels.py:{name}" for name in ("attend", "short", "raises", "refuses"))]
    command = ["run", str(mine), "-o", str(tmp_path / "run"), "--device", "cpu", "-k", "seq_len=32"]
    assert exit_code([*command, "--set", f"kernel={','.join(kernels)}"]) == 4
    printed = capsys.readouterr()
    assert "./kernels.py:attend" in printed.out
    assert "the result is (1, 2, 31, 16) instead of (1, 2, 32, 16)" in printed.err
    frame = tbench.read_run(tmp_path / "run")
    assert list(frame["kernel"]) == kernels
    assert list(frame["status"]) == ["ok", "ok", "wrong", "error", "unsupported"]
    assert list(frame["speedup"].notna()) == [True, True, False, False, False]
    assert (frame["peak_memory_bytes"][:2] > 0).all()


def test_dry_run_and_a_suite(mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "suite.yaml").write_text("version: 1\nname: suite\nparts: [bench/mine.yaml]\n")
    kernel = "./bench/kernels.py:attend"
    arguments = [str(tmp_path / "suite.yaml"), "--device", "cpu", "-k", f"kernel={kernel} seq_len=32"]
    assert exit_code(["run", *arguments, "--dry-run"]) == 0  # each is set up and called, at a small size
    out = capsys.readouterr().out
    assert "1 case" in out and "runs" in out and "attend" in out


def test_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention's measured; the norm's called once at a small size, for `components/test_own.py` tests its numbers."""
    monkeypatch.chdir(tmp_path)
    short = ["-k", "seq_len=256 kv_heads=2", "--max-time", "0.05", "-o", str(tmp_path / "run"), "--device", "cpu"]
    assert exit_code(["run", str(EXAMPLE / "attention.yaml"), *short]) == 0
    assert set(tbench.read_run(tmp_path / "run")["status"]) == {"ok"}
    assert exit_code(["run", str(EXAMPLE / "norm.yaml"), "--dry-run", "--device", "cpu"]) == 0


def test_list_says_that_one_s_own_may_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["list"]) == 0
    out = capsys.readouterr().out
    assert "custom kernels: ./file.py:function or package.module:function, in attention, norm, " in out


# ---------------------------------------------------------------------- entry points

POINTS = """\
[tbench.variants]
attention.fast = mypkg.ops:attend
block.fast = mypkg.ops:attend
attention.flash = mypkg.ops:attend
attention.other = mypkg.ops
atention.fast = mypkg.ops:attend
kv.fast = mypkg.ops:attend
nothing = mypkg.ops:attend
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that has a package with entry points."""
    site = tmp_path / "site"
    (site / "mypkg").mkdir(parents=True)
    (site / "mypkg" / "__init__.py").write_text("")
    (site / "mypkg" / "ops.py").write_text(KERNELS)
    for name, points in (("mypkg", POINTS), ("spare", "[tbench.variants]\nattention.fast = spare:attend\n")):
        (site / f"{name}-1.2.dist-info").mkdir()
        (site / f"{name}-1.2.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (site / f"{name}-1.2.dist-info" / "entry_points.txt").write_text(points)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


def ran(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tbench", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_list_shows_what_packages_offer_and_what_is_left_out(installed: dict[str, str]) -> None:
    done = ran(installed, "list")
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("fast ")]
    assert len(rows) == 2
    assert all("of" in row and "yes" in row for row in rows)
    assert "SDPA's FlashAttention" in done.stdout
    said = sorted(done.stderr.splitlines())
    for word in (
        "attention.flash: tbench already has a kernel of that name",
        "attention.other: 'mypkg.ops' is not package.",
    ):
        assert any(word in line for line in said)
    assert any("atention.fast: no component 'atention' accepts kernels" in line for line in said)
    assert any("kv.fast: no component 'kv' accepts kernels" in line for line in said)
    assert any("its name is not component.kernel" in line for line in said)
    assert any("also provides attention.fast" in line for line in said)
    assert len(said) == 6


def test_runs_with_what_a_package_offers(installed: dict[str, str], mine: Path, tmp_path: Path) -> None:
    """By itself, and inside a block."""
    fast, block = mine.with_name("fast.yaml"), mine.with_name("block.yaml")
    fast.write_text(MINE.replace('"./kernels.py:attend"', "fast"))
    text = TINY.replace("attention", "block").replace("head_dim: 16", "hidden: 32").replace(", causal: true", "")
    block.write_text(text.replace("[naive, flash]", "[naive, fast]").replace("name: tiny", "name: whole"))
    both = ["run", str(fast), str(block), "-o", str(tmp_path / "run"), "--device", "cpu", "-k", "seq_len=32"]
    done = ran(installed, *both)
    assert done.returncode == 0, done.stderr
    for name, kernels in (("tiny", ["flash", "fast"]), ("whole", ["naive", "fast"])):
        frame = tbench.read_run(tmp_path / "run" / name)
        assert list(frame["kernel"]) == kernels
        assert list(frame["status"]) == ["ok", "ok"]
    assert exit_code(["list", str(fast)]) == 2  # not installed here


def test_help_asks_for_no_packages() -> None:
    code = "import sys, tbench.cli; tbench.cli.exit_code(['--help']); assert 'tbench.components' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
