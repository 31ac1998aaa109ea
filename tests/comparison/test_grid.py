"""Projections: which grids, which rows and columns, and axes that are not there."""

from __future__ import annotations

import pytest

from tbench.comparison.compare import compare
from tbench.comparison.grid import Grid, grids, projection
from tbench.comparison.model import Comparison
from tbench.comparison.table import grid, legend
from tbench.errors import UsageError
from tbench.records import Measurement
from tests.comparison.runs import after, before, run_of, timed
from tests.synthetic import attention, ok


@pytest.fixture
def every() -> Comparison:
    return compare(run_of(before()), run_of(after()))


def made(comparison: Comparison, rows: str | None, cols: str | None) -> list[Grid]:
    wanted = projection(comparison, rows, cols)
    assert wanted is not None
    return grids(comparison, wanted)


def lines(one: Grid) -> list[list[str]]:
    return [[cell.text.strip() for cell in line] for line in grid(one).lines]


def test_a_grid_of_two_axes(every: Comparison) -> None:
    (one,) = made(every, "seq_len", "kernel")
    assert one.title == ()
    assert list(one.rows) == [(1024,), (4096,), (65536,)]
    assert one.columns == ("naive", "flash", "auto", "chunked", "flex", "masked", "cudnn")
    table = grid(one)
    assert [column.name for column in table.columns] == ["seq_len", *one.columns]
    first, second, third = lines(one)
    assert first[1].startswith("1.0") and first[1].endswith("×")
    assert first[2].endswith("× ▲") and first[3].endswith("× ▼") and first[4].endswith("× ?")
    assert first[5:] == ["unsupported", "", ""]
    assert second[1].endswith("× ■")
    assert second[2:6] == ["BROKEN", "", "MISSING", "FIXED"]
    assert third == ["65536", "oom", "", "", "", "", "", ""]
    assert legend([one]) == ("ratio = new ÷ base time, ▲ SLOWER, ▼ FASTER, ? INCONCLUSIVE, ■ BIGGER (peak memory)")


def swept() -> list[Measurement]:
    return [
        ok(attention(kernel, seq_len, kv_heads), 5e-3, seq_len + kv_heads)
        for kv_heads in (8, 1)
        for seq_len in (4096, 1024)
        for kernel in ("naive", "flash")
    ]


@pytest.fixture
def cube() -> Comparison:
    return compare(run_of(swept()), run_of(swept()))


def test_one_grid_for_every_combination_of_the_other_axes_that_vary(cube: Comparison) -> None:
    found = made(cube, "seq_len", "kernel")
    assert [one.title for one in found] == [(("kv_heads", 8),), (("kv_heads", 1),)]
    assert [one.rows for one in found] == [((1024,), (4096,))] * 2
    assert grid(found[0]).caption == "kv_heads=8 columns: kernel"


def test_rows_of_several_axes_and_grids_without_rows_or_columns(cube: Comparison) -> None:
    (one,) = made(cube, "kv_heads, seq_len", "kernel")
    assert one.rows == ((1, 1024), (1, 4096), (8, 1024), (8, 4096))
    (same,) = made(cube, None, "kernel")
    assert same.projection.rows == ("seq_len", "kv_heads")
    assert len(same.rows) == 4
    down = made(cube, "seq_len", None)
    assert len(down) == 4
    assert [column.name for column in grid(down[0]).columns] == ["seq_len", "ratio"]
    assert all(len(one.cells) == 2 for one in down)


def test_an_axis_with_one_value_may_be_asked_for(cube: Comparison) -> None:
    found = made(cube, "batch", "heads")
    assert len(found) == 8
    assert {(one.rows, one.columns) for one in found} == {(((1,),), (8,))}


def test_every_case_stands_in_one_grid(cube: Comparison) -> None:
    for rows, cols in (("seq_len", "kernel"), ("kernel", "kv_heads"), (None, "seq_len"), ("pattern", None)):
        cells = [row.case.id for one in made(cube, rows, cols) for row in one.cells.values()]
        assert sorted(cells) == sorted(row.case.id for row in cube.rows)


def test_a_single_case_is_a_grid_of_one() -> None:
    alone = compare(run_of([timed("flash", 5e-3, 1)]), run_of([timed("flash", 5e-3, 2)]))
    (one,) = made(alone, None, "kernel")
    assert one.rows == ((),)
    assert len(grid(one).lines) == 1


@pytest.mark.parametrize(
    ("rows", "cols", "told"),
    [
        ("seqlen", "kernel", "--rows seqlen: no such axis; did you mean 'seq_len'?"),
        ("seq_len", "Kernel", "--cols Kernel: no such axis; did you mean 'kernel'?"),
        ("xyz", None, "choose from component, phase, device, dtype, batch"),
        ("seq_len,kernel", "kernel", "kernel appears twice"),
        ("seq_len,seq_len", None, "seq_len appears twice"),
        (" , ", None, "--rows names no axis"),
    ],
)
def test_axes_that_make_no_sense_are_refused(every: Comparison, rows: str, cols: str | None, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        projection(every, rows, cols)
    assert told in str(refused.value)


def test_no_projection_unless_asked(every: Comparison) -> None:
    assert projection(every, None, None) is None
