"""The comparison as text, Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from tbench.comparison import facts, text
from tbench.comparison.compare import compare
from tbench.comparison.grid import Grid, grids, projection
from tbench.comparison.model import Comparison
from tbench.comparison.render import FORMATS, renderer
from tbench.comparison.table import sections
from tbench.errors import UsageError
from tbench.records import Case, Measurement
from tests.comparison.runs import HERE, after, before, run_of, timed
from tests.synthetic import attention, failed, ok

OTHER = replace(HERE, torch="2.14.0", python="3.12.1", load=0.1, warnings=("the governor is powersave: set it",))


@pytest.fixture
def every() -> Comparison:
    return compare(run_of(before(), "results/a"), run_of(after(), "results/b", environment=OTHER))


@pytest.fixture
def alike() -> Comparison:
    return compare(run_of(before(), "results/a"), run_of(after(), "results/b"))


def gridded(comparison: Comparison) -> list[Grid]:
    wanted = projection(comparison, "seq_len", "kernel")
    assert wanted is not None
    return grids(comparison, wanted)


@pytest.mark.parametrize("width", [80, 160])
def test_text(every: Comparison, width: int, snapshot: SnapshotAssertion) -> None:
    assert text.render(every, width=width, colour=False) == snapshot


@pytest.mark.parametrize("width", [80, 160])
def test_text_of_a_grid(alike: Comparison, width: int, snapshot: SnapshotAssertion) -> None:
    assert text.render(alike, gridded(alike), width=width, colour=False) == snapshot


@pytest.mark.parametrize("grid", [False, True])
def test_markdown(every: Comparison, grid: bool, snapshot: SnapshotAssertion) -> None:
    assert renderer("md")(every, gridded(every) if grid else []) == snapshot


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_text_keeps_inside_its_width(every: Comparison, width: int, grid: bool) -> None:
    shown = text.render(every, gridded(every) if grid else [], width=width, colour=False)
    assert max(map(cell_len, shown.splitlines())) <= width
    assert ("No room for" in shown) == (width < (80 if grid else 120))
    assert "SLOWER" in shown and "BIGGER" in shown and "BROKEN" in shown


def test_colour_only_where_it_is_wanted(every: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in text.render(every, width=80, colour=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in text.render(every)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in text.render(every)


def test_what_is_the_same_is_said_once_and_what_varies_is_a_column(every: Comparison) -> None:
    (model,) = sections(every)
    assert model.caption == (
        "attention forward cpu float32 batch=1 heads=8 kv_heads=8 (MHA) head_dim=64 causal=true pattern=full"
    )
    assert [column.name for column in model.columns] == [
        *("seq_len", "kernel", "base", "new", "ratio", "peak memory", "verdict", "note"),
    ]
    assert all(len(line) == len(model.columns) for line in model.lines)


def test_components_and_phases_have_a_table_each() -> None:
    count = Measurement(Case("kv", "count", "cpu", "float32", (("model", "llama"),)), "ok", findings={"bytes": 8})
    decode = ok(attention("flash", phase="decode"), 1e-3, 5)
    both = run_of([timed("flash", 5e-3, 1), count, timed("naive", 5e-3, 2), decode])
    models = sections(compare(both, both))
    assert [(model.caption.split(" device")[0].split(" cpu")[0], len(model.lines)) for model in models] == [
        ("attention forward", 2),
        ("kv count", 1),
        ("attention decode", 1),
    ]
    assert models[1].lines[0][-1].text == "[1]" and models[1].notes == ("not timed; same findings",)
    for format in ("text", "md"):
        shown = renderer(format)(compare(both, both), [])
        assert shown.count("kernel") >= 2 and "4 cases: 3 OK, 1 not timed" in shown


def test_cases_with_nothing_to_show_but_axes_are_counted() -> None:
    counts = [
        Measurement(Case("kv", "count", "cpu", "float32", (("model", name),)), "ok", findings={"bytes": 8})
        for name in ("llama", "gpt2")
    ]
    found = compare(run_of(counts), run_of(counts))
    (model,) = sections(found)
    assert (model.lines, model.remarks) == ((), ("2 cases: not timed; same findings",))
    for format in ("text", "md"):
        assert "kv count cpu float32" in renderer(format)(found, [])
        assert "gpt2" not in renderer(format)(found, []) and "---" not in renderer(format)(found, [])


def test_where_room_is_short_axes_go_that_others_imply() -> None:
    lengths = {1024: "full", 2048: "window:256"}
    run = run_of([ok(attention("flash", n, pattern=pattern), 5e-3, n) for n, pattern in lengths.items()])
    (model,) = sections(compare(run, run))
    assert [(column.name, column.rank) for column in model.columns[:2]] == [("seq_len", 0), ("pattern", 1)]
    shown = text.render(compare(run, run), width=40, colour=False)
    assert "No room for: pattern, new, peak memory, base" in " ".join(shown.split())


def test_a_single_case_has_no_axis_to_show() -> None:
    (model,) = sections(compare(run_of([timed("flash", 5e-3, 1)]), run_of([timed("flash", 5e-3, 2)])))
    assert [column.name for column in model.columns] == ["base", "new", "ratio", "peak memory", "verdict"]
    assert model.lines[0][-1].text == "OK"


def test_cases_that_all_failed_have_no_ratio_to_show() -> None:
    same = [failed(attention("flash"), "oom", "no room"), failed(attention("naive"), "oom", "no room")]
    (model,) = sections(compare(run_of(same), run_of(same)))
    assert [column.name for column in model.columns] == ["kernel", "base", "new", "verdict", "note"]
    assert [line[3].text for line in model.lines] == ["oom", "oom"]


def test_a_different_environment_is_the_first_thing_said(every: Comparison, alike: Comparison) -> None:
    first, second = facts.conditions(every)
    assert first.startswith("Environments differ: torch 2.13.0 → 2.14.0. This alone changes timings")
    assert second == "Also different: python 3.11.9 → 3.12.1; load 0 → 0.1 cores."
    assert facts.conditions(alike) == ["Machine, software and sampling match, as far as recorded."]
    for format in ("text", "md"):
        assert renderer(format)(every, []).index("Environments differ") < renderer(format)(every, []).index("SLOWER")


def test_differences_in_words() -> None:
    new = replace(HERE, memory_bytes=2**35, last_level_cache_bytes=None, cores=4)
    found = compare(run_of(before()), run_of(before(), "results/b", environment=new))
    assert facts.conditions(found) == [
        "Differences: cores 2 → 4; memory 16.0 GiB → 32.0 GiB; last level cache 32.0 MiB → unknown."
    ]


def test_the_summary_counts_every_case_once(every: Comparison) -> None:
    assert facts.summary(every) == (
        "12 cases: 1 SLOWER, 1 FASTER, 3 OK, 1 INCONCLUSIVE, 1 BROKEN, 1 FIXED, 1 MISSING, 1 ADDED, 2 not ok in both; "
        "peak memory: 1 BIGGER"
    )


def parsed(comparison: Comparison, made: list[Grid] | None = None) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        renderer("json")(comparison, made or []), parse_constant=lambda name: pytest.fail(f"{name} is not JSON")
    )
    return document


def test_json(every: Comparison) -> None:
    document = parsed(every)
    assert list(document) == [
        *("schema_version", "base", "new", "tolerance", "alpha", "environment", "warnings", "counts", "exit_code"),
        *("records", "grids"),
    ]
    assert document["environment"]["same"] is False
    torch = {"name": "torch", "base": "2.13.0", "new": "2.14.0", "changes_times": True}
    assert document["environment"]["differences"][0] == torch
    assert document["exit_code"] == 4
    assert document["grids"] is None
    assert sum(document["counts"][name] for name in ("SLOWER", "FASTER", "OK", "INCONCLUSIVE", "BROKEN")) == 7
    assert len({tuple(record) for record in document["records"]}) == 1
    slower = document["records"][1]
    assert slower["verdict"] == "SLOWER"
    assert slower["ratio_low"] < slower["ratio"] < slower["ratio_high"]
    row = every.rows[1]
    assert row.ratio is not None and slower["ratio"] == row.ratio.estimate  # full precision
    assert slower["axes"]["seq_len"] == 1024 and slower["base_status"] == "ok" and slower["new_rounds"] == 4
    missing = document["records"][8]
    assert missing["verdict"] == "MISSING"
    assert (
        missing["new_status"] is missing["new_seconds"] is missing["ratio"] is missing["new_peak_memory_bytes"] is None
    )


def test_json_of_grids_names_the_cases(alike: Comparison) -> None:
    (grid,) = parsed(alike, gridded(alike))["grids"]
    assert (grid["rows"], grid["column"], grid["title"]) == (["seq_len"], "kernel", {})
    assert {cell["case"] for cell in grid["cells"]} == {row.case.id for row in alike.rows}
    assert grid["cells"][1]["row"] == {"seq_len": 1024} and grid["cells"][1]["verdict"] == "SLOWER"


def test_json_has_no_infinity() -> None:
    new = timed("flash", 5e-3, 2, rounds=2, between=60.0)
    found = compare(run_of([timed("flash", 5e-3, 1, rounds=2)]), run_of([new]))
    assert parsed(found)["records"][0]["smallest_change"] is None
    assert "no slowdown at all would have been detected" in parsed(found)["records"][0]["reason"]
    assert "detects none" in text.render(found, width=160, colour=False)


@pytest.mark.parametrize("format", list(FORMATS))
def test_nothing_is_taken_for_markup(format: str) -> None:
    reason = "died: [red]x[/red] |pipe| <b>`code`</b> *star*"
    found = compare(run_of([timed("flash", 5e-3, 1)]), run_of([failed(attention("flash"), "error", reason)]))
    shown = renderer(format)(found, [])
    if format == "md":
        assert r"[red]x[/red] \|pipe\| \<b\>`code`\</b\> \*star\*" in shown
    else:
        assert "[red]x[/red] |pipe| <b>`code`</b> *star*" in shown


@pytest.mark.parametrize(("format", "hint"), [("markdown", ""), ("jsn", "did you mean json?"), ("TEXT", "mean text?")])
def test_an_unknown_format_is_refused(format: str, hint: str) -> None:
    with pytest.raises(UsageError, match="text, md, json") as refused:
        renderer(format)
    assert hint in str(refused.value)
