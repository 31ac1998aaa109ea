"""From the pairs' differences to a verdict. Pure; the rule's numbers decide.

    screen   some pairs of every case. A case whose median difference is past half of the tolerance is a *suspect*, in
             either direction; one whose upper bound is inside the tolerance is OK; any other gets more pairs and a
             second look. What is neither then waits, and gets more pairs once the suspects are confirmed.
    confirm  a suspect is measured again, in fresh pairs that the suspicion was not drawn from, as many as its noise
             seems to need; fewer, once they show that it is tolerated. Only these count: SLOWER or FASTER if the ratio
             is shown to be past the tolerance (exact signed-rank test, Holm over all suspects of the run), OK if it is
             shown to be inside. A suspect that is neither gets more pairs, up to the most, and a second and last
             look: few pairs of a screening often promise less noise than there is. Then it is INCONCLUSIVE.

The error rate of alarms is the run's, not a case's: a case that was never a suspect cannot raise one, suspects share
`alpha`, and so do the two looks, half each. The error rate of an OK is a case's: it is asked for at four looks at most
(`Rule.ok_alpha`), for to ask after every pair is to be lucky sooner or later (Armitage, McPherson & Rowe 1969).
Differences are logarithms of new ÷ base, one number for a pair of fresh processes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tbench.analysis.signed_rank import (
    cautious_spread,
    centre,
    detectable,
    lower,
    p_above,
    p_below,
    pairs_needed,
    upper,
)
from tbench.analysis.statistics import Interval, holm
from tbench.comparison.model import Verdict

LOOKS = 4  # for an OK, at most, at a case
FIRST_LOOK = 1 / 64


@dataclass(frozen=True)
class Rule:
    """`tolerance`: a case may become slower by this share. `effect`: a slowdown this large is found with probability
    `power`, as far as `most` pairs allow. `alpha`: probability of one false alarm or more in a whole run.

    `seconds`: what a run should take for each case, and `least_seconds` in all. Once it is over, nothing that could be
    left out is begun: cases are screened no longer than they must be, and suspects not looked at a second time.

    `screen`: pairs of every case to begin with; `look_on`: pairs at most before it is settled whether it is a suspect.
    `least`, `most`: fresh pairs to confirm a suspicion with; `looks`: how often they are tested.

    `ok_alpha`: probability of an OK for a case whose ratio is the tolerance itself. It is looked at four times at most,
    whatever way it takes (`screening_looks`, `confirmation_looks`), and each look has its share.
    """

    tolerance: float = 0.05
    effect: float = 0.10
    alpha: float = 0.01
    power: float = 0.975
    screen: int = 6
    look_on: int = 12
    least: int = 12
    most: int = 60
    looks: int = 2
    ok_alpha: float = 0.05
    seconds: float = 9.0
    least_seconds: float = 60.0

    def allowance(self, cases: int) -> float:
        """Seconds for a run of so many cases."""
        return max(self.least_seconds, self.seconds * cases)

    @property
    def bar(self) -> float:
        """Logarithm of the ratio new ÷ base that is still tolerated."""
        return math.log1p(self.tolerance)

    @property
    def alpha_of_a_look(self) -> float:
        """What each look at the confirmations may err with, so that all together keep to alpha (Bonferroni)."""
        return self.alpha / self.looks

    @property
    def screening_looks(self) -> tuple[int, ...]:
        """Numbers of pairs at which a case that is no suspect is looked at: it is made a suspect at the first or the
        second or not at all. The last two double, or so, what went before: few looks, and none of them far off."""
        between = round(math.sqrt(self.look_on * self.most))
        return ascending(self.screen, self.look_on, between, self.most)

    def ok_alpha_of_a_look(self, pairs: int) -> float:
        """What a look for an OK after so many pairs may err with.

        The first has 1/64, the smallest p-value that six pairs can have: without it a quiet machine would need more of
        them for every case. The others share what that leaves (Bonferroni). Where a case turns from screening to
        confirmation the shares do not add up to a bound, as it gets fresh pairs then; that `ok_alpha` is kept is by
        simulation, for noise from 2% to 10% (bench/gate_errors.py). To look after every pair, each time at 5%, was
        wrong in 21% to 28% of the cases at the tolerance.
        """
        return FIRST_LOOK if pairs == self.screen else (self.ok_alpha - FIRST_LOOK) / (LOOKS - 1)

    def confirmation_looks(self, planned: int) -> tuple[int, ...]:
        """Numbers of fresh pairs at which a suspect is looked at, where so many are planned."""
        return ascending(self.least, planned, max(planned, self.most))

    @property
    def gap(self) -> float:
        """From the bar to the effect that is to be found, in logarithms."""
        return math.log1p(self.effect) - self.bar


def ascending(*numbers: int) -> tuple[int, ...]:
    return tuple(sorted(set(numbers)))


def with_tolerance(rule: Rule, tolerance: float) -> Rule:
    """The rule for another tolerance; the effect to be found is twice as large, as it is by default."""
    return replace(rule, tolerance=tolerance, effect=2 * tolerance)


QUICK = Rule(seconds=4.0, least_seconds=20.0)
RIGOROUS = Rule(screen=10, look_on=20, least=20, most=120, power=0.99, seconds=120)


def rule_for(quick: bool = False, rigorous: bool = False) -> Rule:
    return RIGOROUS if rigorous else QUICK if quick else Rule()


@dataclass
class Evidence:
    """The differences of a case. `sigma`: their standard deviation by an earlier calibration, if there was one.
    `planned`: how many of those that confirm are for the first look."""

    screen: list[float] = field(default_factory=list)
    confirm: list[float] = field(default_factory=list)
    sigma: float | None = None
    planned: int = 0

    @property
    def spread(self) -> float:
        """Standard deviation of a pair's difference, from the screening: what confirms must not choose its own size."""
        return max(cautious_spread(self.screen), self.sigma or 0.0)

    @property
    def decisive(self) -> list[float]:
        return self.confirm or self.screen


@dataclass(frozen=True)
class Finding:
    """`ratio`: new ÷ base with its 95% interval, from the pairs that decided. `detectable`: the smallest slowdown
    these could have shown. `more`: pairs more that would decide; None where nothing is open."""

    verdict: Verdict
    ratio: Interval
    detectable: float
    more: int | None = None


def suspicion(screen: Sequence[float], rule: Rule) -> int:
    """1: perhaps slower, -1: perhaps faster, 0: neither."""
    median = statistics.median(screen)
    return 0 if abs(median) <= rule.bar / 2 else 1 if median > 0 else -1


def inside(differences: Sequence[float], rule: Rule) -> bool:
    """Whether they show that the ratio is tolerated. To be asked at the looks of the rule, and where pairs end."""
    return upper(differences, 1 - rule.ok_alpha_of_a_look(len(differences))) < rule.bar


def screening_goes_on(evidence: Evidence, rule: Rule, late: bool = False) -> bool:
    """Whether the screening of a case must go on. `late`: the run's time is over."""
    screen = evidence.screen
    if len(screen) < rule.screen:
        return True
    if late or len(screen) >= rule.look_on:
        return False
    return len(screen) not in rule.screening_looks or not (suspicion(screen, rule) or inside(screen, rule))


def wants_more_screening(evidence: Evidence, rule: Rule) -> bool:
    """Whether a screened case that is no suspect wants more pairs: it is not OK, and there are looks left."""
    screen = evidence.screen
    if evidence.confirm or len(screen) >= rule.most:
        return False
    if len(screen) <= rule.look_on and suspicion(screen, rule):
        return False
    return len(screen) not in rule.screening_looks or not inside(screen, rule)


def pairs_to_confirm(evidence: Evidence, rule: Rule, suspects: int, affordable: float = math.inf) -> int:
    """Fresh pairs that a suspect is measured in, one of so many in the run. `affordable`: pairs there is time for."""
    beyond = abs(statistics.median(evidence.screen)) - rule.bar
    gap = max(rule.gap, beyond / 2)  # what looks many times slower takes few pairs; half, for it was chosen by looking
    needed = pairs_needed(evidence.spread, gap, rule.alpha_of_a_look / suspects, rule.power)
    fewest = math.ceil(math.log2(suspects / rule.alpha_of_a_look))  # the smallest p that n pairs can give is 2⁻ⁿ
    return max(fewest, rule.least, int(min(rule.most, needed, affordable)))


def cleared(evidence: Evidence, rule: Rule) -> bool:
    """Whether a confirmation may end early: the suspect is shown to be tolerated.

    It never ends early because the suspect looks worse: that would be one more test, and would need its own alpha.
    """
    values = evidence.confirm
    if len(values) not in rule.confirmation_looks(evidence.planned):
        return False
    as_fast = -lower(values, 1 - rule.ok_alpha_of_a_look(len(values))) < rule.bar  # `inside`, turned around
    return as_fast and inside(values, rule)


def open_after_first_look(cases: Mapping[str, Evidence], rule: Rule) -> set[str]:
    """The suspects that go on to a second look, once all have the pairs that were planned."""
    shown = shown_at_look(cases, rule, second=False)
    return {name for name, one in cases.items() if one.confirm and name not in shown and not cleared(one, rule)}


def shown_at_look(cases: Mapping[str, Evidence], rule: Rule, *, second: bool) -> set[str]:
    """The suspects that a look shows to be past the tolerance.

    A suspect that has no pairs for the second look (it was decided at the first) counts among those that share alpha.
    """
    suspects = {name: one for name, one in cases.items() if one.confirm}
    p_values = []
    for one in suspects.values():
        values = one.confirm if second else one.confirm[: one.planned]
        slower = suspicion(one.screen, rule) > 0
        looked = not second or len(one.confirm) > one.planned
        p_values.append((p_above(values, rule.bar) if slower else p_below(values, -rule.bar)) if looked else 1.0)
    adjusted = holm(p_values)
    return {name for name, p in zip(suspects, adjusted, strict=True) if p <= rule.alpha_of_a_look}


def judge(cases: Mapping[str, Evidence], rule: Rule) -> dict[str, Finding]:
    """The verdict on every case, once all pairs are taken."""
    suspects = {name: suspicion(one.screen, rule) for name, one in cases.items() if one.confirm}
    shown = shown_at_look(cases, rule, second=False) | shown_at_look(cases, rule, second=True)
    return {
        name: finding(one, rule, suspects[name] if name in shown else 0, len(suspects)) for name, one in cases.items()
    }


def finding(evidence: Evidence, rule: Rule, shown: int, suspects: int) -> Finding:
    """`shown`: 1 where the case was shown to be slower than tolerated, -1 faster."""
    values = evidence.decisive
    alpha = rule.alpha_of_a_look / max(1, suspects)
    smallest = math.expm1(rule.bar + detectable(evidence.spread, len(values), alpha, rule.power))
    ratio = ratio_of(values)
    if shown:
        return Finding(Verdict.SLOWER if shown > 0 else Verdict.FASTER, ratio, smallest)
    if inside(values, rule):
        return Finding(Verdict.OK, ratio, smallest)
    more = max(1, pairs_needed(evidence.spread, rule.gap, alpha, rule.power) - len(values))
    return Finding(Verdict.INCONCLUSIVE, ratio, smallest, more)


def ratio_of(differences: Sequence[float]) -> Interval:
    """New ÷ base and its 95% interval; ends that so few pairs do not have are None."""
    middle, low, high = centre(differences), lower(differences, 0.975), upper(differences, 0.975)
    n = len(differences)
    if math.isinf(high):
        return Interval(math.exp(middle), None, None, None, n, n)
    return Interval(math.exp(middle), math.exp(low), math.exp(high), math.expm1((high - low) / 2), n, n)
