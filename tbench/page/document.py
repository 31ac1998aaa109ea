"""A page as data, and its HTML: Jinja2 with every text escaped, figures as JSON, scripts named by their hashes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

from tbench.charts import look
from tbench.charts.draw import bundle
from tbench.charts.model import Chart
from tbench.claims.model import Words
from tbench.errors import UsageError
from tbench.page.words import INTERFACE
from tbench.records import Value
from tbench.tables.json import dumps
from tbench.tables.table import Tone

FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', "
    "sans-serif"
)
COLOURS = look.Colours(
    ink="var(--ink)",
    quiet="var(--quiet)",
    grid="var(--line)",
    ground="var(--ground)",
    lines=tuple(f"var(--series-{number})" for number in range(len(look.PAPER.lines))),
)


@dataclass(frozen=True)
class Mark:
    """A cell of a table at the page's head."""

    text: Words
    tone: Tone = ""


@dataclass(frozen=True)
class Grid:
    """A table at the page's head. `folded`: closed until it is asked for."""

    caption: Words
    headings: tuple[Words, ...]
    lines: tuple[tuple[Mark, ...], ...]
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """Charts that share a choice of panel; `choice`: what is chosen."""

    name: str
    title: Words
    charts: tuple[Chart, ...]
    choice: Words

    @property
    def panels(self) -> list[str]:
        return list(dict.fromkeys(panel.name for chart in self.charts for panel in chart.panels))


@dataclass(frozen=True)
class Column:
    """Of the table of cases. `values` sort, `shown` is read; both one per case. Numbers are as in results.csv."""

    name: str
    heading: Words
    values: tuple[Value | None, ...]
    shown: tuple[str, ...]
    right: bool = True
    tones: tuple[Tone, ...] = ()


@dataclass(frozen=True)
class Cases:
    """The table of all cases. `ids`, `notes`, `commands`, `samples` (a panel's name or nothing): one per case."""

    columns: tuple[Column, ...]
    ids: tuple[str, ...]
    statuses: tuple[str, ...]
    notes: tuple[str, ...]
    commands: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """Everything on a page. `facts`: label and value. `about`: lines below the title."""

    title: str
    kind: Words
    about: tuple[str, ...]
    cases: Cases
    summary: tuple[Words, ...] = ()
    grids: tuple[Grid, ...] = ()
    sections: tuple[Section, ...] = ()
    facts: tuple[tuple[Words, str], ...] = ()
    warnings: tuple[str, ...] = ()
    method: tuple[Words, ...] = ()
    command: str = ""


def html(document: Document) -> str:
    """The page. Raises UsageError where a library it is made with is not installed."""
    script, style = read("page.js"), read("page.css")
    library = bundle().replace("</script", "<\\/script").replace("<!--", "<\\!--")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(library)} {_hash(script)}",
            "style-src 'unsafe-inline'",  # Vega sets styles of its elements
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    made: str = template("page.html.j2").render(
        document=document,
        interface=SimpleNamespace(**INTERFACE),
        policy=policy,
        style=style,
        script=script,
        library=library,
        data=_embedded(_payload(document)),
        palettes={"light": look.PAPER, "dark": look.NIGHT},
    )
    return made


def template(name: str) -> Any:
    """A template of this folder, whose texts are escaped. Raises UsageError without Jinja2."""
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as problem:
        raise UsageError(f"--format html needs Jinja2: pip install 'jinja2>=3.1' ({problem})") from problem
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tbench", "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["raw"] = Markup  # for what is of the package itself, and for JSON that is escaped already
    return environment.get_template(name)


@cache
def read(name: str) -> str:
    """A file of this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _embedded(payload: Any) -> str:
    """JSON that no HTML parser takes for anything else, whatever names it holds."""
    try:
        made = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:  # a figure that is not finite, which JSON has no word for
        made = dumps(payload, indent=None)
    for character in "<>&\u2028\u2029":
        made = made.replace(character, f"\\u{ord(character):04x}")
    return made.strip()


# ---------------------------------------------------------------------- figures, packed


class Pool:
    """Texts that occur often, each once; figures name them by their number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def put(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))

    def packed(self, values: Sequence[Any]) -> dict[str, Any]:
        """A column as `{"t": [numbers of texts]}` or `{"v": [values]}`."""
        if all(value is None or isinstance(value, str) for value in values) and any(values):
            return {"t": [None if value is None else self.put(value) for value in values]}
        return {"v": list(values)}


def _payload(document: Document) -> Mapping[str, Any]:
    pool = Pool()
    cases = document.cases
    return {
        "sections": {
            one.name: {"panels": one.panels, "charts": [chart.name for chart in one.charts]}
            for one in document.sections
        },
        "charts": {chart.name: _chart(chart, pool) for one in document.sections for chart in one.charts},
        "cases": {
            "columns": [
                {
                    "name": one.name,
                    "heading": vars(one.heading),
                    "right": one.right,
                    "values": pool.packed(one.values),
                    "shown": pool.packed(one.shown),
                    "tones": pool.packed(one.tones) if any(one.tones) else None,
                }
                for one in cases.columns
            ],
            **{name: pool.packed(getattr(cases, name)) for name in ("ids", "statuses", "notes", "commands", "samples")},
        },
        "config": look.configuration(COLOURS, FONT, columns=2),
        "words": {name: vars(words) for name, words in INTERFACE.items()},
        "texts": list(pool.numbers),
    }


def _chart(chart: Chart, pool: Pool) -> Mapping[str, Any]:
    """Figures by column. `panel`: the number of each record's panel."""
    records = [(number, record) for number, panel in enumerate(chart.panels) for record in panel.records]
    names = dict.fromkeys(name for _, record in records for name in record)
    return {
        "panels": [panel.name for panel in chart.panels],
        "summaries": [vars(panel.summary) for panel in chart.panels],
        "panel": [number for number, _ in records],
        "columns": {name: pool.packed([record.get(name) for _, record in records]) for name in names},
        "fields": {name: vars(words) for name, words in chart.fields.items()},
        "title": vars(chart.title),
        "describe": {"en": chart.describe("en"), "zh": chart.describe("zh")},
    }


def section(name: str, title: Words, charts: Iterable[Chart], choice: Words = INTERFACE["panel"]) -> list[Section]:
    """The section in a list, empty without charts."""
    shown = tuple(charts)
    return [Section(name, title, shown, choice)] if shown else []
