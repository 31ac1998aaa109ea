"""Reads the claims and the table from YAML and checks them, with a place and a remedy for every mistake."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tbench.claims.model import (
    LANGUAGES,
    MARKS,
    MEASURES,
    Article,
    AtLeast,
    AtMost,
    Claim,
    Equivalent,
    Exact,
    Guard,
    Promise,
    Published,
    Range,
    Regime,
    Rule,
    Selector,
    Superior,
    TableRow,
    Words,
)
from tbench.claims.reader import Reader, opened

HERE = Path(__file__).parent
OUTSIDE = ("summary", "evolution")  # rows of claims that stand around the table
RULES: Mapping[str, type[Rule]] = {
    "range": Range,
    "at_most": AtMost,
    "at_least": AtLeast,
    "exact": Exact,
    "superior": Superior,
    "equivalent": Equivalent,
}
BY_SEEDS = ("superior", "equivalent")  # need the losses of pairs, not an estimate alone
ALONE = ("slope", "number", "extrapolation", "seed_mean")  # the other measures compare
FIGURES = {
    "slope": ("latency", "peak_memory"),
    "effort": ("steps", "time"),
    "loss_difference": ("midway",),
}  # what `of` may be
FIGURED = ("slope", "number", "saved", "seed_ratio", "seed_mean", "effort", "share_difference", "decades")
MEANS_OF_SEEDS = ("range", "at_least", "at_most")  # judge the mean of what pairs of seeds gave

ROW = ("id", "component", "original", "improved", "benefit", "judged_by", "short", "promises")
PROMISE = ("claim", "change", "claimed", "measure", "figure")
CLAIM = ("id", "row", "says", "source", "scenario", "regimes", "published", "remark", "own")
PUBLISHED = ("figure", "source", "mark", "hardware", "short", "measure")
REGIME = tuple(field.name for field in dataclasses.fields(Regime))
OPTIONAL = tuple(name for name in REGIME if name not in ("name", "tested", "measure", "rule"))
GUARD = (*(name for name in REGIME if name not in ("guards", "headline", "tell", "scenario")), "lifts")


@lru_cache(maxsize=1)
def article() -> Article:
    """The article's own table and claims, as they come with tbench."""
    return load(HERE / "table.yaml", HERE / "claims.yaml")


def load(table: Path, claims: Path) -> Article:
    """Both files. Raises UsageError that names file, line, column and remedy."""
    top = opened(table, ("title", "columns", "rows"))
    columns = top.inside("columns")
    lines = top.each("rows", ROW)
    rows = tuple(_row(line) for line in lines)
    known = sorted({*OUTSIDE, *(row.id for row in rows)})
    found: dict[str, Claim] = {}
    for reader in opened(claims, ("claims",)).each("claims", CLAIM, ("published", "remark", "own")):
        claim = _claim(reader, known)
        if claim.id in found:
            raise reader.mistake("this id is used twice; rename one of them")
        found[claim.id] = claim
    for row, line in zip(rows, lines, strict=True):
        for id in row.judged_by:
            if id not in found:
                raise line.mistake(f"{row.id}: judged_by names {id}, which is not a claim", "judged_by")
    headings = {name: _words(columns, name) for name in columns.data}
    return Article(_words(top, "title"), headings, rows, tuple(found.values()))


def _row(reader: Reader) -> TableRow:
    component, original, improved, benefit = (
        _words(reader, name) for name in ("component", "original", "improved", "benefit")
    )
    judged_by = reader.words("judged_by")
    promises = tuple(_promise(one, judged_by) for one in reader.each("promises", PROMISE, ("measure", "figure")))
    return TableRow(
        reader.text("id"), component, original, improved, benefit, judged_by, _words(reader, "short"), promises
    )


def _promise(reader: Reader, claims: tuple[str, ...]) -> Promise:
    measure = reader.choice("measure", MEASURES) if reader.has("measure") else None
    figure = _words(reader, "figure") if reader.has("figure") else None
    return Promise(reader.choice("claim", claims), _words(reader, "change"), _words(reader, "claimed"), measure, figure)


def _claim(reader: Reader, rows: list[str]) -> Claim:
    reader.about = reader.text("id")
    source = reader.inside("source", ("where", "mark", "quoted"), ("quoted",))
    scenario = reader.text("scenario")
    regimes = tuple(_regime(one, scenario) for one in reader.each("regimes", REGIME, OPTIONAL))
    if not regimes:
        raise reader.mistake("has no regime: say under which conditions it is tested", "regimes")
    if not any(regime.headline for regime in regimes):
        raise reader.mistake("has no headline regime: without one there is no verdict", "regimes")
    return Claim(
        id=reader.about,
        row=reader.choice("row", rows),
        says=_words(reader, "says"),
        source=_words(source, "where"),
        mark=source.choice("mark", MARKS),
        quoted=source.text_or_none("quoted"),
        scenario=scenario,
        regimes=regimes,
        published=tuple(_published(one) for one in reader.each("published", PUBLISHED, ("short", "measure"))),
        remark=_words(reader, "remark") if reader.has("remark") else None,
        own=_selector(reader, "own"),
    )


def _published(reader: Reader) -> Published:
    return Published(
        reader.text("figure"),
        reader.text("source"),
        reader.choice("mark", MARKS),
        reader.text("hardware"),
        short=reader.text_or_none("short"),
        measure=reader.choice("measure", MEASURES) if reader.has("measure") else None,
    )


def _regime(reader: Reader, scenario: str) -> Regime:
    name = _words(reader, "name")
    reader.about = f"{reader.about}, {name.en}"
    measure = reader.choice("measure", MEASURES)
    kind, rule = _rule(reader)
    fits = kind in (*BY_SEEDS, *MEANS_OF_SEEDS) if measure == "loss_difference" else kind not in BY_SEEDS
    if not fits:
        raise reader.mistake(
            f"{kind} does not judge {measure}; {', '.join(BY_SEEDS)} judge loss_difference only", "rule"
        )
    changes = tuple(_change(reader, one) for one in reader.lists("changes"))
    if changes and measure != "loss_difference":
        raise reader.mistake(f"changes: are averaged for loss_difference, not for {measure}", "changes")
    if measure not in ALONE and not reader.has("against") and not changes:
        raise reader.mistake(f"{measure} compares; add against: with the values that make the baseline", "measure")
    of = reader.text_or_none("of")
    if measure in FIGURED and of is None:
        raise reader.mistake(f"{measure} of what? add of: with the name of the figure", "measure")
    if of is not None and measure in FIGURES and of not in FIGURES[measure]:
        raise reader.mistake(f"{of!r} has no {measure}; write {' or '.join(FIGURES[measure])}", "of")
    against = _selector(reader, "against")
    best_baseline = reader.text_or_none("best_baseline")
    if best_baseline is not None and len(against.get(best_baseline, ())) < 2:
        raise reader.mistake(f"against has not several of {best_baseline}; list the baselines there", "best_baseline")
    last = reader.number("last") if reader.has("last") else 0
    if reader.has("last") and (measure != "slope" or last < 2 or last != int(last)):
        raise reader.mistake("last is how many sizes a slope is taken over; write 2 or more, or remove it", "last")
    if measure == "slope" and not reader.has("along"):
        raise reader.mistake("a slope along which axis? add along: seq_len", "measure")
    if measure in ("extrapolation", "extrapolation_gain") and not reader.has("at"):
        raise reader.mistake("at which multiples of the trained length? add at: [1.5, 2]", "measure")
    if measure == "effort" and not reader.has("at"):
        raise reader.mistake("at which shares of what was learned? add at: [0.3, 0.5, 0.7, 0.9]", "measure")
    return Regime(
        name=name,
        tested=_selector(reader, "tested"),
        measure=measure,
        rule=rule,
        against=against,
        headline=reader.truth("headline", True),
        tell=reader.truth("tell", False),
        guards=tuple(_guard(one) for one in reader.each("guards", GUARD, (*OPTIONAL, "lifts"))),
        agree=reader.truth("agree", False),
        changes=changes,
        equal_rates=reader.truth("equal_rates", False),
        free=reader.words("free"),
        replicates=reader.words("replicates") or ("seed",),
        best_of=reader.text_or_none("best_of"),
        best_baseline=best_baseline,
        along=reader.text_or_none("along"),
        of=of,
        at=reader.numbers("at"),
        last=int(last),
        scenario=reader.text_or_none("scenario") or scenario,
        short=_words(reader, "short") if reader.has("short") else None,
    )


def _guard(reader: Reader) -> Guard:
    if not reader.has("lifts"):
        raise reader.mistake("a guard says what would lift it; add lifts: with both languages")
    return Guard(_regime(reader, ""), _words(reader, "lifts"))


def _change(regime: Reader, arms: tuple[str, ...]) -> tuple[str, str]:
    if len(arms) != 2:
        raise regime.mistake("a change is two arms, [tested, baseline]", "changes")
    return arms[0], arms[1]


def _rule(regime: Reader) -> tuple[str, Rule]:
    reader = regime.inside("rule", tuple(RULES), tuple(RULES))
    if len(reader.data) != 1:
        raise reader.mistake(f"a rule is one of {', '.join(RULES)} with its values, as in `range: {{low: 2}}`")
    (kind,) = reader.data
    fields = dataclasses.fields(RULES[kind])
    optional = [one.name for one in fields if one.default is not dataclasses.MISSING]
    given = reader.inside(kind, [one.name for one in fields], optional)
    values: dict[str, Any] = {
        one.name: given.truth(one.name, False) if one.name == "better_is_fine" else given.number(one.name)
        for one in fields
        if given.has(one.name)
    }
    rule = RULES[kind](**values)
    if isinstance(rule, Range) and (rule.low < rule.neutral or (rule.high is not None and rule.high < rule.low)):
        raise given.mistake("a range needs neutral ≤ low ≤ high")
    if isinstance(rule, AtMost) and rule.usable is not None and rule.usable < rule.limit:
        raise given.mistake(f"usable is the looser limit; write one above {rule.limit:g}", "usable")
    return kind, rule


def _selector(reader: Reader, name: str) -> Selector:
    if not reader.has(name):
        return {}
    axes = reader.inside(name)
    return {axis: axes.words(axis) for axis in axes.data}


def _words(reader: Reader, name: str) -> Words:
    about = f"{reader.about}, {name}" if reader.about else name
    inner = reader.inside(name, LANGUAGES, about=about)
    return Words(inner.text("en"), inner.text("zh"))
