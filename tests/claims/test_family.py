"""One correction for the headline: each verdict stands less easily among many, and few are wrong together."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.analysis.statistics import t_quantile
from tbench.claims.family import borders, enough, p_value, stands
from tbench.claims.model import AtLeast, Equivalent, Range, Rule, Superior
from tbench.claims.observation import Observation
from tbench.claims.quality import Paired, equivalent, log_ratio_estimate, superior
from tbench.claims.verdict import Estimate, Verdict, judge


def seen(estimate: Estimate, paired: Paired | None = None) -> Observation:
    return Observation({}, estimate, (), paired=paired)


@given(
    values=st.lists(st.floats(0.5, 2), min_size=3, max_size=12).filter(lambda x: statistics.stdev(x) > 1e-3),
    border=st.floats(0.3, 3),
)
def test_a_border_is_outside_of_the_interval_just_where_p_is_below_five_percent(
    values: list[float], border: float
) -> None:
    estimate = log_ratio_estimate(values, [1.0] * len(values))
    assert estimate.low is not None and estimate.high is not None
    if min(abs(math.log(border / end)) for end in (estimate.low, estimate.high)) > 1e-6:
        assert (p_value(estimate, [border]) < 0.05) == (not estimate.low <= border <= estimate.high)


def test_alone_a_verdict_stands_and_among_many_it_may_fall() -> None:
    just = seen(Estimate(1.2, 1.06, 1.36, 8, "rounds"))
    assert judge(Range(1.05), just.estimate).verdict is Verdict.CONFIRMED
    one: tuple[Rule, Verdict, Observation] = (Range(1.05), Verdict.CONFIRMED, just)
    open_ = (Range(1.05), Verdict.INCONCLUSIVE, seen(Estimate(1.2, 0.5, 3.0, 8, "rounds")))
    assert stands([[one]]) == [True]
    assert stands([[one], *[[open_]] * 20]) == [False, *[True] * 20]  # what is open has nothing to take back
    clear = (Range(1.05), Verdict.CONFIRMED, seen(Estimate(3.0, 2.9, 3.1, 8, "rounds")))
    assert stands([[clear], *[[open_]] * 20])[0]


def test_a_small_p_needs_less_where_others_have_fallen_to_it() -> None:
    """Holm steps down: twenty clear results do not make the last one pay for all of them."""
    clear = (Range(1.05), Verdict.CONFIRMED, seen(Estimate(3.0, 2.9, 3.1, 8, "rounds")))
    just = (Range(1.05), Verdict.CONFIRMED, seen(Estimate(1.2, 1.06, 1.36, 8, "rounds")))
    assert stands([*[[clear]] * 20, [just]]) == [True] * 21
    assert stands([*[[clear]] * 20, [clear, just]]) == [True] * 21  # together, by the weaker


def test_what_falls_among_many_says_how_many_would_let_it_stand() -> None:
    just = seen(Estimate(1.2, 1.06, 1.36, 8, "rounds"))
    among = {size: enough(Range(1.05), Verdict.CONFIRMED, just, size) for size in (5, 100)}
    assert 8 < among[5] < among[100] < 100
    n, spread = int(among[100]), math.log(1.36 / 1.2) / t_quantile(0.975, 7) * math.sqrt(8)
    narrower = math.exp(t_quantile(0.975, n - 1) * spread / math.sqrt(n))
    assert p_value(Estimate(1.2, 1.2 / narrower, 1.2 * narrower, n, "rounds"), [1.05]) == pytest.approx(0.0005, rel=0.3)
    unbounded = seen(Estimate(math.inf, 1.4, math.inf, 6, "seeds"))
    assert enough(Range(1.05), Verdict.CONFIRMED, unbounded, 100) == 12


@pytest.mark.parametrize("rule", [Superior(0.005), Equivalent(0.02), AtLeast(1.0)])
def test_borders_are_those_of_the_verdict(rule: Rule) -> None:
    paired = Paired((2.0, 2.0), (1.9, 1.9))
    found = sorted(borders(rule, Verdict.CONFIRMED, seen(paired.estimate, paired)))
    assert found == {Superior: [0.0, 0.01], Equivalent: [-0.02, 0.02], AtLeast: [1.0]}[type(rule)]


def test_in_one_headline_of_twenty_at_most_something_is_wrong() -> None:
    """Headlines of twelve claims, all false by a hair: the worst that a border can be."""
    chance, wrong, sets = random.Random(5), 0, 400
    for _ in range(sets):
        asked: list[tuple[Rule, Verdict, Observation]] = []
        for kind in range(12):
            n = chance.randint(4, 8)
            if kind % 3 == 0:
                estimate = log_ratio_estimate(
                    [math.exp(math.log(1.9999) + chance.gauss(0, 0.1)) for _ in range(n)], [1.0] * n
                )
                asked.append((Range(2.0), judge(Range(2.0), estimate).verdict, seen(estimate)))
                continue
            base = [2 + chance.gauss(0, 0.03) for _ in range(n)]
            lost = 0.0 if kind % 3 == 1 else 0.0201
            paired = Paired(tuple(base), tuple(one + lost + chance.gauss(0, 0.01) for one in base))
            rule: Rule = Superior(0.005) if kind % 3 == 1 else Equivalent(0.02)
            said = superior([(paired, rule)])[0] if isinstance(rule, Superior) else equivalent(paired, Equivalent(0.02))
            asked.append((rule, said.verdict, seen(paired.estimate, paired)))
        standing = stands([[one] for one in asked])
        wrong += any(
            stood and verdict is Verdict.CONFIRMED for stood, (_, verdict, _) in zip(standing, asked, strict=True)
        )
    assert wrong / sets <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / sets), f"{wrong} of {sets}"


def test_shares_that_tie_are_not_certain() -> None:
    """Three seeds that all answer everything do not exclude that the next one does not."""
    assert p_value(Estimate(1.0, 1.0, 1.0, 3, "seeds"), [0.95]) == 0.25
    assert p_value(Estimate(1.0, 1.0, 1.0, 8, "seeds"), [0.95]) < 0.01
