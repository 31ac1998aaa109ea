"""`tbench export`: what is written where, what is left out, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.analysis.run import Run
from tbench.cli import exit_code
from tbench.errors import UsageError
from tbench.records import Measurement
from tbench.report.exchange import (  # not its names: pytest would take them for tests
    FORMATS,
    exporter,
)
from tbench.store import RunFolder
from tests.report.exported import EXPERIMENT, HERE, JUNIT, TIMED
from tests.synthetic import attention, failed, header, ok


def stored(folder: Path, made: list[Measurement]) -> str:
    with RunFolder.create(folder, {**header(), "environment": HERE.to_dict()}) as run:
        for measurement in made:
            run.append(measurement)
        run.finish()
    return str(folder)


@pytest.mark.parametrize("format", FORMATS)
def test_the_verb_writes_what_the_function_makes(
    every: Run, format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stored(tmp_path / "run", list(every.measurements))
    wanted = exporter(format)(Run.read(folder))
    for output in ([], ["-o", "-"], ["-o", str(tmp_path / "out")]):
        assert exit_code(["export", folder, "--format", format, *output]) == 0
        printed, told = capsys.readouterr()
        assert (printed or (tmp_path / "out").read_text(encoding="utf-8")) == wanted
        if format == "junit":
            assert told == ""
        else:
            assert told.startswith(f"{folder}: 6 of 12 cases left out (no latency): 1 unsupported, 1 wrong")
            assert "1 oom" in told and "1 not timed (an experiment)" in told


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_told_where_nothing_is_left_out(
    format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stored(tmp_path / "run", [ok(attention("flash"), 1e-3, 1)])
    assert exit_code(["export", folder, "--format", format]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ([failed(attention("naive"), "oom", "needs 256 GiB, 14.2 GiB are free"), EXPERIMENT], "1 oom, 1 not timed"),
        ([], "the run has no case"),
    ],
)
def test_a_run_without_a_latency_is_refused_but_by_junit(
    made: list[Measurement], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stored(tmp_path / "run", made)
    for format in TIMED:
        assert exit_code(["export", folder, "--format", format, "-o", str(tmp_path / "out")]) == 2
        assert why in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
    assert exit_code(["export", folder, "--format", "junit"]) == 0
    JUNIT.validate(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("format", "hint"),
    [
        ("PyPerf", "did you mean pyperf?"),
        ("github_action", "did you mean github-action?"),
        ("google", "did you mean google-benchmark?"),
        ("xlsx", "choose from pyperf, github-action, bmf, junit, google-benchmark"),
    ],
)
def test_an_unknown_format_is_refused_before_the_folder_is_read(
    format: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="unknown format"):
        exporter(format)
    assert exit_code(["export", str(tmp_path / "nowhere"), "--format", format]) == 2
    assert hint in capsys.readouterr().err


def test_what_cannot_be_read_or_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["export", str(tmp_path / "nowhere"), "--format", "bmf"]) == 2
    assert "does not exist" in capsys.readouterr().err
    folder = stored(tmp_path / "run", [ok(attention("flash"), 1e-3, 1)])
    assert exit_code(["export", folder, "--format", "bmf", "-o", str(tmp_path / "no" / "out")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert exit_code(["export", folder]) == 2  # of no format in particular


def test_export_loads_nothing_heavy(tmp_path: Path) -> None:
    from tests.test_imports import loaded_by

    folder = stored(tmp_path / "run", [ok(attention("flash"), 1e-3, 1)])
    for format in FORMATS:
        code = (
            f"from tbench.cli import exit_code\nassert exit_code(['export', {folder!r}, '--format', {format!r}]) == 0"
        )
        assert loaded_by(code, "torch,pandas") == set()
