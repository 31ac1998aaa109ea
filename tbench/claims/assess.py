"""From claims and runs to verdicts: every regime of every claim, and the claim as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tbench.analysis.run import Run
from tbench.claims import selection
from tbench.claims.evidence import observe
from tbench.claims.family import FAMILY_ALPHA, UNDECIDED, enough, stands
from tbench.claims.model import Article, Claim, Equivalent, Regime, Rule, Superior, Words
from tbench.claims.observation import Missing, Observation
from tbench.claims.quality import equivalent, superior
from tbench.claims.verdict import Judgement, Verdict, combine, judge, undecided
from tbench.records import Value

SEVERAL = (
    "rows are from devices of several types, so the article's claims are not judged: select the nodes of one type, or "
    "read the rows of each in results.csv"
)
DISAGREE = Judgement(Verdict.INCONCLUSIVE, Words("the points disagree", "各点结论不一致"))


@dataclass(frozen=True)
class Judged:
    """One observation with its verdict. `label`: the axes that tell it from the others of its regime."""

    observation: Observation
    judgement: Judgement
    label: tuple[tuple[str, Value], ...]

    def opened(self, judgement: Judgement) -> Judged:
        """The same without a verdict. What is open keeps its own reason, but where a guard has one."""
        if self.judgement.verdict in UNDECIDED and not judgement.guarded:
            return self
        return replace(self, judgement=judgement)


@dataclass(frozen=True)
class RegimeResult:
    """`missing`: why cases of this regime gave no observation."""

    regime: Regime
    judged: tuple[Judged, ...]
    missing: tuple[Missing, ...]

    def open(self, judgement: Judgement) -> RegimeResult:
        """The same with nothing decided."""
        return replace(self, judged=tuple(one.opened(judgement) for one in self.judged))

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
    """Every claim, in the order of the data; the headline's verdicts stand after one correction for all of them.

    Runs with rows from several types of devices are left out (`SEVERAL` says so): a verdict is on one.
    """
    runs = [run for run in runs if len(run.device_types) == 1]
    return corrected([assess_claim(claim, runs) for claim in article.claims])


def assess_claim(claim: Claim, runs: Sequence[Run]) -> Assessment:
    """A claim by itself, without the correction for all that are in the headline."""
    seen = [observe(regime, runs) for regime in claim.regimes]
    judgements = _judgements([(r, one) for r, s in zip(claim.regimes, seen, strict=True) for one in s.observations])
    results = []
    for regime, evidence in zip(claim.regimes, seen, strict=True):
        differing = selection.telling([one.point for one in evidence.observations], regime.along)
        judged = [
            Judged(one, next(judgements), tuple((axis, one.point[axis]) for axis in differing if axis in one.point))
            for one in evidence.observations
        ]
        result = RegimeResult(regime, tuple(_sorted(judged, regime.along)), evidence.missing)
        results.append(_agreeing(_guarded(result, runs)))
    return Assessment(claim, tuple(results))


def _guarded(result: RegimeResult, runs: Sequence[Run]) -> RegimeResult:
    """Open, with the reason, where something is not seen that must be."""
    if not result.judged:
        return result
    for guard in result.regime.guards:
        seen = observe(guard.regime, runs).observations
        said = [judgement.verdict for judgement in _judgements([(guard.regime, one) for one in seen])]
        if not said or any(verdict is not Verdict.CONFIRMED for verdict in said):
            name, lifts = guard.regime.name, guard.lifts
            why = Words(f"required: {name.en}; {lifts.en}", f"要求：{name.zh}；{lifts.zh}")
            return result.open(Judgement(Verdict.INCONCLUSIVE, why, guarded=True))
    return result


def _agreeing(result: RegimeResult) -> RegimeResult:
    """Open where points that must agree do not."""
    said = {one.judgement.verdict for one in result.judged}
    return result.open(DISAGREE) if result.regime.agree and len(said) > 1 else result


def corrected(assessments: Sequence[Assessment]) -> list[Assessment]:
    """Headline verdicts that do not stand once it is counted how many are asked for are open (Holm, `family`), with how
    many more replicates would make them stand. What is timed and what is trained are a family each; points that must
    agree count once."""
    groups = [group for one in assessments for result in one.headline for group in _counted(result)]
    timed = [group for group in groups if group[0][1].observation.estimate.unit == "rounds"]
    trained = [group for group in groups if group[0][1].observation.estimate.unit != "rounds"]
    families = [one for one in (timed, trained) if one]
    alpha = FAMILY_ALPHA / max(1, len(families))
    fallen = {id(one): judgement for family in families for one, judgement in _fallen(family, alpha)}

    def after(result: RegimeResult) -> RegimeResult:
        judged = tuple(replace(one, judgement=fallen.get(id(one), one.judgement)) for one in result.judged)
        return _agreeing(replace(result, judged=judged))

    return [replace(one, results=tuple(map(after, one.results))) for one in assessments]


def _counted(result: RegimeResult) -> Iterator[list[tuple[Rule, Judged]]]:
    """What of a regime counts as a result: every point with noise, or all of them together where they must agree."""
    noisy = [(result.regime.rule, one) for one in result.judged if not one.observation.estimate.exact]
    if result.regime.agree and noisy:
        yield noisy
    else:
        yield from ([one] for one in noisy)


def _fallen(family: Sequence[Sequence[tuple[Rule, Judged]]], alpha: float) -> Iterator[tuple[Judged, Judgement]]:
    """Which results of a family do not stand as one of so many."""
    kept = stands([[(rule, one.judgement.verdict, one.observation) for rule, one in group] for group in family], alpha)
    left = sum(
        not stood or all(one.judgement.verdict in UNDECIDED for _, one in group)
        for group, stood in zip(family, kept, strict=True)
    )
    note = Words(
        f"significant by itself, but not among {len(family)} headline results",
        f"单独看显著，但对{len(family)}个主要结果做多重比较校正后不再显著",
    )
    for group, stood in zip(family, kept, strict=True):
        for rule, one in () if stood else group:
            more = enough(rule, one.judgement.verdict, one.observation, left, alpha)
            yield one, undecided(more, one.observation.estimate.n, note)


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
