"""The verdict of one interval under each rule, of several verdicts together, and how much more it takes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from tbench.claims.model import AtLeast, AtMost, Exact, Range
from tbench.claims.verdict import Estimate, Verdict, combine, judge, needed

CLAIMED = Range(2, 4)
FASTER = Range(1.05)
SAVED = Range(0.5, None, 0.0)


def seen(low: float, high: float, n: int = 5) -> Estimate:
    return Estimate((low + high) / 2, low, high, n, "rounds")


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict", "note"),
    [
        (CLAIMED, 2.0, 3.0, Verdict.CONFIRMED, "inside the range"),
        (CLAIMED, 3.5, 4.5, Verdict.CONFIRMED, ""),
        (CLAIMED, 4.1, 9.0, Verdict.CONFIRMED, "above the range"),
        (CLAIMED, 1.01, 1.99, Verdict.PARTLY, ""),
        (CLAIMED, 1.8, 2.2, Verdict.INCONCLUSIVE, "an effect, but unclear whether it reaches the claimed range"),
        (CLAIMED, 0.96, 1.04, Verdict.NO_EFFECT, ""),
        (CLAIMED, 0.9, 1.04, Verdict.INCONCLUSIVE, "but below the claimed range"),
        (CLAIMED, 0.97, 0.99, Verdict.REFUTED, ""),
        (CLAIMED, 0.5, 3.0, Verdict.INCONCLUSIVE, ""),
        (FASTER, 1.05, 1.06, Verdict.CONFIRMED, ""),
        (FASTER, 1.01, 1.04, Verdict.PARTLY, ""),
        (SAVED, 0.75, 0.75, Verdict.CONFIRMED, ""),
        (SAVED, 0.2, 0.2, Verdict.PARTLY, ""),
        (SAVED, 0.0, 0.0, Verdict.NO_EFFECT, ""),
        (SAVED, -0.2, -0.1, Verdict.REFUTED, ""),
        (FASTER, 1.003, 1.003, Verdict.NO_EFFECT, ""),  # counted
        (FASTER, 0.998, 0.998, Verdict.NO_EFFECT, ""),
        (FASTER, 0.9, 0.9, Verdict.REFUTED, ""),
        (AtMost(1.05, 1.25), 1.0, 1.04, Verdict.CONFIRMED, ""),
        (AtMost(1.05, 1.25), 1.1, 1.2, Verdict.PARTLY, "usable"),
        (AtMost(1.05, 1.25), 1.3, 9.0, Verdict.REFUTED, ""),
        (AtMost(1.05, 1.25), 1.0, 1.2, Verdict.INCONCLUSIVE, ""),
        (AtMost(1e-4), 1e-6, 1e-6, Verdict.CONFIRMED, ""),
        (AtMost(1e-4), 2e-4, 2e-4, Verdict.REFUTED, ""),
        (AtLeast(1.25), 1.3, 5.0, Verdict.CONFIRMED, ""),
        (AtLeast(1.25), 1.0, 1.2, Verdict.REFUTED, ""),
        (AtLeast(1.25), 1.2, 1.3, Verdict.INCONCLUSIVE, ""),
        (Exact(24), 24, 24, Verdict.CONFIRMED, "exact"),
        (Exact(24), 12, 12, Verdict.REFUTED, ""),
        (Exact(1, 0.1), 0.95, 1.05, Verdict.CONFIRMED, ""),
        (Exact(1, 0.1), 1.05, 1.15, Verdict.INCONCLUSIVE, ""),
    ],
)
def test_an_interval_and_a_rule_make_a_verdict(
    rule: Range | AtMost | AtLeast | Exact, low: float, high: float, verdict: Verdict, note: str
) -> None:
    found = judge(rule, seen(low, high))
    assert (found.verdict, found.note.en) == (verdict, note)


@given(st.floats(0.1, 10), st.floats(0.001, 3), st.sampled_from([CLAIMED, FASTER, SAVED]))
def test_a_narrower_interval_never_contradicts_a_wider_one(value: float, half: float, rule: Range) -> None:
    wide, narrow = (judge(rule, Estimate(value, value - w, value + w, 5, "rounds")) for w in (half, half / 3))
    if wide.verdict is not Verdict.INCONCLUSIVE:
        allowed = {wide.verdict}
        if wide.verdict is Verdict.NO_EFFECT:  # an effect too small to matter becomes visible
            allowed |= {Verdict.PARTLY, Verdict.REFUTED}
        assert narrow.verdict in allowed


@given(st.floats(0.2, 6), st.floats(0.01, 4), st.integers(2, 30))
def test_the_samples_asked_for_would_have_decided(value: float, half: float, n: int) -> None:
    found = judge(CLAIMED, Estimate(value, value - half, value + half, n, "rounds"))
    if found.verdict is Verdict.INCONCLUSIVE and found.more is not None:
        of_n, of_more = (float(stdtrit(k - 1, 0.975)) / math.sqrt(k) for k in (n, n + found.more))
        narrowed = half * of_more / of_n * (1 - 1e-6)
        assert judge(CLAIMED, Estimate(value, value - narrowed, value + narrowed, n, "rounds")).verdict is not (
            Verdict.INCONCLUSIVE
        )


def test_few_replicates_need_few_more() -> None:
    """t falls from 4.30 at three replicates to 2.78 at five: 1/√n alone would ask for 48 in all, and 12."""
    assert needed(3, 1.0, 0.25) == 13
    assert needed(3, 1.0, 0.5) == 5
    assert needed(5, 1.0, 1.0) <= 6
    assert needed(3, 1.0, 0.0) == math.inf
    assert needed(1000, 1.0, 0.5) == pytest.approx(4000, rel=0.01)


@given(st.integers(2, 200), st.floats(0.01, 1))
def test_no_fewer_would_do(n: int, wanted: float) -> None:
    found = needed(n, 1.0, wanted)
    if found < math.inf:
        widths = [float(stdtrit(k - 1, 0.975)) / math.sqrt(k) for k in (n, int(found), int(found) - 1)]
        assert widths[1] / widths[0] <= wanted * (1 + 1e-4)
        assert found == n + 1 or widths[2] / widths[0] >= wanted * (1 - 1e-4)


def test_a_value_on_the_border_is_not_promised_to_be_decided() -> None:
    assert judge(AtLeast(2), seen(1.9, 2.1)).more is None


def test_without_an_interval_nothing_is_decided() -> None:
    alone = judge(CLAIMED, Estimate(3.0, None, None, 1, "rounds"))
    assert alone.verdict is Verdict.INCONCLUSIVE and alone.more == 2
    groups = judge(CLAIMED, Estimate(3.0, None, None, 12, "rounds"))
    assert groups.verdict is Verdict.INCONCLUSIVE and groups.more is None and "two groups" in groups.note.en
    assert judge(CLAIMED, Estimate(math.nan, math.nan, math.nan, 5, "rounds")).verdict is Verdict.INCONCLUSIVE


C, P, N, R, U, M = Verdict  # U: undecided


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([], M),
        ([C, C], C),
        ([C, P], P),
        ([C, R], P),
        ([C, M], P),
        ([P, R], P),
        ([N, R], R),
        ([N, N], N),
        ([R, U], U),
        ([N, M], U),
        ([M, M], M),
    ],
)
def test_several_verdicts_make_one(parts: list[Verdict], whole: Verdict) -> None:
    assert combine(parts) is whole


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_only_unanimous_regimes_confirm_or_clear_a_claim(parts: list[Verdict]) -> None:
    assert (combine(parts) is C) == (set(parts) == {C})
