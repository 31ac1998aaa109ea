"""Every format over one synthetic run that holds every status."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from tbench.analysis.derive import derive
from tbench.analysis.run import Run
from tbench.cli.report import report
from tbench.errors import StoreError, UsageError
from tbench.records import STATUSES, Case, Measurement
from tbench.report import facts, render, text, write_derived
from tbench.report.model import kv_sharing, table
from tbench.store import RunFolder
from tests.synthetic import CEILINGS, ENVIRONMENT, attention, decode, every_status, failed, header, ok


def run_of(measurements: list[Measurement]) -> Run:
    return Run(Path("results/attention/example"), header(), ENVIRONMENT, tuple(measurements))


@pytest.fixture
def every() -> Run:
    return run_of(every_status())


def test_the_synthetic_run_holds_every_status(every: Run) -> None:
    assert {one.status for one in every.measurements} == set(STATUSES)


@pytest.mark.parametrize("width", [80, 120])
def test_text(every: Run, width: int, snapshot: SnapshotAssertion) -> None:
    assert text.render(every, width, colour=False) == snapshot


def test_text_of_decode(snapshot: SnapshotAssertion) -> None:
    assert text.render(run_of(decode()), 120, colour=False) == snapshot


def test_markdown(every: Run, snapshot: SnapshotAssertion) -> None:
    assert render(every, "md") == snapshot


@pytest.mark.parametrize("width", [60, 72, 80, 100, 200])
def test_text_keeps_inside_its_width_and_says_what_it_left_out(every: Run, width: int) -> None:
    shown = text.render(every, width, colour=False)
    assert max(map(cell_len, shown.splitlines())) <= width
    assert ("No room for" in shown) == (width < 110)
    for word in ("latency", "speed-up", "36.2 ms", "unsupported")[: 3 if width == 60 else 4]:
        assert word in shown


def test_text_has_colour_only_where_it_is_asked_for(
    every: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "\x1b[" in text.render(every, 80, colour=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in text.render(every)
    assert "No room for" in text.render(every)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in text.render(every)


def test_text_for_a_pipe_is_plain_and_whole(every: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    shown = text.render(every)
    assert "\x1b" not in shown and "No room for" not in shown


def test_constant_axes_go_to_the_caption_and_varying_ones_to_columns(every: Run) -> None:
    model = table(every.rows)
    assert model.caption == (
        "attention forward cpu float32 batch=1 heads=8 kv_heads=8 (MHA) head_dim=64 causal=true pattern=full"
    )
    assert [column.name for column in model.columns][:2] == ["seq_len", "kernel"]
    assert all(len(line) == len(model.columns) for line in model.lines)
    assert model.breaks == {4, 8}


def test_a_phase_that_varies_is_a_column_and_an_axis_one_component_lacks_is_empty() -> None:
    norm = Measurement(Case("norm", "forward", "cpu", "float32", (("tokens", 8),)), "oom", "no room")
    model = table(run_of([ok(attention("flash"), 1e-3, 1), norm]).rows)
    names = [column.name for column in model.columns]
    assert names[0] == "component"
    assert model.lines[1][names.index("kernel")].text == ""
    assert model.lines[0][names.index("tokens")].text == ""


def test_notes_are_numbered_once_and_shared_ones_said_once() -> None:
    reason = "needs a compiler, which is not installed"
    rows = run_of(
        [
            ok(attention("naive"), 3e-2, 1, notes=("measured with one thread only: allow more",)),
            ok(attention("flash"), 1e-2, 1, notes=("measured with one thread only: allow more",)),
            failed(attention("flex"), "unsupported", reason),
            failed(attention("auto"), "unsupported", reason),
        ]
    ).rows
    model = table(rows)
    assert model.notes == (reason,)
    assert model.remarks == ("measured with one thread only: allow more",)
    assert [line[-1].text for line in model.lines] == ["", "", "[1]", "[1]"]


def test_rows_that_missed_the_target_by_different_widths_share_a_note() -> None:
    rows = run_of(
        [ok(attention(k), 1e-2, n, stopped="max_time", target=1e-4) for n, k in enumerate(("naive", "flash"))]
        + [ok(attention("auto"), 1e-2, 7)]
    ).rows
    assert table(rows).notes == (
        "interval wider than the requested ±0.01% (max_time): run with --rigorous or raise max_time",
    )


@pytest.mark.parametrize(("kv_heads", "name"), [(8, "MHA"), (4, "GQA-4"), (1, "MQA")])
def test_kv_sharing_by_its_name(kv_heads: int, name: str) -> None:
    assert kv_sharing(attention("flash", kv_heads=kv_heads)) == name


def test_no_sharing_without_heads() -> None:
    assert kv_sharing(Case("norm", "forward", "cpu", "float32", (("tokens", 8),))) is None


def test_decode_shows_kv_cache_and_bytes_per_second_and_prefill_flops(every: Run) -> None:
    names = [column.name for column in table(run_of(decode()).rows).columns]
    assert "KV cache" in names
    assert "GB/s" in text.render(run_of(decode()), 200, colour=False)
    assert "KV cache" not in [column.name for column in table(every.rows).columns]
    assert "GFLOP/s" in text.render(every, 200, colour=False)


@pytest.mark.parametrize("format", ["text", "md", "csv", "json"])
def test_a_run_without_a_single_case_can_be_reported(format: str) -> None:
    assert render(run_of([]), format)


@pytest.mark.parametrize("format", ["text", "md"])
def test_nothing_in_a_report_is_taken_for_markup(format: str) -> None:
    reason = "died: [red]x[/red] |pipe| <b>`code`</b> *star*\nsecond line"
    shown = render(run_of([failed(attention("flex"), "error", reason)]), format)
    if format == "text":
        assert "[red]x[/red] |pipe| <b>`code`</b> *star*" in shown
    else:
        assert r"died: [red]x[/red] \|pipe\| \<b\>`code`\</b\> \*star\* second line" in shown


def test_csv_is_the_contract(every: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(render(every, "csv"))))
    frame = every.frame()
    assert list(rows[0]) == list(frame.columns)
    assert [row["case"] for row in rows] == [one.case.id for one in every.measurements]
    first, unsupported = rows[0], rows[3]
    assert first["causal"] == "true"
    assert float(first["latency_ms"]) == frame.latency_ms[0]  # full precision
    assert first["peak_memory_bytes"] == "67108864"
    assert unsupported["latency_ms"] == unsupported["samples"] == unsupported["speedup"] == ""
    assert not {"nan", "None", "<NA>", "inf"} & {cell for row in rows for cell in row.values()}


def test_json_is_the_same_table_with_its_environment(every: Run) -> None:
    document = json.loads(render(every, "json"), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert document["columns"] == list(every.frame().columns)
    assert [list(record) for record in document["records"]] == [document["columns"]] * 11
    assert document["records"][3]["latency_ms"] is None
    assert document["records"][0]["causal"] is True
    assert document["environment"] == json.loads(json.dumps(ENVIRONMENT.to_dict()))
    assert document["run"]["seed"] == 0


def test_an_interrupted_run_says_how_to_go_on(every: Run) -> None:
    cut = replace(every, header={**header(), "status": "interrupted"})
    for format in ("text", "md"):
        assert "continue it with" in " ".join(render(cut, format).split())


def test_a_header_that_knows_little_is_enough() -> None:
    run = Run(Path("results/x"), {}, replace(ENVIRONMENT, ceilings=None, warnings=()), tuple(every_status()))
    assert facts.title(run) == "x"
    assert facts.command(run) is None
    assert render(run, "md").startswith("# x\n")


@pytest.mark.parametrize(
    ("format", "hint"),
    [
        ("markdown", "did you mean md?"),
        ("jsn", "did you mean json?"),
        ("CSV", "did you mean csv?"),
        ("html", "choose from text, md, csv, json"),
    ],
)
def test_an_unknown_format_is_refused_with_a_hint(every: Run, format: str, hint: str) -> None:
    with pytest.raises(UsageError, match="unknown format") as refused:
        render(every, format)
    assert hint in str(refused.value)


def stored(folder: Path) -> Path:
    with RunFolder.create(folder, {**header(), "environment": ENVIRONMENT.to_dict()}) as run:
        for measurement in every_status():
            run.append(measurement)
        run.finish()
    return folder


def test_derived_files_are_those_of_the_contract(tmp_path: Path) -> None:
    run = Run.read(stored(tmp_path))
    write_derived(run)
    assert (tmp_path / "results.csv").read_text() == render(run, "csv")
    assert (tmp_path / "report.md").read_text() == render(run, "md")
    write_derived(run)  # again: they may always be made anew


def test_the_report_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(stored(tmp_path / "run"))
    assert report(folder, "csv", "-") == report(folder, "csv") == 0
    printed = capsys.readouterr().out
    assert report(folder, "csv", str(tmp_path / "out.csv")) == 0
    assert capsys.readouterr().out == ""
    assert printed == 2 * (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_a_file_has_neither_the_width_nor_the_colours_of_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    report(str(stored(tmp_path / "run")), "text", str(tmp_path / "out.txt"))
    written = (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert "No room for" not in written and "\x1b" not in written and "GFLOP/s" in written


def test_the_report_verb_refuses_clearly(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown format"):
        report(str(tmp_path / "nowhere"), "htm", None)
    with pytest.raises(StoreError, match="does not exist"):
        report(str(tmp_path / "nowhere"), "md", None)
    with pytest.raises(UsageError, match=r"-o .*cannot be written"):
        report(str(stored(tmp_path / "run")), "md", str(tmp_path / "no" / "out.md"))


def test_experiments_show_what_they_found() -> None:
    case = Case("training", "train", "cpu", "float32", (("arm", "rope"),))
    found = Measurement(case, "ok", findings={"loss": 1.23456, "diverged": 0, "losses": [1.2, 1.3], "text": "stdlib"})
    refused = Measurement(case.with_(arm="none"), "error", "RuntimeError: no")
    made = table(derive([found, refused]))
    names = [column.name for column in made.columns]
    assert {"loss", "diverged", "text"} <= set(names)
    assert "losses" not in names
    first, second = ([cell.text for cell in line] for line in made.lines)
    assert first[names.index("loss")] == "1.235"
    assert second[names.index("loss")] == ""
    assert second[names.index("latency")] == "error"


def test_rows_of_a_cluster_name_their_machine_and_device_types_are_told_apart() -> None:
    """Each with the peaks of its own machine; and no ratio between two."""
    fast = replace(ENVIRONMENT, ceilings=replace(CEILINGS, flops={"float32": 1700e9}))
    peaks = {"a A100": ENVIRONMENT, "b H100": fast}
    cases = [("a", "A100", "naive"), ("a", "A100", "flash"), ("b", "H100", "auto")]
    rows = [ok(attention(kernel), 10e-3, 1, host=host, device_name=device) for host, device, kernel in cases]
    run = replace(run_of(rows), machines=peaks)
    found = list(csv.DictReader(io.StringIO(render(run, "csv"))))
    assert list(found[0])[-2:] == ["host", "device_name"]
    assert [(line["host"], line["device_name"]) for line in found] == [case[:2] for case in cases]
    assert found[1]["speedup"] and not found[2]["speedup"]
    assert "another machine" in found[2]["reason"]
    assert float(found[0]["limit_fraction"]) == pytest.approx(10 * float(found[2]["limit_fraction"]))
    assert "2 machines (A100, H100)" in render(run, "text")
    assert "| device type |" in render(run, "md")
    assert run.device_types == ("A100", "H100")
    assert "device type" not in render(run_of(rows[:2]), "md")
