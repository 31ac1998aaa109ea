"""Properties of the ratio of two independent sides, and how it agrees with scipy's Welch test."""

from __future__ import annotations

import math
from statistics import median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from tbench.analysis.statistics import MEDIAN_EFFICIENCY
from tbench.comparison.compare import evidence_of
from tbench.comparison.ratio import MOST, Side, between, interval, p_above, p_below, rounds_needed, smallest_change

LOGS = st.floats(-8, 3, allow_nan=False)
SIDE = st.lists(st.lists(LOGS, min_size=1, max_size=4), min_size=2, max_size=8)
Logs = list[list[float]]

BASE = [[0.00, 0.01], [0.02, 0.01], [-0.01, 0.00], [0.01, 0.03], [-0.02, 0.0], [0.01, 0.0]]


def shifted(rounds: Logs, by: float) -> Logs:
    return [[value + by for value in turns] for turns in rounds]


@given(SIDE, SIDE)
def test_swapping_the_sides_inverts_everything(base: Logs, new: Logs) -> None:
    there, back = interval(between(base, new)), interval(between(new, base))
    assert there.low is not None and there.high is not None and back.low is not None and back.high is not None
    assert math.isclose(there.estimate * back.estimate, 1)
    assert math.isclose(there.low * back.high, 1) and math.isclose(there.high * back.low, 1)
    for bound in (0.0, 0.05):
        assert math.isclose(
            p_above(between(base, new), bound), p_below(between(new, base), -bound), rel_tol=1e-6, abs_tol=1e-12
        )


@given(SIDE, st.floats(-3, 3))
def test_a_side_that_is_longer_by_a_factor_gives_that_factor(base: Logs, by: float) -> None:
    found = interval(between(base, shifted(base, by)))
    assert math.isclose(found.estimate, math.exp(by), rel_tol=1e-9)
    assert found.low is not None and found.high is not None
    assert found.low <= math.exp(by) * (1 + 1e-9) and math.exp(by) <= found.high * (1 + 1e-9)


@given(SIDE, SIDE, st.randoms(use_true_random=False))
def test_the_order_of_rounds_does_not_matter(base: Logs, new: Logs, chance: object) -> None:
    mixed = list(base)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = interval(between(base, new)), interval(between(mixed, new))
    assert one.estimate == other.estimate
    assert one.high is not None and other.high is not None and math.isclose(one.high, other.high)


@given(SIDE, SIDE)
def test_freedom_lies_between_the_smaller_side_and_both(base: Logs, new: Logs) -> None:
    found = between(base, new).freedom()
    assert min(len(base), len(new)) - 1 <= found <= len(base) + len(new) - 2


@given(SIDE, SIDE)
def test_error_and_freedom_are_those_of_welch(base: Logs, new: Logs) -> None:
    first, second = ([median(turns) for turns in side] for side in (base, new))
    assume(max(first) - min(first) > 1e-3 and max(second) - min(second) > 1e-3)
    ratio = between(base, new)
    theirs = ttest_ind(second, first, equal_var=False)
    assert ratio.freedom() in (math.floor(theirs.df), round(theirs.df))
    low, high = theirs.confidence_interval(0.95)
    mean = math.fsum(second) / len(second) - math.fsum(first) / len(first)
    assert math.isclose((low + high) / 2, mean, rel_tol=1e-6, abs_tol=1e-9)
    if not math.isclose(theirs.statistic, 0, abs_tol=1e-6):
        assert math.isclose(ratio.error(), MEDIAN_EFFICIENCY * mean / theirs.statistic, rel_tol=1e-6)


def test_one_round_has_a_ratio_and_no_interval() -> None:
    found = interval(between(BASE, [[0.1, 0.2]]))
    assert found.estimate == pytest.approx(math.exp(0.145))
    assert found.low is found.high is found.relative_half_width is None
    assert found.n_rounds == 1
    assert found.n == 14


def test_rounds_without_spread_decide_by_the_distance_alone() -> None:
    same = [[0.5, 0.5]] * 3
    assert interval(between(same, same)).low == interval(between(same, same)).high == 1
    assert p_above(between(same, shifted(same, 0.2)), 0.1) == 0
    assert p_above(between(same, shifted(same, 0.1)), 0.2) == 1
    assert p_above(between(same, same), 0.0) == 1
    assert smallest_change(between(same, same), 0.05, 0.01) == pytest.approx(0.05)


def test_no_turn_is_refused() -> None:
    with pytest.raises(ValueError, match="no turn"):
        Side.of([[], []])


def test_a_case_must_be_surer_among_many_than_alone() -> None:
    suspect = between(BASE, shifted(BASE, 0.081))
    p = p_above(suspect, math.log1p(0.05))
    assert 0.0005 < p < 0.01
    alone = evidence_of({"a": suspect}, 0.05, 0.01)
    many = evidence_of({"a": suspect, **{f"b{i}": between(BASE, BASE) for i in range(20)}}, 0.05, 0.01)
    assert alone["a"].slower and not alone["a"].faster
    assert not many["a"].slower
    assert many["a"].level == pytest.approx(0.01 / 21)


@given(SIDE, st.integers(1, 50))
def test_more_cases_or_noise_need_larger_changes_and_more_rounds(base: Logs, many: int) -> None:
    ratio = between(base, base)
    assert smallest_change(ratio, 0.05, 0.01) <= smallest_change(ratio, 0.05, 0.01 / many) * (1 + 1e-9)
    few, more = rounds_needed(ratio, 0.05, 0.01), rounds_needed(ratio, 0.05, 0.01 / many)
    assert (few or MOST + 1) <= (more or MOST + 1)


def test_so_many_rounds_are_enough_and_one_fewer_is_not() -> None:
    ratio = between(BASE, BASE)
    needed = rounds_needed(ratio, 0.05, 0.0001)
    assert needed is not None and 2 < needed < MOST

    def seen(rounds: int) -> float:
        wide = [[value] for value in (-1.0, 1.0) for _ in range(rounds // 2)] + [[0.0]] * (rounds % 2)
        scale = Side.of(BASE).spread / Side.of(wide).spread  # type: ignore[operator]
        side = [[value * scale for value in turns] for turns in wide]
        return smallest_change(between(side, side), 0.05, 0.0001)

    assert seen(needed) <= 0.1 < seen(needed - 1)
