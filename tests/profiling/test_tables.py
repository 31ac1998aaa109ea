"""Profiles as tables and as a picture, from made-up figures."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.errors import UsageError
from tbench.measure.profiler import MOST_POINTS, thinned
from tbench.profiling.model import Operator, Profile
from tbench.profiling.picture import picture
from tbench.profiling.run import refuse
from tbench.profiling.tables import MOST, alone, side_by_side
from tests.claims.runs import case
from tests.synthetic import attention

BMM, SOFTMAX = Operator("aten::bmm", 4, 0.06, 2048), Operator("aten::_softmax", 2, 0.03, -1024)
NAIVE = Profile(attention("naive"), 2, 0.1, 0.01, (BMM, SOFTMAX), ((0.0, 0), (0.02, 4096), (0.05, 0)), 4096)
FUSED = Operator("aten::flash", 4, 0.04, 0)
FLASH = Profile(attention("flash"), 4, 0.05, 0.01, (FUSED,), ((0.0, 0), (0.01, 1024), (0.0125, 0)), 1024)


def words(table: object) -> list[list[str]]:
    return [[cell.text for cell in line] for line in table.lines]  # type: ignore[attr-defined]


def test_one_profile_has_shares_and_figures_per_call() -> None:
    assert words(alone(NAIVE)) == [
        ["aten::bmm", "60%", "30.0 ms", "2", "1.00 KiB"],
        ["aten::_softmax", "30%", "15.0 ms", "1", "−512 B"],
        ["Python and dispatch", "10%", "5.00 ms", "", ""],
    ]


def test_operators_beyond_the_first_are_one_row() -> None:
    many = tuple(Operator(f"op{number}", 1, 0.001, 1) for number in range(MOST + 3))
    table = words(alone(Profile(attention("naive"), 1, 0.02, 0.002, many, ((0.0, 0),), 0)))
    assert len(table) == MOST + 2 and table[-2][:2] == ["others (3)", "15%"]


def test_two_profiles_stand_side_by_side_by_what_differs_most() -> None:
    table = side_by_side(NAIVE, FLASH)
    assert [column.name for column in table.columns] == ["operator", "kernel=naive", "kernel=flash", "difference"]
    assert words(table) == [
        ["aten::bmm", "30.0 ms", "", "−30.0 ms"],
        ["aten::_softmax", "15.0 ms", "", "−15.0 ms"],
        ["aten::flash", "", "10.0 ms", "+10.0 ms"],
        ["Python and dispatch", "5.00 ms", "2.50 ms", "−2.50 ms"],
        ["all of a call", "50.0 ms", "12.5 ms", "−37.5 ms"],
    ]


def test_the_picture_is_svg_with_a_text_for_those_who_cannot_see_it() -> None:
    root = ElementTree.fromstring(picture([NAIVE, FLASH]))
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img" and root.findtext(f"{space}title")
    assert root.findtext(f"{space}desc") == "kernel=naive: peak 4.00 KiB; kernel=flash: peak 1.00 KiB"
    paths = [one.get("d", "") for one in root.iter(f"{space}path")]
    assert len(paths) == 2 and all(path.startswith("M80.0 260.0 H") for path in paths)
    evil = Profile(attention("<b>&\x1b"), 1, 0.1, 0.0, (), ((0.0, 0),), 0)
    assert "<b>" not in picture([evil]) and "\x1b" not in picture([evil])


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=3 * MOST_POINTS))
def test_a_thinned_picture_keeps_the_peak_and_the_end(sizes: list[int]) -> None:
    points = [(float(at), size) for at, size in enumerate(sizes)]
    few = thinned(points)
    assert len(few) <= MOST_POINTS + 1 and few[-1] == points[-1]
    assert max(size for _, size in few) == max(sizes)


def test_what_cannot_be_profiled_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"3 cases are selected, and one or two can be profiled: narrow them with -k"):
        refuse([attention("naive", n) for n in (1, 2, 3)])
    with pytest.raises(UsageError, match="cuda only"):
        refuse([attention("cudnn")])
    with pytest.raises(UsageError, match="not timed"):
        refuse([case("training", "train", experiment="activation", arm="relu", budget="quick")])
