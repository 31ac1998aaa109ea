"""The charts of a run, in the order a reader meets them, and those of them that are made as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tbench.analysis.axes import COMMON, redundant, varying
from tbench.analysis.run import Run
from tbench.charts.draw import file_name, write
from tbench.charts.evolution import waterfall
from tbench.charts.groups import grouped
from tbench.charts.learning import curves, positions
from tbench.charts.length import latency, memory
from tbench.charts.model import Chart, Panel
from tbench.charts.roofline import roofline
from tbench.charts.samples import samples
from tbench.charts.speedup import speedups
from tbench.records import Case, text

FOLDER = "charts"  # of a run folder
STATIC = ("ladder", "latency", "memory", "positions")  # say enough without a page


def charts(run: Run) -> list[Chart]:
    """Every chart that the run has figures for."""
    return [
        *waterfall([run]),
        *by_length(run),
        *roofline(run.rows, run.environment.ceilings),
        *positions(run.rows),
        *curves(run.rows),
        *samples(run.rows, short_names([row.measurement.case for row in run.rows])),
    ]


def by_length(run: Run) -> list[Chart]:
    """Latency, peak memory and speed-up, each with the same panels where it has figures."""
    groups = grouped(run.rows)
    return [*latency(groups), *memory(groups), *speedups(groups)]


def short_names(cases: Sequence[Case]) -> list[str]:
    """A name for each case: component and phase, and as few of the axes as tell it from the others of these."""
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(_kind(case), []).append(case)
    telling = {}
    for kind, alike in kinds.items():
        apart = [name for name in varying(alike) if name not in COMMON[:2]]
        spare = redundant(alike, apart)
        telling[kind] = [name for name in apart if name not in spare]
    return [
        " ".join([_kind(case), *(f"{name}={text(value)}" for name in told if (value := case.get(name)) is not None)])
        for case in cases
        for told in [telling[_kind(case)]]
    ]


def _kind(case: Case) -> str:
    return f"{case.component}/{case.phase}"


def pictures(run: Run) -> Iterator[tuple[str, Chart, Panel]]:
    """What is made as files, with a name for each: of every component and phase of a ladder the panel with the
    most cases, the last of several."""
    found = [*waterfall([run]), *by_length(run), *positions(run.rows)]
    for chart in found:
        if chart.name not in STATIC:
            continue
        largest: dict[str, Panel] = {}
        for panel in chart.panels:
            about = _about(chart, panel)
            if about not in largest or len(panel.records) >= len(largest[about].records):
                largest[about] = panel
        for about, panel in largest.items():
            name = chart.name if len(largest) == 1 else f"{chart.name}-{file_name(about)}"
            yield name, chart, panel


def _about(chart: Chart, panel: Panel) -> str:
    """What one picture is enough for: a component, or a phase of the ladder."""
    words = panel.name.split(" ")
    if chart.name == "ladder":
        return " ".join(word for word in words if "=" not in word)
    return words[0] if chart.name in ("latency", "memory") else ""


def write_pictures(run: Run) -> list[str]:
    """Write the pictures of a run into its folder, in place of older ones; returns the files' names.

    Raises UsageError where they cannot be drawn for want of vl-convert.
    """
    folder = run.folder / FOLDER
    made = list(pictures(run))
    names = write(folder, made) if made else []
    if folder.is_dir():
        for old in {file.name for file in folder.glob("*.svg")} - {*names}:
            (folder / old).unlink()
    return names


def present(run: Run) -> list[tuple[Path, Chart, Panel]]:
    """The pictures that the run folder holds, by their paths in it."""
    return [
        (Path(FOLDER) / f"{name}.svg", chart, panel)
        for name, chart, panel in pictures(run)
        if (run.folder / FOLDER / f"{name}.svg").exists()
    ]
