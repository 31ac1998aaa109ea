"""Verdicts and their figures in words, in both languages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tbench.claims.assess import Assessment, Judged, RegimeResult
from tbench.claims.model import NOTHING, Language, Measure, Words
from tbench.claims.places import along, among
from tbench.claims.verdict import ABOVE, BELOW, Estimate, Judgement, Verdict
from tbench.records import Value
from tbench.tables.numbers import decimals, fixed
from tbench.tables.units import counted

VERDICTS: Mapping[Verdict, Words] = {
    Verdict.CONFIRMED: Words("confirmed", "证实"),
    Verdict.PARTLY: Words("partly", "部分成立"),
    Verdict.NO_EFFECT: Words("no effect", "无效果"),
    Verdict.REFUTED: Words("refuted", "不成立"),
    Verdict.INCONCLUSIVE: Words("inconclusive", "无法判定"),
    Verdict.NOT_MEASURED: Words("not measured", "未测量"),
}
COUNTED: Mapping[str, Words] = {
    "rounds": Words("rounds", "轮"),
    "seeds": Words("seeds", "个随机种子"),
    "runs": Words("runs per side", "次训练（每组）"),
}
UNITS: Mapping[str, Words] = {
    "rounds": Words("more rounds", "轮"),
    "seeds": Words("more seeds", "个随机种子"),
    "runs": Words("more runs", "次训练"),
}
YES, NO = Words("yes", "是"), Words("no", "否")
FINEST_LOSS = 4  # places: below that two losses are one


@dataclass(frozen=True)
class Form:
    """How a measure is written. `times` turns the estimate into what is read; `plus`: a gain has its sign too.

    `opposite`: how it is written below `border`, where "less" has become "more". `inverted`: as 1 ÷ the estimate.
    """

    before: Words = NOTHING
    after: Words = NOTHING
    times: float = 1.0
    plus: bool = False
    inverted: bool = False
    border: float = 0.0
    opposite: Form | None = None


DIVIDED = Form(Words("÷ ", "÷ "), border=1.0, opposite=Form(Words("× ", "× "), inverted=True))
FORMS: Mapping[Measure, Form] = {
    "speedup": Form(after=Words("×", "×")),
    "memory_ratio": DIVIDED,
    "seed_ratio": DIVIDED,
    "seed_mean": Form(),
    "effort": DIVIDED,
    "decades": Form(after=Words(" decades", "个数量级"), plus=True),
    "saved": Form(
        Words("", "少"),
        Words("% less", "%"),
        times=100.0,
        opposite=Form(Words("", "多"), Words("% more", "%"), times=-100.0),
    ),
    "beyond_bytes": Form(Words("", "字节数之比的"), Words("% of the bytes' ratio", "%"), times=100.0),
    "slope": Form(Words("exponent ", "指数 ")),
    "number": Form(),
    "loss_difference": Form(Words("loss ", "损失 "), Words(" nats", " nats"), times=-1.0, plus=True),  # less is better
    "share_difference": Form(
        Words("", "少"),
        Words(" points fewer", "个百分点"),
        times=100.0,
        opposite=Form(Words("", "多"), Words(" points more", "个百分点"), times=-100.0),
    ),
    "extrapolation": Form(Words("perplexity × ", "困惑度 × ")),
    "extrapolation_gain": Form(Words("perplexity ÷ ", "困惑度 ÷ ")),
}


@dataclass(frozen=True)
class Shown:
    """An estimate in the unit it is read in."""

    value: float
    low: float | None
    high: float | None

    @staticmethod
    def of(estimate: Estimate, form: Form) -> Shown:
        def read(value: float) -> float:
            if form.inverted:
                return 1 / value if value else math.inf
            return value * form.times

        low, high = (None if end is None else read(end) for end in (estimate.low, estimate.high))
        return Shown(read(estimate.value), *((high, low) if form.inverted or form.times < 0 else (low, high)))


def form_of(measure: Measure, estimates: Sequence[Estimate]) -> Form | None:
    """The form that suits all; None where some are above the border and some below."""
    form, values = FORMS[measure], [one.value for one in estimates]
    if form.opposite is None or min(values) >= form.border:
        return form
    return form.opposite if max(values) <= form.border else None


def amount(measure: Measure, estimate: Estimate, language: Language = "en") -> str:
    """An estimate with its interval: `6.9× [6.7, 7.1]`, `75% less`, `loss −0.013 nats [−0.020, −0.006]`, `yes`."""
    if estimate.unit == "truth":
        return (YES if estimate.value else NO)[language]
    form = form_of(measure, [estimate])
    assert form is not None  # one is on one side
    shown = Shown.of(estimate, form)
    places = digits(shown.value, shown.low, shown.high)
    if measure == "loss_difference":
        places = min(places, FINEST_LOSS)
    written = f"{form.before[language]}{_signed(shown.value, measure, places)}{form.after[language]}"
    if shown.low is None or shown.high is None or shown.low == shown.high:
        return written
    return f"{written} [{', '.join(_signed(end, measure, places) for end in (shown.low, shown.high))}]"


def span(measure: Measure, estimates: Sequence[Estimate], language: Language = "en") -> str:
    """One estimate with its interval; of several, the least and the greatest: `3.1–9.0×`, `5% more to 12% less`."""
    if len(estimates) == 1:
        return amount(measure, estimates[0], language)
    form = form_of(measure, estimates)
    if form is None:
        outermost = [pick(estimates, key=lambda one: one.value) for pick in (min, max)]
        alone = [amount(measure, replace(one, low=None, high=None), language) for one in outermost]
        return (" to " if language == "en" else "～").join(alone)  # 至 before 少 reads 至少, "at least"
    every = [Shown.of(one, form) for one in estimates]
    ends = [pick(every, key=lambda one: one.value) for pick in (min, max)]
    written = [_signed(one.value, measure, digits(one.value, one.low, one.high)) for one in ends]
    if written[0] != written[1]:
        between = "–" if ends[0].value >= 0 else " to " if language == "en" else "至"
        written = [between.join(written)]
    return f"{form.before[language]}{written[0]}{form.after[language]}"


def digits(value: float, low: float | None, high: float | None) -> int:
    """Places after the point: what the interval justifies; three digits where a figure is exact or has no interval."""
    if low is None or high is None or low == high or not all(map(math.isfinite, (value, low, high))):
        value = next((one for one in (value, low, high) if one and math.isfinite(one)), value)
        if not math.isfinite(value) or (value == int(value) and abs(value) < 10**9):
            return 0
        return min(decimals(value, None, None) + 1, 8)
    return decimals(value, low, high)


def _signed(value: float, measure: Measure, places: int) -> str:
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    if value and abs(value) < 1e-3 and measure == "number":
        return f"{value:.1e}"
    written = fixed(value, places).replace("-", "−")
    if float(fixed(value, places)) == 0:
        return written.lstrip("−")
    return f"+{written}" if FORMS[measure].plus and value > 0 else written


@dataclass(frozen=True)
class Kind:
    """A verdict as it is told: `confirmed` apart from `confirmed above the range`, `inconclusive` from one that is
    below it for certain."""

    verdict: Verdict
    where: Words = NOTHING

    def __getitem__(self, language: Language) -> str:
        word = VERDICTS[self.verdict][language]
        if not self.where:
            return word
        return f"{word} {self.where.en}" if language == "en" else f"{word}（{self.where.zh}）"


BESIDE = (ABOVE, BELOW)  # notes that are told with the verdict
KINDS = [kind for verdict in Verdict for kind in (*(Kind(verdict, where) for where in BESIDE), Kind(verdict))]
UNMEASURED = Kind(Verdict.NOT_MEASURED)


def kind_of(judged: Judged) -> Kind:
    note = judged.judgement.note
    return Kind(judged.judgement.verdict, note if note in BESIDE else NOTHING)


def regime_parts(result: RegimeResult, language: Language) -> list[tuple[Kind, str]]:
    """Kinds of verdict in a regime with where they hold; the place is empty where it is everywhere."""
    parts = _parts(result, language)
    failed = [one for one in result.missing if one.failed]
    if failed:
        why, n = dict.fromkeys(one.why[language] for one in failed), len(failed)
        cases = f"{counted(n, 'case')}, " if language == "en" else f"{n}个用例，"
        parts.append((UNMEASURED, cases + ", ".join(why)))
    return parts


def _parts(result: RegimeResult, language: Language) -> list[tuple[Kind, str]]:
    """Told along the regime's axis where each of its values has one kind; else by whatever axes tell them apart."""
    axis, found = result.regime.along, result.judged
    if axis is not None and found and all(axis in one.observation.point for one in found):
        at: dict[Value, dict[Kind, None]] = {}
        for one in found:
            at.setdefault(one.observation.point[axis], {})[kind_of(one)] = None
        if all(len(kinds) == 1 for kinds in at.values()):
            return along(axis, {value: next(iter(kinds)) for value, kinds in at.items()}, language)
    return among([(one.label, kind_of(one)) for one in found], language) if found else []


def verdict_words(assessment: Assessment, language: Language) -> str:
    """The verdict of a claim; where it is not the same everywhere, `confirmed from 1K up; refuted at 512`."""
    return said(assessment.told, language)


def said(results: Sequence[RegimeResult], language: Language) -> str:
    """The verdicts of some regimes in one line: one word where all agree, else each with its regime and place."""
    parts = [
        (kind, result, where)
        for result in results
        for kind, where in regime_parts(result, language) or [(UNMEASURED, "")]
    ]
    if len({kind for kind, _, _ in parts}) == 1:
        return parts[0][0][language]
    alone = len(results) == 1
    groups = []
    for one in KINDS:
        places = [_place(result, where, alone, language) for kind, result, where in parts if kind == one]
        if not places:
            continue
        if places == [""]:
            groups.append(one[language])
        elif language == "zh":
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
    note = judgement.note[language]
    if judgement.verdict is not Verdict.INCONCLUSIVE:
        return note
    unit, needs = UNITS.get(estimate.unit), ""
    if judgement.close:
        needs = "too close to the threshold to call" if language == "en" else "过于接近阈值，无法判定"
    elif judgement.more is not None and unit is not None:
        about = f"about {judgement.more} {unit.en} needed"
        needs = about if language == "en" else f"约需再测{judgement.more}{unit.zh}"
    return ("; " if language == "en" else "；").join(part for part in (note, needs) if part)
