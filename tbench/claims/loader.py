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
    Published,
    Range,
    Regime,
    Rule,
    Selector,
    Superior,
    TableRow,
    Words,
)
from tbench.claims.reader import Mistake, Node, Reader, read_yaml

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
ALONE = ("slope", "number", "extrapolation")  # the other measures compare
FIGURES = {"slope": ("latency", "peak_memory")}  # what `of` may be


@lru_cache(maxsize=1)
def article() -> Article:
    """The article's own table and claims, as they come with tbench."""
    return load(HERE / "table.yaml", HERE / "claims.yaml")


def load(table: Path, claims: Path) -> Article:
    """Both files. Raises UsageError that names file, line and remedy."""
    top = read_yaml(table)
    reader = Reader(top, ("title", "columns", "rows"))
    columns = reader.mapping("columns")
    rows = tuple(_row(node) for node in reader.list("rows"))
    known = {row.id for row in rows} | set(OUTSIDE)
    found = [_claim(node, known) for node in Reader(read_yaml(claims), ("claims",)).list("claims")]
    ids: set[str] = set()
    for claim, node in found:
        if claim.id in ids:
            raise Mistake(node, f"{claim.id} is there twice; give one of them another id")
        ids.add(claim.id)
    for row, node in zip(rows, reader.list("rows"), strict=True):
        for id in row.judged_by:
            if id not in ids:
                raise Mistake(node, f"{row.id}: judged_by names {id}, which is no claim")
    headings = {name: _words(columns, name) for name in columns.value}
    return Article(_words(top, "title"), headings, rows, tuple(claim for claim, _ in found))


def _row(node: Node) -> TableRow:
    reader = Reader(node, ("id", "component", "original", "improved", "benefit", "judged_by"))
    component, original, improved, benefit = (
        _words(node, name) for name in ("component", "original", "improved", "benefit")
    )
    return TableRow(reader.text("id"), component, original, improved, benefit, reader.texts("judged_by"))


def _claim(node: Node, rows: set[str]) -> tuple[Claim, Node]:
    reader = Reader(
        node, ("id", "row", "says", "source", "scenario", "regimes", "published", "remark"), ("published", "remark")
    )
    reader.about = reader.text("id")
    source = Reader(reader.mapping("source"), ("where", "mark", "quoted"), ("quoted",), reader.about)
    scenario = reader.text("scenario")
    regimes = [_regime(one, reader.about, scenario) for one in reader.list("regimes")]
    if not regimes:
        reader.fail("regimes", "has no regime: say in which setting it is tested")
    if not any(regime.headline for regime in regimes):
        reader.fail("regimes", "has no headline regime: without one there is no verdict")
    claim = Claim(
        id=reader.about,
        row=reader.choice("row", sorted(rows)),
        says=_words(node, "says", reader.about),
        source=_words(source.node, "where", reader.about),
        mark=source.choice("mark", MARKS),
        quoted=source.text("quoted") if source.has("quoted") else None,
        scenario=scenario,
        regimes=tuple(regimes),
        published=tuple(_published(one, reader.about) for one in reader.list("published")),
        remark=_words(node, "remark", reader.about) if reader.has("remark") else None,
    )
    return claim, node


def _published(node: Node, about: str) -> Published:
    reader = Reader(node, ("figure", "source", "mark", "hardware"), about=about)
    return Published(
        reader.text("figure"), reader.text("source"), reader.choice("mark", MARKS), reader.text("hardware")
    )


def _regime(node: Node, about: str, scenario: str) -> Regime:
    needed = ("name", "tested", "measure", "rule")
    names = tuple(field.name for field in dataclasses.fields(Regime))
    reader = Reader(node, names, tuple(name for name in names if name not in needed), about)
    name = _words(node, "name", about)
    reader.about = about = f"{about}, {name.en}"
    measure = reader.choice("measure", MEASURES)
    kind, rule = _rule(reader.mapping("rule"), about)
    if (kind in BY_SEEDS) != (measure == "loss_difference"):
        reader.fail("rule", f"{kind} does not judge {measure}; {', '.join(BY_SEEDS)} judge loss_difference only")
    if measure not in ALONE and not reader.has("against"):
        reader.fail("measure", f"{measure} compares; add against: with the values that make the baseline")
    of = reader.text("of") if reader.has("of") else None
    if measure in ("slope", "number", "saved", "seed_ratio", "share_difference") and of is None:
        reader.fail("measure", f"{measure} of what? add of: with the name of the figure")
    if of is not None and measure in FIGURES and of not in FIGURES[measure]:
        reader.fail("of", f"{of!r} has no {measure}; write {' or '.join(FIGURES[measure])}")
    if measure == "slope" and not reader.has("along"):
        reader.fail("measure", "a slope along which axis? add along: seq_len")
    if measure in ("extrapolation", "extrapolation_gain") and not reader.has("at"):
        reader.fail("measure", "at which multiples of the trained length? add at: [1.5, 2]")
    return Regime(
        name=name,
        tested=_selector(reader, "tested"),
        measure=measure,
        rule=rule,
        against=_selector(reader, "against"),
        headline=reader.truth("headline", True),
        tell=reader.truth("tell", False),
        free=reader.texts("free"),
        replicates=reader.texts("replicates") or ("seed",),
        best_of=reader.text("best_of") if reader.has("best_of") else None,
        along=reader.text("along") if reader.has("along") else None,
        of=of,
        at=tuple(reader.numbers("at")),
        scenario=reader.text("scenario") if reader.has("scenario") else scenario,
    )


def _rule(node: Node, about: str) -> tuple[str, Rule]:
    if len(node.value) != 1:
        raise Mistake(node, f"{about}: a rule is one of {', '.join(RULES)} with its values, as in `range: {{low: 2}}`")
    kind = Reader(node, tuple(RULES), tuple(RULES), about).only()
    made = RULES[kind]
    fields = dataclasses.fields(made)
    optional = tuple(one.name for one in fields if one.default is not dataclasses.MISSING)
    reader = Reader(node.value[kind], tuple(one.name for one in fields), optional, about)
    values: dict[str, Any] = {
        one.name: reader.truth(one.name, False) if one.name == "better_is_fine" else reader.number(one.name)
        for one in fields
        if reader.has(one.name)
    }
    rule = made(**values)
    if isinstance(rule, Range) and (rule.low < rule.neutral or (rule.high is not None and rule.high < rule.low)):
        raise Mistake(node, f"{about}: a range needs neutral ≤ low ≤ high")
    if isinstance(rule, AtMost) and rule.usable is not None and rule.usable < rule.limit:
        raise Mistake(node, f"{about}: usable is the looser limit; write one above {rule.limit:g}")
    return kind, rule


def _selector(reader: Reader, name: str) -> Selector:
    if not reader.has(name):
        return {}
    node = reader.mapping(name)
    return {axis: Reader(node, tuple(node.value), about=reader.about).words(axis) for axis in node.value}


def _words(node: Node, name: str, about: str = "") -> Words:
    outer = Reader(node, tuple(node.value), about=about)
    reader = Reader(outer.mapping(name), LANGUAGES, about=f"{about}, {name}" if about else name)
    return Words(reader.text("en"), reader.text("zh"))
