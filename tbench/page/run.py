"""The page of a run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from tbench.analysis.axes import varying
from tbench.analysis.derive import Row
from tbench.analysis.frame import row_cells
from tbench.analysis.run import Run, uncollected
from tbench.charts.model import Chart
from tbench.charts.run import charts, short_names
from tbench.claims import Assessment
from tbench.claims.model import Words
from tbench.errors import UsageError
from tbench.page import words
from tbench.page.document import Cases, Column, Document, Section, html, section
from tbench.page.headline import headline
from tbench.records import Case, text
from tbench.report import facts
from tbench.store import write_file
from tbench.tables import units
from tbench.tables.table import Tone

FILE = "report.html"
FEW = 6  # axes with a column each; more than these are one column, for most of its cells would be empty
BY_LENGTH = ("latency", "memory", "speedup")
TRAINING = ("positions", "curves")


def render(run: Run, assessments: Sequence[Assessment] | None = None) -> str:
    """The whole page. `assessments`: of the claims, where they are known. Raises UsageError where a library it is made
    with is not installed."""
    with uncollected():
        return html(document(run, assessments))


def write(run: Run, assessments: Sequence[Assessment] | None = None) -> str:
    """Write `report.html` into the run folder, in place of an older one. Returns why there is none, and nothing where
    there is: a run is complete without it. Raises StoreError where the folder cannot be written."""
    try:
        made = render(run, assessments)
    except UsageError as problem:
        return f"no {FILE}: {problem}"
    write_file(run.folder / FILE, made)
    return ""


def document(run: Run, assessments: Sequence[Assessment] | None = None) -> Document:
    return Document(
        title=facts.title(run),
        kind=words.RUN,
        about=tuple(filter(None, (facts.machine(run), str(run.header.get("started") or "")[:16].replace("T", " ")))),
        cases=cases(run),
        grids=tuple(headline(run, assessments)),
        sections=tuple(sections(run)),
        facts=tuple((words.fact(label), value) for label, value in facts.environment(run)),
        warnings=facts.warnings(run),
        method=tuple(facts.method_words(run)),
        command=facts.command(run) or "",
    )


def sections(run: Run) -> list[Section]:
    found = {chart.name: chart for chart in charts(run)}

    def of(*names: str) -> list[Chart]:
        return [found[name] for name in names if name in found]

    return [
        *section("evolution", Words("The evolution", "演进"), of("ladder")),
        *section("length", Words("Time and memory by length", "时间与内存随长度的变化"), of(*BY_LENGTH)),
        *section("machine", Words("What the machine allows", "机器上限"), of("roofline")),
        *section("training", Words("What models learn", "模型学到什么"), of(*TRAINING), Words("Experiment", "实验")),
        *section("raw", Words("Raw samples", "原始样本"), of("samples"), Words("Case", "用例")),
    ]


# ---------------------------------------------------------------------- the table of cases


def cases(run: Run) -> Cases:
    """Every case with its figures as in results.csv, its notes and the command that measures it."""
    rows = run.rows
    measured = [row.measurement.case for row in rows]
    cells = [row_cells(row) for row in rows]
    names = short_names(measured)
    columns = [*_axes(measured, names)]
    for name, heading, shown, toned in FIGURES:
        values = tuple(one.get(name) for one in cells)
        if any(value is not None for value in values):
            tones = tuple(map(toned, rows)) if toned else ()
            columns.append(Column(name, heading, values, tuple(map(shown, rows)), tones=tones))
    statuses = tuple(row.status for row in rows)
    if len(set(statuses)) > 1 or statuses[:1] != ("ok",):
        columns.insert(_first_figure(columns), _status(statuses))
    return Cases(
        tuple(columns),
        tuple(case.id for case in measured),
        statuses,
        tuple("\n".join(reason.text for reason in row.reasons) for row in rows),
        commands(run, measured),
        tuple(name if row.latency is not None else "" for name, row in zip(names, rows, strict=True)),
    )


def commands(run: Run, measured: Sequence[Case]) -> tuple[str, ...]:
    """For each case the run's own command, and the axes that tell it from the other cases; empty texts where the run
    has not recorded a command."""
    again = run.again()
    if not again or again[0] != "run":
        return ("",) * len(measured)
    apart = varying(measured)
    made = []
    for case in measured:
        terms = [f"{name}={text(value)}" for name in apart if (value := case.get(name)) is not None]
        made.append(shlex.join(["tbench", *again, *(["-k", " ".join(terms)] if terms else [])]))
    return tuple(made)


def _axes(measured: Sequence[Case], names: Sequence[str]) -> list[Column]:
    apart = varying(measured)
    if not 0 < len(apart) <= FEW:
        return [Column("case", words.INTERFACE["case"], tuple(names), tuple(names), right=False)]
    found = []
    for name in apart:
        values = tuple(case.get(name) for case in measured)
        numbers = all(value is None or type(value) in (int, float) for value in values)
        shown = tuple("" if value is None else text(value) for value in values)
        found.append(Column(name, Words(name, name), values if numbers else shown, shown, right=numbers))
    return found


def _status(statuses: tuple[str, ...]) -> Column:
    tones: tuple[Tone, ...] = tuple(
        "" if one == "ok" else "quiet" if one == "unsupported" else "bad" for one in statuses
    )
    return Column("status", words.INTERFACE["status"], statuses, statuses, right=False, tones=tones)


def _first_figure(columns: Sequence[Column]) -> int:
    figures = {name for name, *_ in FIGURES}
    return next((place for place, one in enumerate(columns) if one.name in figures), len(columns))


def _latency(row: Row) -> str:
    one = row.printed_latency
    if one is None:
        return "" if row.latency is None else "—"
    return f"{units.duration(one)} {units.plus_minus(one.relative_half_width)}".strip()


def _speedup(row: Row) -> str:
    if row.speedup is None:
        return ""
    if row.measurement.baseline == row.measurement.case.id:
        return "1×"
    return "—" if row.printed_speedup is None else units.times(row.printed_speedup)


def _faster(row: Row) -> Tone:
    one = row.printed_speedup
    if one is None or one.low is None or one.high is None:
        return ""
    return "good" if one.low > 1 else "bad" if one.high < 1 else ""


def _given(name: str, show: Callable[[float], str]) -> Callable[[Row], str]:
    def shown(row: Row) -> str:
        value = getattr(row, name)
        return "" if value is None else show(value)

    return shown


FIGURES: tuple[tuple[str, Words, Callable[[Row], str], Callable[[Row], Tone] | None], ...] = (
    ("latency_ms", Words("latency", "延迟"), _latency, None),
    ("speedup", Words("speed-up", "加速比"), _speedup, _faster),
    (
        "peak_memory_bytes",
        Words("peak memory", "内存峰值"),
        _given("peak_memory_bytes", lambda n: units.size(int(n))),
        None,
    ),
    (
        "memory_ratio",
        Words("memory ratio", "内存比"),
        _given("memory_ratio", lambda n: f"{units.three_digits(n)}×"),
        None,
    ),
    ("tflops", Words("arithmetic", "算力"), _given("tflops", lambda n: units.rate(n * 1e12, "FLOP/s", None)), None),
    (
        "gbytes_per_s",
        Words("bandwidth", "带宽"),
        _given("gbytes_per_s", lambda n: units.rate(n * 1e9, "B/s", None)),
        None,
    ),
    ("limit_fraction", Words("% of peak", "占峰值比例"), _given("limit_fraction", units.share), None),
    ("error", Words("error", "误差"), _given("error", lambda n: f"{n:.1e}"), None),
)
