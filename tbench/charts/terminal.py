"""Small charts in a terminal, by plotext: lines against length, and the ladder as bars."""

from __future__ import annotations

from typing import Any

from tbench.analysis.run import Run
from tbench.charts.model import Chart, Panel, Record
from tbench.charts.run import pictures
from tbench.errors import UsageError
from tbench.tables.printable import printable

HEIGHT = 16
WIDEST = 100
MARKERS = "●▲■◆✚▼▶◀○△□◇"
VALUES = {"latency": "latency_ms", "memory": "peak_memory_bytes", "positions": "loss"}
UNITS = {"latency": "ms", "memory": "MiB", "positions": "nats per byte"}
SCALES = {"memory": 2.0**20}
PLACES = {"positions": "at"}
NOTHING = "no charts: they need cases at two or more lengths, a ladder of blocks, or losses by position\n"


def render(run: Run, width: int, colour: bool) -> str:
    """The pictures of a run's report, each `width` characters wide at most. Raises UsageError without plotext."""
    drawn = "\n".join(
        drawing for _, chart, panel in pictures(run) if (drawing := drawn_of(chart, panel, width, colour))
    )
    return drawn or NOTHING


def drawn_of(chart: Chart, panel: Panel, width: int, colour: bool) -> str:
    """One picture; empty for a kind that a terminal has no room for."""
    if chart.name == "ladder":
        return _bars(chart, panel, min(width, WIDEST), colour)
    return _lines(chart, panel, min(width, WIDEST), colour) if chart.name in VALUES else ""


def _lines(chart: Chart, panel: Panel, width: int, colour: bool) -> str:
    plot = _fresh(colour)
    place, value = PLACES.get(chart.name, "size"), VALUES[chart.name]
    by_line: dict[str, list[Record]] = {}
    for record in panel.records:
        by_line.setdefault(str(record["line"]), []).append(record)
    logarithmic = place == "size"
    for number, (name, records) in enumerate(by_line.items()):
        xs = [float(record[place]) for record in records]
        ys = [float(record[value]) / SCALES.get(chart.name, 1.0) for record in records]
        marker = MARKERS[number % len(MARKERS)]
        plot.plot(xs, ys, marker="braille" if colour else "dot")
        plot.scatter(xs, ys, marker=marker, label=printable(name))
    if logarithmic:
        plot.xscale("log")
        plot.yscale("log")
    sizes = sorted({float(record[place]) for record in panel.records})
    plot.xticks(sizes, [f"{size:g}" for size in sizes])
    plot.plotsize(width, HEIGHT)
    title = f"{chart.title.en}: {printable(panel.name)}" if panel.name else chart.title.en
    return f"{title} ({UNITS[chart.name]})\n{_built(plot, colour)}"


def _bars(chart: Chart, panel: Panel, width: int, colour: bool) -> str:
    """Bars from 1× on; the longest takes half of the width."""
    longest = max(float(record["total"]) for record in panel.records)
    names = [printable(str(record["line"])) for record in panel.records]
    widest = max(map(len, names))
    room = max(width - widest - 12, 8)
    lines = [f"{chart.title.en}: {printable(panel.name)}"]
    for name, record in zip(names, panel.records, strict=True):
        total = float(record["total"])
        lines.append(f"{name:<{widest}} {'█' * max(1, round(room * total / longest))} {record['cell']}")
    return "\n".join(lines) + "\n"


def _fresh(colour: bool) -> Any:
    """plotext with an empty figure. Raises UsageError where it is not installed."""
    try:
        import plotext
    except ImportError as problem:
        raise UsageError(f"--plot needs plotext: pip install 'plotext>=5.3,<6' ({problem})") from problem
    plotext.clear_figure()
    plotext.theme("clear" if not colour else "default")
    return plotext


def _built(plot: Any, colour: bool) -> str:
    made = str(plot.build())
    lines = (made if colour else plot.uncolorize(made)).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"
