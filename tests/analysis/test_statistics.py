"""Properties of the interval and the ratio."""

from __future__ import annotations

import math
import random
import statistics
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from tbench.analysis.statistics import deviation, holm, interval, ratio, t_quantile
from tbench.analysis.turns import by_round, paired
from tbench.records import Turn

LOGS = st.floats(-20, 5, allow_nan=False)
ROUNDS = st.lists(st.lists(LOGS, min_size=1, max_size=5), min_size=1, max_size=8)
SHIFT = st.floats(-5, 5, allow_nan=False)


def close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or math.isclose(one, other, rel_tol=1e-6)


@given(st.lists(LOGS, min_size=2, max_size=20), st.sampled_from([0.0, 1e3]))
def test_the_deviation_is_that_of_exact_fractions(values: list[float], offset: float) -> None:
    moved = [value + offset for value in values]
    assert math.isclose(deviation(moved), statistics.stdev(moved), rel_tol=1e-9, abs_tol=1e-12)
    assert deviation([values[0]] * 3) == 0.0


@given(ROUNDS)
def test_the_interval_contains_its_estimate_which_is_the_median_of_all_turns(rounds: list[list[float]]) -> None:
    found = interval(rounds)
    assert math.isclose(found.estimate, math.exp(statistics.median([v for one in rounds for v in one])))
    assert found.n_rounds == len(rounds)
    assert found.n == sum(map(len, rounds))
    if found.n == 1:
        assert found.low is found.high is found.relative_half_width is None
    else:
        assert found.low is not None and found.high is not None and found.relative_half_width is not None
        assert found.low <= found.estimate <= found.high
        assert found.relative_half_width >= 0
        assert close(found.high, found.estimate * (1 + found.relative_half_width))


@given(ROUNDS, SHIFT)
def test_another_unit_scales_the_interval_and_leaves_its_relative_width(
    rounds: list[list[float]], shift: float
) -> None:
    before, after = interval(rounds), interval([[v + shift for v in one] for one in rounds])
    assert math.isclose(after.estimate, before.estimate * math.exp(shift), rel_tol=1e-9)
    if before.relative_half_width is not None and after.relative_half_width is not None:
        assert math.isclose(
            math.log1p(after.relative_half_width), math.log1p(before.relative_half_width), rel_tol=1e-6, abs_tol=1e-9
        )


@given(ROUNDS, st.randoms(use_true_random=False))
def test_neither_the_order_of_turns_in_a_round_nor_of_rounds_matters(rounds: list[list[float]], chance: object) -> None:
    mixed = [sorted(one, key=lambda _: chance.random()) for one in rounds]  # type: ignore[attr-defined]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = interval(rounds), interval(mixed)
    assert one.estimate == other.estimate
    assert close(one.low, other.low) and close(one.high, other.high)


@given(ROUNDS)
def test_more_confidence_is_never_narrower(rounds: list[list[float]]) -> None:
    usual, sure = interval(rounds, 0.95).relative_half_width, interval(rounds, 0.99).relative_half_width
    assert (usual is None and sure is None) or (usual is not None and sure is not None and usual <= sure)


@given(ROUNDS)
def test_empty_rounds_change_nothing(rounds: list[list[float]]) -> None:
    assert interval([[], *rounds, []]) == interval(rounds)


def test_one_round_has_the_interval_of_its_own_turns() -> None:
    found = interval([[0.0, 0.01, 0.02]])
    half = stdtrit(2, 0.975) * math.sqrt(math.pi / 2) * 0.01 / math.sqrt(3)
    assert found.n_rounds == 1
    assert found.high == pytest.approx(math.exp(0.01 + half))


def test_several_rounds_are_the_replicates_however_many_turns_they_have() -> None:
    few = interval([[0.0], [0.01], [0.02]])
    many = interval([[0.0] * 100, [0.01] * 100, [0.02] * 100])
    assert many.relative_half_width == pytest.approx(few.relative_half_width)


def test_an_outlying_turn_moves_neither_the_estimate_nor_the_width() -> None:
    calm = interval([[0.0, 0.0, 0.0], [0.01, 0.01, 0.01], [0.02, 0.02, 0.02]])
    hit = interval([[0.0, 0.0, 0.0], [0.01, 0.3, 0.01], [0.02, 0.02, 0.02]])
    assert hit == calm


def test_nothing_measured_has_no_median() -> None:
    with pytest.raises(ValueError, match="no turn"):
        interval([[], []])


@given(ROUNDS)
def test_a_ratio_to_itself_is_one(rounds: list[list[float]]) -> None:
    found = ratio(rounds, rounds)
    assert found.estimate == 1
    assert found.low in (1, None) and found.high in (1, None)


@given(ROUNDS, SHIFT)
def test_a_constant_factor_is_found_exactly_whatever_the_drift(rounds: list[list[float]], shift: float) -> None:
    found = ratio(rounds, [[v - shift for v in one] for one in rounds])
    assert math.isclose(found.estimate, math.exp(shift), rel_tol=1e-9)
    assert found.relative_half_width is None or found.relative_half_width < 1e-6


def test_a_ratio_inverts() -> None:
    base, case = [[0.1, 0.3], [0.2, 0.25]], [[0.0, 0.1], [0.15, 0.1]]
    there, back = ratio(base, case), ratio(case, base)
    assert there.estimate * back.estimate == pytest.approx(1)
    assert there.low is not None and back.high is not None
    assert there.low * back.high == pytest.approx(1)


@pytest.mark.parametrize("case", [[[1.0]], [[1.0], [1.0, 2.0]], [[1.0, 2.0], [1.0], [1.0]]])
def test_unpaired_turns_have_no_ratio(case: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="paired"):
        ratio([[1.0, 2.0], [1.0]], case)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.975, 0.995, 0.9999])
@pytest.mark.parametrize("df", [1, 2, 3, 4, 9, 10, 29, 120, 1000])
def test_t_quantile_is_that_of_scipy(p: float, df: int) -> None:
    assert t_quantile(p, df) == pytest.approx(stdtrit(df, p), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(("p", "df"), [(0.975, 0), (0.4, 3), (1.0, 3)])
def test_t_quantile_refuses_what_it_has_not(p: float, df: int) -> None:
    with pytest.raises(ValueError, match="no t quantile"):
        t_quantile(p, df)


def test_an_infinite_end_is_infinity() -> None:
    assert interval([[0.0], [500.0]]).high == math.inf


def test_turns_are_grouped_by_round_and_paired_by_visit() -> None:
    base = [Turn(r, t, 1, (1.0, 2.0, 9.0)) for r, t in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    case = [Turn(r, t, 1, (1.0,)) for r, t in [(1, 0), (0, 1), (2, 0)]]
    assert by_round(base) == [[math.log(2)] * 2] * 2
    assert paired(base, case) == ([[math.log(2)], [math.log(2)]], [[0.0], [0.0]])
    assert paired(base, []) == ([], [])


def test_statistics_need_neither_numpy_nor_scipy() -> None:
    code = "import sys, tbench.analysis.derive; sys.exit(any(m in sys.modules for m in ('numpy', 'scipy', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_raises_p_values_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    assert all(
        q <= s
        for p, q in zip(p_values, adjusted, strict=True)
        for r, s in zip(p_values, adjusted, strict=True)
        if p < r
    )


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.2))
def test_holm_rejects_the_smallest_first_and_never_less_than_bonferroni(found: list[float], alpha: float) -> None:
    rejected = [p <= alpha for p in holm(found)]
    for p, yes in zip(found, rejected, strict=True):
        assert yes or p > alpha / max(1, len(found)) * (1 - 1e-12)
        assert not yes or p <= alpha
    kept = [p for p, yes in zip(found, rejected, strict=True) if not yes]
    gone = [p for p, yes in zip(found, rejected, strict=True) if yes]
    assert not kept or not gone or max(gone) <= min(kept)


def test_holm_keeps_its_promise_for_a_family() -> None:
    chance = random.Random(3)
    families = 4000
    errors = sum(min(holm([chance.random() for _ in range(5)])) <= 0.05 for _ in range(families))
    assert errors / families < 0.06
