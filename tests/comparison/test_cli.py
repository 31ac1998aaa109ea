"""`tbench compare` as a shell meets it: output, files, exit codes, refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tbench.cli import exit_code
from tbench.cli.compare import share
from tbench.errors import UsageError
from tbench.records import Environment, Measurement
from tests.comparison.runs import HERE, after, before, stored, timed, weighing
from tests.synthetic import attention, failed
from tests.test_imports import loaded_by

NEWER = replace(HERE, torch="2.14.0")


def ends(
    tmp_path: Path,
    base: Sequence[Measurement],
    new: Sequence[Measurement],
    environment: Environment = HERE,
    *options: str,
) -> int:
    old, now = stored(tmp_path / "base", base), stored(tmp_path / "new", new, environment)
    return exit_code(["compare", old, now, *options])


def flash(seconds: float, seed: int = 1) -> Measurement:
    return timed("flash", seconds, seed)


FAILED = failed(attention("flash"), "error", "the worker died")
NOT_HERE = failed(attention("flash"), "unsupported", "needs a compiler")
FAIL_ON = ("--fail-on", "regression")


@pytest.mark.parametrize(
    ("base", "new", "environment", "code", "told"),
    [
        ([flash(5e-3)], [flash(5e-3, 2)], HERE, 0, ""),
        ([flash(5e-3)], [flash(2e-3, 2)], HERE, 0, ""),
        ([flash(5e-3)], [flash(9e-3, 2)], HERE, 1, "1 case exceeded the tolerance"),
        ([flash(5e-3)], [weighing(flash(5e-3, 2), 2**30)], HERE, 1, "exceeded the tolerance"),
        ([flash(5e-3)], [flash(9e-3, 2)], NEWER, 3, "but torch changed too"),
        ([flash(5e-3)], [weighing(flash(5e-3, 2), 2**30)], NEWER, 3, "measure both sides in one environment"),
        ([flash(5e-3)], [flash(5e-3, 2)], NEWER, 0, ""),
        ([flash(5e-3)], [flash(9e-3, 2)], replace(HERE, python="3.12.0"), 1, "exceeded the tolerance"),
        ([flash(5e-3)], [FAILED], HERE, 4, "1 case failed in the new run"),
        ([flash(5e-3)], [FAILED], NEWER, 4, "failed in the new run"),
        ([FAILED], [flash(5e-3)], HERE, 0, ""),
        ([FAILED], [FAILED], HERE, 4, "1 case failed in the new run"),
        ([NOT_HERE], [NOT_HERE], HERE, 0, ""),
        ([flash(5e-3)], [NOT_HERE], HERE, 4, "1 case failed in the new run"),
        ([flash(5e-3)], [flash(5e-3, 2), failed(attention("flex"), "wrong", "no")], HERE, 4, "kernel=flex"),
        ([flash(5e-3), timed("naive", 5e-3, 3)], [flash(5e-3, 2)], HERE, 3, "1 case of the base not measured"),
        ([flash(5e-3), timed("naive", 5e-3, 3)], [flash(9e-3, 2)], HERE, 1, "exceeded the tolerance"),
        ([flash(5e-3)], [flash(5e-3, 2), timed("naive", 5e-3, 3)], HERE, 0, ""),
        ([flash(5e-3), timed("naive", 5e-3, 3)], [FAILED, timed("naive", 9e-3, 4)], HERE, 4, "kernel=flash"),
        ([timed("flash", 5e-3, 1, between=0.06)], [timed("flash", 5e-3, 2, between=0.06)], HERE, 3, "1 case undecided"),
    ],
)
def test_exit_codes(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    base: list[Measurement],
    new: list[Measurement],
    environment: Environment,
    code: int,
    told: str,
) -> None:
    assert ends(tmp_path, base, new, environment, *FAIL_ON) == code
    out, err = capsys.readouterr()
    assert told in err and bool(told) == bool(err)
    assert out.startswith("Naive and flash attention")  # the comparison is told first
    assert exit_code(["compare", str(tmp_path / "base"), str(tmp_path / "new")]) == 0


def test_many_failures_are_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [2**n for n in range(4, 12)]
    base = [timed("flash", 5e-3, n, size) for n, size in enumerate(sizes)]
    new = [timed("flash", 9e-3, 50 + n, size) for n, size in enumerate(sizes)]
    assert ends(tmp_path, base, new, HERE, *FAIL_ON) == 1
    assert "8 cases exceeded the tolerance" in (err := capsys.readouterr().err)
    assert "seq_len=16; seq_len=32; seq_len=64; seq_len=128; seq_len=256; and 3 more" in err


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    return stored(tmp_path / "base", before()), stored(tmp_path / "new", after())


def test_a_file_gets_no_colours_and_the_terminal_nothing(
    two: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    for format in ("text", "md", "json"):
        file = tmp_path / f"out.{format}"
        assert exit_code(["compare", *two, "--format", format, "-o", str(file)]) == 0
        content = file.read_text(encoding="utf-8")
        assert "\x1b" not in content and "No room for" not in content and "SLOWER" in content
    assert capsys.readouterr().out == ""


def test_grids_on_the_command_line(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["compare", *two, "--rows", "seq_len", "--cols", "kernel"]) == 0
    assert "▲ SLOWER" in capsys.readouterr().out
    assert exit_code(["compare", *two, "--cols", "kernel", "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["grids"]) == 1


def test_the_tolerance_on_the_command_line(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["compare", *two, "--tolerance", "50%", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["tolerance"] == 0.5
    assert document["counts"]["SLOWER"] == 0


def test_the_same_folder_twice_is_warned_of(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["compare", two[0], f"{two[0]}/../base"]) == 0
    assert "warning: base and new are the same folder" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--fail-on", "anything"], "choose regression"),
        (["--format", "htm"], "text, md, json, html"),
        (["--tolerance", "5"], "did you mean 5%?"),
        (["--rows", "seqlen", "--cols", "kernel"], "did you mean 'seq_len'?"),
        (["-o", "/no/such/folder/out.md"], "cannot be written"),
    ],
)
def test_usage_errors(two: tuple[str, str], options: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["compare", *two, *options]) == 2
    assert told in capsys.readouterr().err


def test_folders_that_cannot_be_read(two: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["compare", two[0], str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert exit_code(["compare", str(tmp_path / "empty"), two[1]]) == 2
    assert "holds no run" in capsys.readouterr().err
    lines = Path(two[1]) / "measurements.jsonl"
    lines.write_text("{}\n" + lines.read_text())
    assert exit_code(["compare", *two]) == 2
    assert "measurements.jsonl:1: is not a measurement" in capsys.readouterr().err


def test_nothing_in_common_names_the_axis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(tmp_path, [flash(5e-3)], [timed("flash", 5e-3, 1, 4096)]) == 2
    assert "seq_len is 1024 in the base and 4096 in the new run" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "value"), [("5%", 0.05), ("0.05", 0.05), (" 2.5% ", 0.025), ("100%", 1.0)])
def test_shares(words: str, value: float) -> None:
    assert share(words) == pytest.approx(value)


@pytest.mark.parametrize("words", ["0", "0%", "-5%", "5", "1", "nan", "inf%", "101%", "", "%", "five"])
def test_what_is_no_share(words: str) -> None:
    with pytest.raises(UsageError, match="--tolerance"):
        share(words)


def test_neither_help_nor_a_comparison_loads_anything_heavy(two: tuple[str, str]) -> None:
    for arguments in (["compare", "--help"], ["compare", *two]):
        code = f"from tbench.cli import exit_code\nassert exit_code({arguments!r}) == 0"
        assert loaded_by(code, "torch,pandas,scipy,matplotlib") == set()
