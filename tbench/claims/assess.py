"""From claims and runs to verdicts: every regime of every claim, and the claim as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tbench.analysis.run import Run
from tbench.claims import selection
from tbench.claims.evidence import observe
from tbench.claims.model import Article, Claim, Equivalent, Regime, Superior
from tbench.claims.observation import Missing, Observation
from tbench.claims.quality import equivalent, superior
from tbench.claims.verdict import Judgement, Verdict, combine, judge
from tbench.records import Value


@dataclass(frozen=True)
class Judged:
    """One observation with its verdict. `label`: the axes that tell it from the others of its regime."""

    observation: Observation
    judgement: Judgement
    label: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class RegimeResult:
    """`missing`: why cases of this regime gave no observation."""

    regime: Regime
    judged: tuple[Judged, ...]
    missing: tuple[Missing, ...]

    @property
    def verdict(self) -> Verdict:
        """A case that failed may not be passed over: where there is one, the regime is confirmed in part at most."""
        failed = [Verdict.NOT_MEASURED for one in self.missing if one.failed]
        return combine([*(one.judgement.verdict for one in self.judged), *failed])


@dataclass(frozen=True)
class Assessment:
    """A claim with what became of it."""

    claim: Claim
    results: tuple[RegimeResult, ...]

    @property
    def headline(self) -> list[RegimeResult]:
        return [result for result in self.results if result.regime.headline]

    @property
    def told(self) -> list[RegimeResult]:
        """What the verdict's line tells: the headline, and what was measured of the regimes to be told beside it."""
        return [one for one in self.results if one.regime.headline or (one.regime.tell and one.judged)]

    @property
    def verdict(self) -> Verdict:
        """Confirmed only if every headline regime is; partly where one is and another has no measurement."""
        return combine(result.verdict for result in self.headline)


def assess(article: Article, runs: Sequence[Run]) -> list[Assessment]:
    """Every claim, in the order of the data."""
    return [assess_claim(claim, runs) for claim in article.claims]


def assess_claim(claim: Claim, runs: Sequence[Run]) -> Assessment:
    seen = [observe(regime, runs) for regime in claim.regimes]
    judgements = _judgements([(r, one) for r, s in zip(claim.regimes, seen, strict=True) for one in s.observations])
    results = []
    for regime, evidence in zip(claim.regimes, seen, strict=True):
        differing = selection.telling([one.point for one in evidence.observations], regime.along)
        judged = [
            Judged(one, next(judgements), tuple((axis, one.point[axis]) for axis in differing if axis in one.point))
            for one in evidence.observations
        ]
        results.append(RegimeResult(regime, tuple(_sorted(judged, regime.along)), evidence.missing))
    return Assessment(claim, tuple(results))


def _judgements(observations: Sequence[tuple[Regime, Observation]]) -> Iterator[Judgement]:
    """A judgement for each, in order. Superiority is tested for all arms of the claim together (Holm)."""
    arms = [(one.paired, regime.rule) for regime, one in observations if isinstance(regime.rule, Superior)]
    beaten = iter(superior([(arm, rule) for arm, rule in arms if arm is not None]))
    for regime, one in observations:
        if isinstance(regime.rule, Superior):
            yield next(beaten)
        elif isinstance(regime.rule, Equivalent):
            assert one.paired is not None
            yield equivalent(one.paired, regime.rule)
        else:
            yield judge(regime.rule, one.estimate)


def _sorted(judged: list[Judged], along: str | None) -> list[Judged]:
    """Ascending along an axis of numbers; else as they came."""
    places = {id(one): one.observation.point.get(along) if along else None for one in judged}
    numbers = {one: place for one, place in places.items() if isinstance(place, (int, float))}
    return sorted(judged, key=lambda one: numbers[id(one)]) if len(numbers) == len(judged) else judged
