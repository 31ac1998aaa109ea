"""The headline table: for each promise of a row one figure, one word, and where it holds. By rule only.

Regimes are ordered in claims.yaml by their nearness to the article's words, before there are data. Of the headline
regimes that have the promise's measure:

    figure   the claim's own point if it names one, else the median over the points of the first regime that has any,
             with the least and the greatest; of a single point its 95% interval
    word     holds: all decided points are confirmed; partly: some hold, or fall short of the claim; fails: none does;
             open: nothing is decided
    when     the shortest split between points that are confirmed and points that are not; open points do not count. Of
             a claim that nothing decides, what is needed. Printed below the heading "holds for"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tbench.claims import selection, stump, when
from tbench.claims.assess import Assessment, Judged, RegimeResult
from tbench.claims.figures import Figure, figure, written
from tbench.claims.model import NOTHING, Article, Claim, Language, Promise, TableRow, Words
from tbench.claims.verdict import Verdict, combine
from tbench.claims.words import COUNTED
from tbench.records import Value

OPEN = (Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED)
FIRST_AXES = ("phase", "kernel", "pattern")  # told first, for they have names of their own
SMALL_MODEL = 10_000  # parameters: below, nobody counts them in millions
NO_PLACES = ("budget", "device", "dtype")  # where these differ, the claim is not about them


class Word(StrEnum):
    HOLDS = "holds"
    PARTLY = "partly"
    FAILS = "fails"
    OPEN = "open"


WORDS: Mapping[Word, Words] = {
    Word.HOLDS: Words("holds", "成立"),
    Word.PARTLY: Words("partly", "部分成立"),
    Word.FAILS: Words("fails", "不成立"),
    Word.OPEN: Words("open", "未定"),
}
EVERYWHERE = Words("all measured", "所有实测设置")
MARKS: Mapping[Word, str] = {Word.HOLDS: "✓", Word.PARTLY: "~", Word.FAILS: "✗", Word.OPEN: "?"}
WORD_OF: Mapping[Verdict, Word] = {
    Verdict.CONFIRMED: Word.HOLDS,
    Verdict.PARTLY: Word.PARTLY,
    Verdict.NO_EFFECT: Word.FAILS,
    Verdict.REFUTED: Word.FAILS,
    Verdict.INCONCLUSIVE: Word.OPEN,
    Verdict.NOT_MEASURED: Word.OPEN,
}


@dataclass(frozen=True)
class Headline:
    """One line of the headline table in one language. `figure` is None where nothing was measured.

    `when`: where it holds and what else limits it, or what is needed to decide, the most important first; a layout
    prints as many as fit.
    """

    row: str
    claim: str
    component: str
    change: str
    claimed: str
    measure: str
    figure: Figure | None
    measured: str
    published: str
    word: Word
    when: tuple[str, ...]


def headlines(article: Article, assessments: Sequence[Assessment], language: Language) -> tuple[Headline, ...]:
    """The lines of all rows, in the article's order."""
    known = {one.claim.id: one for one in assessments}
    return tuple(
        headline(row, promise, known[promise.claim], language) for row in article.rows for promise in row.promises
    )


def headline(row: TableRow, promise: Promise, assessment: Assessment, language: Language) -> Headline:
    regimes = judging(assessment, promise)
    seen = next((one for one in regimes if one.judged), None)
    shown, text = None, "—"
    measure = (seen or regimes[0]).regime.measure
    if seen is not None:
        estimates = [one.observation.estimate for one in seen.judged]
        shown = figure(measure, estimates)
        text = written(measure, shown, language, truth=estimates[0].unit == "truth")
        if promise.figure is not None:
            text = promise.figure[language].format(text)
    word = word_of(regimes)
    return Headline(
        row=row.id,
        claim=promise.claim,
        component=row.short[language],
        change=promise.change[language],
        claimed=promise.claimed[language],
        measure=measure,
        figure=shown,
        measured=text,
        published=published(assessment.claim, measure),
        word=word,
        when=tuple(clauses(assessment, promise, regimes, word, language)),
    )


def chosen(results: Sequence[RegimeResult], promise: Promise) -> list[RegimeResult]:
    """Of some regimes those that have the promise's measure; where it names none, all."""
    return [one for one in results if promise.measure in (None, one.regime.measure)]


def judging(assessment: Assessment, promise: Promise) -> list[RegimeResult]:
    """The headline regimes that a promise is judged by; of a claim with its own point, that point of the first."""
    regimes = chosen(assessment.headline, promise)
    own = assessment.claim.own
    if not own:
        return regimes
    first = regimes[0]
    at = tuple(one for one in first.judged if at_point(one.observation.point, own))
    return [RegimeResult(first.regime, at, first.missing)]


def at_point(point: Mapping[str, Value], own: Mapping[str, tuple[str, ...]]) -> bool:
    return all(any(_equal(term, point.get(axis)) for term in terms) for axis, terms in own.items())


def _equal(term: str, value: Value | None) -> bool:
    """2 is 2.0: multiples of a length are numbers with a point."""
    return float(term) == value if stump.number(value) else selection.takes(term, value)


def word_of(regimes: Sequence[RegimeResult]) -> Word:
    """One word for several regimes. Points that are open do not count where others of their regime are decided; a case
    that failed does, and so does a regime in which nothing is decided."""
    return WORD_OF[combine(_decided(one) for one in regimes)]


def _decided(result: RegimeResult) -> Verdict:
    verdicts = [one.judgement.verdict for one in result.judged]
    found = [one for one in verdicts if one not in OPEN] or verdicts
    return combine([*found, *(Verdict.NOT_MEASURED for one in result.missing if one.failed)])


def published(claim: Claim, measure: str) -> str:
    """The first published figure that was read in its source and has a short form in this measure."""
    fitting = (one for one in claim.published if one.mark == "V" and one.short and one.measure in (None, measure))
    return next((one.short or "" for one in fitting), "")


# ---------------------------------------------------------------------- when


def clauses(
    assessment: Assessment, promise: Promise, regimes: Sequence[RegimeResult], word: Word, language: Language
) -> Iterator[str]:
    english = language == "en"
    if word is Word.OPEN:
        yield from _why_open(regimes, language)
        return
    whole = chosen(assessment.headline, promise)
    own = assessment.claim.own
    leaves = split([whole[0]] if own else regimes)
    if len(leaves) > 1:
        if place := when.holding(leaves, _names(regimes), language):
            yield place
        wrong, points = sum(one.wrong for one in leaves), sum(one.points for one in leaves)
        if wrong:
            yield f"{points - wrong} of {points}" if english else f"{points}处中{points - wrong}处"
    elif own:
        yield _own(own, word, language)
    elif word is Word.PARTLY:
        confirmed = [_name(one, language) for one in regimes if _decided(one) is Verdict.CONFIRMED]
        yield (", " if english else "、").join(confirmed) or ("nowhere in full" if english else "均未完全达到")
    yield from _against(assessment, promise, word, language)
    every = [one.judgement.verdict for result in whole for one in result.judged]
    if undecided := sum(verdict in OPEN for verdict in every):
        yield f"{undecided} open" if english else f"{undecided}处未定"
    if word is Word.HOLDS and len(leaves) <= 1 and not own:
        yield from [*_extent(regimes, language)] or ([EVERYWHERE[language]] if len(every) > 1 else [])


def split(regimes: Sequence[RegimeResult]) -> tuple[stump.Leaf, ...]:
    """Where decided points are confirmed and where not, by the axes in which they differ."""
    points = [
        ({**one.observation.point, when.REGIME: place}, one.judgement.verdict is Verdict.CONFIRMED)
        for place, result in enumerate(regimes)
        for one in result.judged
        if one.judgement.verdict not in OPEN
    ]
    along = dict.fromkeys(one.regime.along for one in regimes if one.regime.along)
    every = dict.fromkeys([*FIRST_AXES, *along, when.REGIME, *(axis for point, _ in points for axis in point)])
    return stump.shortest(points, [axis for axis in every if axis not in NO_PLACES])


def _names(regimes: Sequence[RegimeResult]) -> dict[Value, Words]:
    return {place: one.regime.short or one.regime.name for place, one in enumerate(regimes)}


def _name(result: RegimeResult, language: Language) -> str:
    return (result.regime.short or result.regime.name)[language]


def _own(own: Mapping[str, tuple[str, ...]], word: Word, language: Language) -> str:
    place = " ".join(f"{','.join(terms)}{when.TIMES.get(axis, NOTHING)[language]}" for axis, terms in own.items())
    if word is Word.FAILS:
        return f"not at {place}" if language == "en" else f"{place}处不成立"
    return f"at {place}" if language == "en" else f"{place}处"


def _against(assessment: Assessment, promise: Promise, word: Word, language: Language) -> Iterator[str]:
    """What is reported beside the verdict and contradicts its word."""
    english = language == "en"
    beside = [
        (one, word_of([one])) for one in chosen([one for one in assessment.told if not one.regime.headline], promise)
    ]
    if word is Word.FAILS and (held := [_name(one, language) for one, theirs in beside if theirs is Word.HOLDS]):
        if len(held) == 1 and not assessment.claim.own:
            yield f"except {held[0]}" if english else f"除{held[0]}外"
        else:
            yield f"but {', '.join(held)}" if english else f"但{'、'.join(held)}成立"
    for result, theirs in beside:
        name = _name(result, language)
        if word in (Word.HOLDS, Word.PARTLY) and theirs is Word.FAILS:
            yield f"not {name}" if english else f"{name}除外"
        elif word is Word.HOLDS and theirs is Word.PARTLY:
            place = when.holding(split([result]), _names([result]), language)
            yield (
                f"{name}: {place or WORDS[theirs][language]}"
                if english
                else (f"{name}：{place or WORDS[theirs][language]}")
            )


def _why_open(regimes: Sequence[RegimeResult], language: Language) -> Iterator[str]:
    english = language == "en"
    seen = [one for result in regimes for one in result.judged]
    if not seen:
        yield "not measured" if english else "未测量"
        return
    guarded = any(one.judgement.guarded for one in seen)
    more = [one.judgement.more for one in seen if one.judgement.more is not None]
    unit = seen[0].observation.estimate.unit
    if guarded:
        yield "guard not met" if english else "前提未满足"
    elif more and unit in COUNTED:
        words = unit.removesuffix("s") if max(more) == 1 else unit
        yield f"needs +{max(more)} {words}" if english else f"还需{max(more)}{COUNTED[unit].zh}"
    if note := next((one.judgement.note[language] for one in seen if one.judgement.note), ""):
        yield note
    yield f"{len(seen)} open" if english else f"{len(seen)}处未定"


def _extent(regimes: Sequence[RegimeResult], language: Language) -> Iterator[str]:
    """What was measured, where all of it agrees: the sizes, or what was trained."""
    judged = [one for result in regimes for one in result.judged]
    for axis in dict.fromkeys(result.regime.along for result in regimes if result.regime.along):
        if sizes := when.extent(axis, [one.observation.point[axis] for one in judged if axis in one.observation.point],
                                language):  # fmt: skip
            yield sizes
            return
    parameters = {value for one in judged for value in _findings(one, "parameters")}
    if len(parameters) == 1 and (value := parameters.pop()) >= SMALL_MODEL:
        yield f"{_two_digits(value / 1e6)}M params" if language == "en" else f"{_two_digits(value / 1e4)}万参数"
    estimates = [one.observation.estimate for one in judged]
    if len(estimates) == 1 and estimates[0].unit in ("seeds", "runs"):
        n, unit = estimates[0].n, estimates[0].unit
        yield f"{n} {unit}" if language == "en" else f"{n}{'个种子' if unit == 'seeds' else '次训练'}"


def _two_digits(value: float) -> str:
    """`0.13`, `25`, `130`: never with an exponent."""
    return f"{float(f'{value:.2g}'):g}"


def _findings(one: Judged, name: str) -> Iterator[float]:
    """A number that the tested case of an observation found."""
    if one.observation.run is None:
        return
    for measurement in one.observation.run.measurements:
        if measurement.case.id == one.observation.cases[-1]:
            value = measurement.findings.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield float(value)
