"""Paired seeds: against scipy and by hand, and what a run that diverges does to its arm."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tbench.analysis.statistics import t_survival
from tbench.claims.model import Equivalent, Superior
from tbench.claims.quality import Paired, equivalent, median_estimate, p_better, superior
from tbench.claims.trial import trials
from tbench.claims.verdict import Verdict
from tests.claims.runs import arm

GAIN = st.integers(-1000, 1000).map(lambda thousandths: thousandths / 1000)
GAINS = st.lists(GAIN, min_size=2, max_size=12).filter(lambda gains: len(set(gains)) > 1)


@given(st.floats(-30, 30), st.integers(1, 60))
def test_the_tail_of_t_is_scipys(t: float, df: int) -> None:
    assert math.isclose(t_survival(t, df), float(stats.t.sf(t, df)), rel_tol=1e-6, abs_tol=1e-12)


def test_no_degrees_of_freedom_are_refused() -> None:
    with pytest.raises(ValueError, match="0 degrees"):
        t_survival(1.0, 0)


@given(GAINS)
def test_the_one_sided_paired_test_is_scipys(gains: list[float]) -> None:
    expected = float(stats.ttest_1samp(gains, 0, alternative="greater").pvalue)
    assert math.isclose(p_better(gains), expected, rel_tol=1e-5, abs_tol=1e-9)


@pytest.mark.parametrize(("n", "ends"), [(5, None), (6, 0), (8, 0), (9, 1), (12, 2), (20, 5)])
def test_the_interval_of_a_median_is_that_of_order_statistics(n: int, ends: int | None) -> None:
    """Conover 1999, table A3: so many values are left out at each end at 95%."""
    found = median_estimate([float(value) for value in range(1, n + 1)])
    assert (found.low, found.high) == ((0.0, math.inf) if ends is None else (1 + ends, n - ends))
    if ends is not None:
        assert stats.binom.cdf(ends, n, 0.5) <= 0.025 < stats.binom.cdf(ends + 1, n, 0.5)


def test_a_median_of_runs_that_never_got_there() -> None:
    assert median_estimate([0.0, math.inf]).value == 1.0
    assert median_estimate([0.0, 2.0, math.inf]).value == 2.0
    assert median_estimate([math.inf] * 6).low == math.inf
    assert median_estimate([0.0]).low is None


def losses(gains: list[float], base: float = 2.0) -> Paired:
    return Paired((base,) * len(gains), tuple(base - gain for gain in gains))


def one(arm: Paired) -> Verdict:
    return superior([(arm, Superior())])[0].verdict


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([0.05, 0.052, 0.049, 0.051], Verdict.CONFIRMED),
        ([0.005, 0.0052, 0.0049, 0.0051], Verdict.PARTLY),  # sure, but less than 0.5%
        ([0.02, 0.012, 0.016, 0.006], Verdict.INCONCLUSIVE),  # better, and 0.5% is inside the interval
        ([0.0001, -0.0002, 0.0001, -0.0001], Verdict.NO_EFFECT),
        ([-0.05, -0.052, -0.049, -0.051], Verdict.REFUTED),
        ([0.5, -0.4, 0.3, -0.2], Verdict.INCONCLUSIVE),
        ([0.05], Verdict.INCONCLUSIVE),
    ],
)
def test_superiority(gains: list[float], verdict: Verdict) -> None:
    assert one(losses(gains)) is verdict


def test_more_arms_ask_for_more() -> None:
    """What one arm alone would show is not shown when it is one of ten that were tried."""
    chance = random.Random(0)
    arm_ = losses([0.06, 0.02, 0.05, 0.04])
    others = [losses([chance.gauss(0, 0.05) for _ in range(4)]) for _ in range(9)]
    assert one(arm_) is Verdict.CONFIRMED
    assert superior([(each, Superior()) for each in (arm_, *others)])[0].verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("gains", "fine", "verdict"),
    [
        ([0.001, -0.002, 0.001, 0.0], False, Verdict.CONFIRMED),
        ([-0.05, -0.051, -0.049], False, Verdict.REFUTED),
        ([0.05, 0.051, 0.049], False, Verdict.REFUTED),
        ([0.05, 0.051, 0.049], True, Verdict.CONFIRMED),
        ([0.02, -0.03, 0.01], False, Verdict.INCONCLUSIVE),
        ([0.0], False, Verdict.INCONCLUSIVE),
    ],
)
def test_equivalence(gains: list[float], fine: bool, verdict: Verdict) -> None:
    assert equivalent(losses(gains), Equivalent(0.02, fine)).verdict is verdict


def test_arms_that_have_learned_nothing_are_not_equal_for_that() -> None:
    rule = Equivalent(0.02, learned=1.4)
    assert equivalent(losses([0.0, 0.001, -0.001], base=2.77), rule).verdict is Verdict.INCONCLUSIVE
    assert equivalent(losses([0.0, 0.001, -0.001], base=0.01), rule).verdict is Verdict.CONFIRMED


@given(GAINS)
def test_equivalence_is_two_one_sided_tests(gains: list[float]) -> None:
    lower = float(stats.ttest_1samp(gains, -0.02, alternative="greater").pvalue)
    upper = float(stats.ttest_1samp(gains, 0.02, alternative="less").pvalue)
    if abs(max(lower, upper) - 0.05) > 1e-6:
        confirmed = equivalent(losses(gains), Equivalent(0.02)).verdict is Verdict.CONFIRMED
        assert confirmed == (max(lower, upper) < 0.05)


def test_a_run_that_diverged_is_counted_at_the_loss_it_began_with() -> None:
    base, tested = (
        trials(arm("norm", name, found)) for name, found in (("a", [2.0, 2.0, 2.0]), ("b", [1.9, None, 1.9]))
    )
    both = Paired.of(base, tested)
    assert both.tested == (1.9, 5.5, 1.9)
    assert both.tested_diverged == 1
    assert "1/3 runs (baseline: 0/3)" in both.said().en


@given(st.integers(2, 10), st.integers(1, 10))
def test_an_arm_that_diverges_more_often_is_never_confirmed(seeds: int, failing: int) -> None:
    failing = min(failing, seeds)
    base, tested = [2.0] * seeds, [None] * failing + [0.1] * (seeds - failing)
    arm_ = Paired.of(*(trials(arm("norm", "x", found)) for found in (base, tested)))
    assert one(arm_) is not Verdict.CONFIRMED
    for fine in (True, False):
        assert equivalent(arm_, Equivalent(0.02, fine)).verdict is not Verdict.CONFIRMED
