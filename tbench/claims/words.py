"""Verdicts and their figures in words, in both languages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tbench.analysis.statistics import decimals, fixed
from tbench.claims.assess import Assessment, Judged, RegimeResult
from tbench.claims.model import Language, Measure, Words
from tbench.claims.places import along, among
from tbench.claims.verdict import ABOVE, Estimate, Judgement, Verdict, combine
from tbench.records import Value

VERDICTS: Mapping[Verdict, Words] = {
    Verdict.CONFIRMED: Words("confirmed", "证实"),
    Verdict.PARTLY: Words("partly", "部分成立"),
    Verdict.NO_EFFECT: Words("no effect", "无效果"),
    Verdict.REFUTED: Words("refuted", "证伪"),
    Verdict.INCONCLUSIVE: Words("inconclusive", "无法判定"),
    Verdict.NOT_MEASURED: Words("not measured", "未测量"),
}
COUNTED: Mapping[str, Words] = {
    "rounds": Words("rounds", "轮"),
    "seeds": Words("seeds", "个随机种子"),
    "runs": Words("runs of each", "次训练（每组）"),
}
UNITS: Mapping[str, Words] = {
    "rounds": Words("more rounds", "轮"),
    "seeds": Words("more seeds", "个随机种子"),
    "runs": Words("more runs", "次训练"),
}
NOTES: Mapping[str, str] = {
    ABOVE: "高于所称范围",
    "inside the range": "在所称范围内",
    "an effect, but not whether it reaches the range": "有效果，但不确定是否达到所称范围",
    "usable": "可用",
    "exact": "精确",
}
TIMES = ("speedup", "memory_ratio", "seed_ratio", "extrapolation", "extrapolation_gain")
SHARES = ("saved", "diverged_difference")
FINEST_LOSS = 4  # places: below that two losses are one


def amount(measure: Measure, estimate: Estimate) -> str:
    """An estimate with its interval: `6.9× [6.7, 7.1]`, `75%`, `1.97 [1.95, 1.99]`, `−0.013 [−0.020, −0.006] nats`."""
    scale, unit = _scale(measure)
    value, low, high = (None if end is None else end * scale for end in (estimate.value, estimate.low, estimate.high))
    assert value is not None
    if low == high or low is None or high is None:
        return f"{_signed(value, measure, digits(value, low, high))}{unit}"
    places = digits(value, low, high)
    if unit == " nats":
        places = min(places, FINEST_LOSS)
    ends = ", ".join(_signed(end, measure, places) for end in (low, high))
    if unit == " nats":
        return f"{_signed(value, measure, places)} [{ends}]{unit}"
    return f"{_signed(value, measure, places)}{unit} [{ends}]"


def span(measure: Measure, estimates: Sequence[Estimate], language: Language = "en") -> str:
    """One estimate with its interval; of several, the least and the greatest: `3.1–9.0×`."""
    if len(estimates) == 1:
        return amount(measure, estimates[0])
    scale, unit = _scale(measure)
    ends = [pick(estimates, key=lambda one: one.value) for pick in (min, max)]
    shown = []
    for one in ends:
        low, high = (None if end is None else end * scale for end in (one.low, one.high))
        shown.append(_signed(one.value * scale, measure, digits(one.value * scale, low, high)))
    if shown[0] == shown[1]:
        return f"{shown[0]}{unit}"
    between = "–" if ends[0].value >= 0 else " to " if language == "en" else "至"
    return f"{shown[0]}{between}{shown[1]}{unit}"


def digits(value: float, low: float | None, high: float | None) -> int:
    """Places after the point: what the interval justifies; three digits where a figure is exact or has no interval."""
    if low is None or high is None or low == high:
        if not math.isfinite(value) or (value == int(value) and abs(value) < 10**9):
            return 0
        return min(decimals(value, None, None) + 1, 8)
    return decimals(value, low, high)


def _scale(measure: Measure) -> tuple[float, str]:
    if measure in TIMES:
        return 1.0, "×"
    if measure in SHARES:
        return 100.0, "%"
    return (1.0, " nats") if measure == "loss_difference" else (1.0, "")


def _signed(value: float, measure: Measure, places: int) -> str:
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    if value and abs(value) < 1e-3 and measure == "number":
        return f"{value:.1e}"
    return fixed(value, places).replace("-", "−")


@dataclass(frozen=True)
class Kind:
    """A verdict as it is told: `confirmed` apart from `confirmed above the range`."""

    verdict: Verdict
    above: bool = False

    def __getitem__(self, language: Language) -> str:
        word = VERDICTS[self.verdict][language]
        if not self.above:
            return word
        return f"{word} above the range" if language == "en" else f"{word}（高于所称范围）"


KINDS = [kind for verdict in Verdict for kind in (Kind(verdict, True), Kind(verdict))]


def kind_of(judged: Iterable[Judged]) -> Kind:
    """One kind for several observations: above the range only if all are."""
    several = list(judged)
    above = bool(several) and all(one.judgement.note == ABOVE for one in several)
    return Kind(combine(one.judgement.verdict for one in several), above)


def regime_parts(result: RegimeResult, language: Language) -> list[tuple[Kind, str]]:
    """Kinds of verdict in a regime with where they hold; the place is empty where it is everywhere."""
    axis = result.regime.along
    if axis is not None and result.judged and all(axis in one.observation.point for one in result.judged):
        at: dict[Value, list[Judged]] = {}
        for one in result.judged:
            at.setdefault(one.observation.point[axis], []).append(one)
        return along(axis, {value: kind_of(judged) for value, judged in at.items()}, language)
    if not result.judged:
        return [(kind_of([]), "")]
    return among([(one.label, kind_of([one])) for one in result.judged], language)


def verdict_words(assessment: Assessment, language: Language) -> str:
    """The verdict of a claim; where it is not the same everywhere, `confirmed from 1K up; refuted at 512`."""
    return said(assessment.told, language)


def said(results: Sequence[RegimeResult], language: Language) -> str:
    """The verdicts of some regimes in one line: one word where all agree, else each with its regime and place."""
    parts = [(kind, result, where) for result in results for kind, where in regime_parts(result, language)]
    if len({kind for kind, _, _ in parts}) == 1:
        return parts[0][0][language]
    alone = len(results) == 1
    groups = []
    for one in KINDS:
        places = [_place(result, where, alone, language) for kind, result, where in parts if kind == one]
        if not places:
            continue
        if language == "zh":
            groups.append(f"{one[language]}：{'、'.join(places)}")
        else:
            groups.append(f"{one[language]}{' ' if alone else ': '}{', '.join(places)}")
    return ("; " if language == "en" else "；").join(groups)


def _place(result: RegimeResult, where: str, alone: bool, language: Language) -> str:
    if alone:
        return where
    name = result.regime.name[language]
    if not where:
        return name
    return f"{name} {where}" if language == "en" else f"{name}（{where}）"


def note_words(judgement: Judgement, estimate: Estimate, language: Language) -> str:
    """What stands after a verdict: a note, and how many more replicates would decide."""
    note = judgement.note if language == "en" else NOTES.get(judgement.note, judgement.note)
    if judgement.verdict is not Verdict.INCONCLUSIVE:
        return note
    unit = UNITS.get(estimate.unit)
    if unit is None:
        needs = ""
    elif judgement.more is None:
        needs = "too close to the border to tell" if language == "en" else "过于接近界限，无法分辨"
    else:
        about = f"about {judgement.more} {unit.en} needed"
        needs = about if language == "en" else f"约需再测{judgement.more}{unit.zh}"
    return ("; " if language == "en" else "；").join(part for part in (note, needs) if part)
