"""Verdicts of a comparison or a gate: new ÷ base time of every case, with its interval, against the tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tbench.analysis.statistics import Interval
from tbench.charts import look
from tbench.charts.model import Chart, Description, Panel, Record, chart
from tbench.claims.model import NOTHING, Language, Words
from tbench.tables import units

RATIO = Words("new ÷ base time", "新/基线时间比")
MOST = 60  # cases in a picture; the table below it has all
WAYS = {"SLOWER": "bad", "BIGGER": "bad", "BROKEN": "bad", "MISSING": "bad", "FASTER": "good"}


@dataclass(frozen=True)
class Judged:
    """A case with its verdict in a word. `name`: short; `case`: its identity."""

    name: str
    case: str
    verdict: str
    ratio: Interval | None


def verdicts(judged: Sequence[Judged], tolerance: float) -> list[Chart]:
    """The cases that have a ratio, the slowest first."""
    told = sorted((one for one in judged if one.ratio), key=lambda one: -(one.ratio.estimate if one.ratio else 0))
    shown = told[:MOST]
    records = tuple(_record(one, tolerance) for one in shown)
    left_out = len(told) - len(shown)
    more = Words(f"; {left_out} more are in the table", f"；另有{left_out}个见下表") if left_out else NOTHING
    summary = Words(
        f"{units.counted(len(shown), 'case')}, the slowest first{more.en}.",
        f"{len(shown)}个用例，变慢最多的在前{more.zh}。",
    )
    fields = {
        "line": look.CASE,
        "ratio": RATIO,
        "ratio_low": Words("95% from", "95%下限"),
        "ratio_high": Words("to", "上限"),
        "verdict": Words("verdict", "判定"),
    }
    return chart(
        "ratios",
        Words("Time of the new side against the base", "新版本相对基线的时间"),
        Words(
            "Each point is a case with its 95% interval. Left of 1 is faster; the band is the accepted slowdown.",
            "每点为一个用例及其95%区间。1的左侧为更快；色带为可接受的变慢幅度。",
        ),
        [Panel("", records, summary)],
        fields,
        _description,
    )


def _record(one: Judged, tolerance: float) -> Record:
    assert one.ratio is not None
    return {
        "case": one.case,
        "line": one.name,
        "ratio": one.ratio.estimate,
        "ratio_low": one.ratio.low,
        "ratio_high": one.ratio.high,
        "verdict": one.verdict,
        "way": WAYS.get(one.verdict, "open" if one.verdict == "INCONCLUSIVE" else "even"),
        "equal": 1.0,
        "limit": 1 + tolerance,
        "label": f"{one.verdict}: {units.times(one.ratio)}",
    }


def _description(language: Language) -> Description:
    x = {
        "type": "quantitative",
        "scale": {"type": "log", "nice": False, "padding": 10},
        "axis": {"title": RATIO[language], "labelExpr": look.TIMES, "tickCount": 6},
    }
    y = {
        "field": "line",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelLimit": 260, "domain": False, "ticks": False},
    }
    hue = {
        "field": "way",
        "type": "nominal",
        "scale": {"domain": ["bad", "open", "even", "good"], "range": ["#d55e00", "#8a939d", "#3f8fc4", "#007f5f"]},
        "legend": None,
    }
    shape = {
        "field": "way",
        "type": "nominal",
        "scale": {
            "domain": ["bad", "open", "even", "good"],
            "range": ["triangle-right", "diamond", "circle", "triangle-left"],
        },
        "legend": None,
    }
    accepted = {
        "mark": {"type": "rect", "opacity": 0.12, "color": "#8a939d", "aria": False},
        "encoding": {
            "x": {**x, "aggregate": "min", "field": "equal"},
            "x2": {"aggregate": "max", "field": "limit"},
        },
    }
    interval = {
        "mark": {"type": "rule", "strokeWidth": 1.6, "aria": False},
        "encoding": {"x": {**x, "field": "ratio_low"}, "x2": {"field": "ratio_high"}, "y": y, "color": hue},
    }
    points = {
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        "encoding": {
            "x": {**x, "field": "ratio"},
            "y": y,
            "color": hue,
            "shape": shape,
            **look.on_hover(language, RATIO),
        },
    }
    return look.described({"step": 20}, [accepted, interval, points])
