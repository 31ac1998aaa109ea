"""Raw samples by process: whether processes agree, and whether a case has two modes or drifts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from tbench.analysis.derive import Row
from tbench.analysis.turns import of_one_clock
from tbench.charts import look
from tbench.charts.model import Chart, Description, Panel, Record, chart
from tbench.claims.model import Language, Words
from tbench.tables import units

LATENCY = Words("latency", "延迟")
MOST = 800_000  # samples in a page, which take 6 to 7 bytes each
DIGITS = 5
HALF = 0.42  # of a process's width in the picture, which is 1


def samples(rows: Sequence[Row], names: Sequence[str]) -> list[Chart]:
    """A panel for each timed case. Of runs with very many samples a share, evenly spaced in the order taken."""
    timed = [(name, row) for name, row in zip(names, rows, strict=True) if row.latency is not None]
    whole = sum(row.samples or 0 for _, row in timed)
    every = max(1, math.ceil(whole / MOST))
    panels = [Panel(name, tuple(_processes(row, every)), _spread(row, every)) for name, row in timed]
    fields = {
        "process": Words("process", "进程"),
        "median_ms": Words("median (ms)", "中位数（ms）"),
        "count": Words("samples", "样本数"),
    }
    return chart(
        "samples",
        Words("Raw samples by process", "各进程的原始样本"),
        Words(
            "Each dot is a sample, from left to right in the order taken; each process is a fresh one. Bars are the "
            "medians of processes, the band is the 95% interval of the case's latency.",
            "每点为一个样本，从左到右按测量顺序排列；每个进程都是全新的。短线为各进程的中位数，色带为该用例延迟的95%区间。",
        ),
        panels,
        fields,
        _description,
    )


def _processes(row: Row, every: int) -> Iterator[Record]:
    one, case = row.latency, row.measurement.case
    assert one is not None
    low, high = (None if end is None else end * 1e3 for end in (one.low, one.high))
    yield {
        "role": "whole",
        "case": case.id,
        "latency_ms": one.estimate * 1e3,
        "latency_ms_low": low,
        "latency_ms_high": high,
    }
    by_process: dict[int, list[float]] = {}
    for turn in of_one_clock(row.measurement.turns):
        by_process.setdefault(turn.round, []).extend(turn.seconds)
    for number, seconds in enumerate(by_process.values(), start=1):
        kept = sorted({*range(0, len(seconds), every), _place(seconds, min(seconds)), _place(seconds, max(seconds))})
        middle = statistics.median(seconds)
        yield {
            "role": "process",
            "case": case.id,
            "process": number,
            "left": number - HALF,
            "right": number + HALF,
            "median_ms": middle * 1e3,
            "count": len(seconds),
            "ms": [float(f"{seconds[i] * 1e3:.{DIGITS}g}") for i in kept],
            "label": f"#{number}: {units.duration_of(middle)} (n={len(seconds)})",
        }


def _place(values: Sequence[float], value: float) -> int:
    return values.index(value)


def _spread(row: Row, every: int) -> Words:
    assert row.latency is not None
    one = f"{units.duration(row.latency)} {units.plus_minus(row.latency.relative_half_width)}".strip()
    part = (
        Words(f" Every {every}th sample and the extremes are shown.", f"每{every}个样本只显示一个，并显示极值。")
        if every > 1
        else Words("", "")
    )
    count, processes = row.samples or 0, row.latency.n_rounds
    return Words(
        f"{one} from {units.counted(count, 'sample')} in {processes} process{'es' if processes > 1 else ''}.{part.en}",
        f"{one}，{processes}个进程共{count}个样本。{part.zh}",
    )


def _description(language: Language) -> Description:
    x: dict[str, Any] = {
        "type": "quantitative",
        "scale": {"zero": False, "nice": False, "padding": 6},
        "axis": {"title": Words("process", "进程")[language], "grid": False, "tickMinStep": 1, "format": "d"},
    }
    y: dict[str, Any] = {
        "type": "quantitative",
        "scale": {"zero": False},
        "axis": {"title": LATENCY[language], "labelExpr": look.MILLISECONDS},
    }
    band = {
        "transform": look.only("whole"),
        "mark": {"type": "rect", "opacity": 0.15, "aria": False},
        "encoding": {"y": {**y, "field": "latency_ms_low"}, "y2": {"field": "latency_ms_high"}},
    }
    middle = {
        "transform": look.only("whole"),
        "mark": {"type": "rule", "strokeDash": [3, 3], "aria": False},
        "encoding": {"y": {**y, "field": "latency_ms"}},
    }
    dots = {
        "transform": [
            *look.only("process"),
            {"flatten": ["ms"], "as": ["sample"]},
            {"window": [{"op": "row_number", "as": "order"}], "groupby": ["process"]},
            {"joinaggregate": [{"op": "count", "as": "shown_of_process"}], "groupby": ["process"]},
            {
                "calculate": "datum.left + (datum.right - datum.left) * datum.order / (datum.shown_of_process + 1)",
                "as": "place",
            },
            {"calculate": "format(datum.sample, '.4~g') + ' ms'", "as": "shown"},
        ],
        "mark": {"type": "circle", "size": 9, "opacity": 0.55},
        "encoding": {
            "x": {**x, "field": "place"},
            "y": {**y, "field": "sample"},
            "tooltip": [
                {"field": "case", "type": "nominal", "title": look.CASE[language]},
                {"field": "shown", "type": "nominal", "title": LATENCY[language]},
            ],
            "description": {"field": "shown", "type": "nominal"},
        },
    }
    medians = {
        "transform": look.only("process"),
        "mark": {"type": "rule", "strokeWidth": 2.5, "color": "#d55e00"},
        "encoding": {
            "x": {**x, "field": "left"},
            "x2": {"field": "right"},
            "y": {**y, "field": "median_ms"},
            **look.on_hover(language, LATENCY),
        },
    }
    return look.described(280, [band, middle, dots, medians])
