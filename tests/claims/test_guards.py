"""Every guard of every claim, planted to fail: what cannot show anything is never a verdict."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tbench.analysis.run import Run
from tbench.claims import article
from tbench.claims.assess import assess_claim
from tbench.claims.evidence import Evidence
from tbench.claims.model import AtLeast, AtMost, Claim, Equivalent, Exact, Guard, Range, Regime, Rule, Superior
from tbench.claims.observation import Observation
from tbench.claims.quality import Paired
from tbench.claims.verdict import Estimate, Verdict

GUARDED = [(claim, regime, guard) for claim in article().claims for regime in claim.regimes for guard in regime.guards]
OPEN = (Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED)


def seen(rule: Rule, holds: bool) -> Observation:
    """What makes a rule confirmed, or refuted."""
    if isinstance(rule, Superior | Equivalent):
        gain = (0.5 if holds else -0.5) if isinstance(rule, Superior) else (0.0 if holds else -0.5)
        paired = Paired((2.0, 2.1, 2.2), (2.0 - gain, 2.1001 - gain, 2.1999 - gain))
        return Observation({}, paired.estimate, (), paired=paired)
    if isinstance(rule, Range):
        value = rule.low + 0.01 if holds else rule.neutral - 1
    elif isinstance(rule, AtMost):
        value = rule.limit / 2 if holds else 2 * (rule.usable or rule.limit)
    elif isinstance(rule, AtLeast):
        value = rule.limit if holds else rule.limit - 0.5
    else:
        assert isinstance(rule, Exact)
        value = rule.value if holds else rule.value + 1
    return Observation({}, Estimate.exactly(value), ())


def judged(
    claim: Claim, regime: Regime, failing: Guard | None, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> Verdict:
    """The verdict on a regime whose evidence is clear and whose guards hold, but for one."""
    guards = {id(one.regime): one for one in regime.guards}

    def observe(asked: Regime, runs: Sequence[Run]) -> Evidence:
        if id(asked) in guards:
            return Evidence((seen(asked.rule, guards[id(asked)] is not failing),))
        return Evidence((seen(asked.rule, holds),) if asked is regime else ())

    monkeypatch.setitem(assess_claim.__globals__, "observe", observe)
    (result,) = [one for one in assess_claim(claim, []).results if one.regime is regime]
    return result.verdict


def test_there_are_guards() -> None:
    assert {claim.id for claim, _, _ in GUARDED} >= {"C3", "C4", "C7", "C11", "C12", "C17", "C19"}


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize(
    ("claim", "regime", "guard"),
    GUARDED,
    ids=[f"{claim.id}-{regime.name.en}-{guard.regime.name.en}" for claim, regime, guard in GUARDED],
)
def test_a_guard_that_fails_leaves_it_open(
    claim: Claim, regime: Regime, guard: Guard, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judged(claim, regime, None, holds, monkeypatch) not in OPEN
    assert judged(claim, regime, guard, holds, monkeypatch) is Verdict.INCONCLUSIVE
    assert guard.lifts.en and guard.lifts.zh
