"""A claim as data: who says it, what would be observed if it were true, where, and by which rule it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@dataclass(frozen=True)
class Words:
    """The same in both languages."""

    en: str
    zh: str

    def __getitem__(self, language: Language) -> str:
        return self.en if language == "en" else self.zh

    def __bool__(self) -> bool:
        return bool(self.en)


NOTHING = Words("", "")

Mark = Literal["V", "Q", "M", "E"]
MARKS: Mapping[Mark, Words] = {
    "V": Words("read in a copy of the source", "已查阅原文"),
    "Q": Words("seen quoted by a third party", "转引"),
    "M": Words("from memory", "凭记忆"),
    "E": Words("an estimate", "估计"),
}

Measure = Literal[
    "speedup",  # time of the baseline ÷ time of the tested case
    "memory_ratio",  # peak bytes of the baseline ÷ those of the tested case
    "saved",  # 1 − tested ÷ baseline, of peak memory or of a finding
    "beyond_bytes",  # speed-up ÷ how many times fewer bytes the tested case must move at least
    "slope",  # exponent of the growth of latency or peak memory with an axis
    "number",  # a finding of the tested case
    "loss_difference",  # held-out loss of the baseline − that of the tested arm, nats per byte, paired seeds
    "share_difference",  # share of the baseline's runs of which a finding is true − share of the tested arm's
    "seed_ratio",  # a finding of the baseline ÷ that of the tested arm, paired seeds
    "seed_mean",  # a finding of the runs of the tested arm
    "effort",  # steps or time of the baseline to a loss ÷ those of the tested arm, at several losses
    "decades",  # width of the learning rates that train, tested arm − baseline, in powers of ten
    "extrapolation",  # perplexity at a multiple of the trained length ÷ perplexity inside it
    "extrapolation_gain",  # perplexity of the baseline there ÷ perplexity of the tested arm
]
MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass(frozen=True)
class Range:
    """Claimed to lie in [low, high]; `neutral` is no effect: 1 for ratios and slopes, 0 for shares saved."""

    low: float
    high: float | None = None
    neutral: float = 1.0


@dataclass(frozen=True)
class AtMost:
    """Claimed not to exceed `limit`; up to `usable` it holds in part."""

    limit: float
    usable: float | None = None


@dataclass(frozen=True)
class AtLeast:
    """Claimed not to fall below `limit`."""

    limit: float


@dataclass(frozen=True)
class Exact:
    """Claimed to be `value`, within `tolerance`."""

    value: float
    tolerance: float = 0.0


@dataclass(frozen=True)
class Superior:
    """Claimed to be better: a one-sided paired test, and a mean effect of at least `effect` of the baseline's loss."""

    effect: float = 0.005


@dataclass(frozen=True)
class Equivalent:
    """Claimed to differ by less than `margin` (nats). `better_is_fine`: a gain beyond it does not speak against it.
    `learned`: the baseline's loss must be below it, for two arms that have learned nothing are equal too.
    """

    margin: float = 0.02
    better_is_fine: bool = False
    learned: float | None = None


Rule = Range | AtMost | AtLeast | Exact | Superior | Equivalent

Selector = Mapping[str, tuple[str, ...]]  # axis to terms, any of which may match; see `selection`


@dataclass(frozen=True)
class Regime:
    """One setting in which a claim is tested.

    `tested`: which cases. `against`: the values that make the baseline, all other axes but `free` equal; empty where
    no baseline is needed. `replicates`: axes whose values are repetitions of the same thing (seeds). `best_of`: of
    tested cases that differ in this axis only, the fastest counts; `best_baseline`: the same of baselines. `along`:
    the axis to tell results by ("from 1K up"). `of`: which figure. `at`: multiples of the trained length; of
    `effort`, the shares of the way from byte frequencies to the loss at which the worse arm ended. `last`: how many
    of the largest sizes a slope is taken over; 0 is all. `headline`: the claim stands or falls with it. `tell`: it
    does not, but is reported beside the verdict. `guards`: what must be seen before it may be judged. `agree`: it has a
    verdict only where all its points have the same. `changes`: pairs of arms (tested, baseline) that differ by one
    and the same change; their gains are averaged seed by seed. `equal_rates`: runs of both arms at the same learning
    rate are compared, not each arm's at its own. `short`: its name in the headline
    table.
    """

    name: Words
    tested: Selector
    measure: Measure
    rule: Rule
    against: Selector
    headline: bool = True
    tell: bool = False
    guards: tuple[Guard, ...] = ()
    agree: bool = False
    changes: tuple[tuple[str, str], ...] = ()
    equal_rates: bool = False
    free: tuple[str, ...] = ()
    replicates: tuple[str, ...] = ("seed",)
    best_of: str | None = None
    best_baseline: str | None = None
    along: str | None = None
    of: str | None = None
    at: tuple[float, ...] = ()
    last: int = 0
    scenario: str = ""
    short: Words | None = None


@dataclass(frozen=True)
class Guard:
    """What must be seen before a regime may be judged: an experiment in which nothing can be learned tests nothing.

    `regime` must be confirmed at every point, or the regime that has the guard stays open. `lifts`: what would help.
    """

    regime: Regime
    lifts: Words


@dataclass(frozen=True)
class Published:
    """What a paper reports. Only figures marked V are ever printed beside a verdict.

    `short`: the figure as it stands in the headline table, in the unit of `measure`, or of any measure of the claim.
    """

    figure: str
    source: str
    mark: Mark
    hardware: str
    short: str | None = None
    measure: Measure | None = None


@dataclass(frozen=True)
class Claim:
    """`row`: id of a row of the table, or `summary`, `evolution`. `scenario`: the file that measures it.

    `own`: the point that the claim itself names, by axis; the headline is about it alone.
    """

    id: str
    row: str
    says: Words
    source: Words
    mark: Mark
    quoted: str | None
    scenario: str
    regimes: tuple[Regime, ...]
    published: tuple[Published, ...] = ()
    remark: Words | None = None
    own: Selector = field(default_factory=dict)


@dataclass(frozen=True)
class Promise:
    """One line of the headline table: the part of a claim that has this `measure`, or all of it. `change`: what took
    the place of what; `claimed`: the benefit in a word; `figure`: words around a figure without a unit, at `{}`."""

    claim: str
    change: Words
    claimed: Words
    measure: Measure | None = None
    figure: Words | None = None


@dataclass(frozen=True)
class TableRow:
    """A row of the article's table; `judged_by`: the claims that its benefit consists of. `short` and `promises`: its
    name and its lines in the headline table."""

    id: str
    component: Words
    original: Words
    improved: Words
    benefit: Words
    judged_by: tuple[str, ...]
    short: Words
    promises: tuple[Promise, ...]


@dataclass(frozen=True)
class Article:
    """The table and all claims. `columns`: headings by column name."""

    title: Words
    columns: Mapping[str, Words]
    rows: tuple[TableRow, ...]
    claims: tuple[Claim, ...]

    def claim(self, id: str) -> Claim | None:
        return next((claim for claim in self.claims if claim.id == id.upper()), None)
