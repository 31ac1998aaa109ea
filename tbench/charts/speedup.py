"""Speed-up over the baseline: a map of variants by length."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tbench.charts import look
from tbench.charts.groups import LINE, SIZE, Group
from tbench.charts.model import Chart, Description, Panel, Record, chart
from tbench.claims.model import Language, Words
from tbench.records import text
from tbench.tables import units
from tbench.tables.numbers import significant

GAP = {"paddingInner": 0.06}
SPEEDUP = Words("speed-up", "加速比")


def speedups(groups: Sequence[Group]) -> list[Chart]:
    """Speed-up over the baseline for every variant at every length."""
    panels = []
    for group in groups:
        records: list[Record] = []
        for name, rows in group.lines.items():
            for row in rows:
                one = row.printed_speedup
                if one is None or row.measurement.baseline == row.measurement.case.id:
                    continue
                unclear = one.low is None or one.high is None or one.low <= 1 <= one.high
                size = row.measurement.case.get(SIZE)
                records.append(
                    {
                        "case": row.measurement.case.id,
                        "line": name,
                        "size": "–" if size is None else size,
                        "speedup": one.estimate,
                        "speedup_low": one.low,
                        "speedup_high": one.high,
                        "shade": max(-4.0, min(4.0, math.log2(one.estimate))),
                        "cell": f"{significant(one.estimate, one.low, one.high)}×{'?' if unclear else ''}",
                        "label": f"{name}, {'' if size is None else text(size)}: {units.times(one)}",
                    }
                )
        panels.append(Panel(group.name, tuple(records), _fastest(records)))
    fields = {
        "line": LINE,
        "size": look.LENGTH,
        "speedup": SPEEDUP,
        "speedup_low": Words("95% from", "95%下限"),
        "speedup_high": Words("to", "上限"),
    }
    return chart(
        "speedup",
        Words("Speed-up over the baseline", "相对基线的加速比"),
        Words(
            "Each cell is the baseline's time divided by the variant's, from turns taken side by side. Blue is faster, "
            "orange slower; a question mark: the 95% interval includes 1.",
            "每格为基线时间除以该变体时间，取自并排交替的测量。蓝色更快，橙色更慢；问号表示95%区间包含1。",
        ),
        panels,
        fields,
        _speedup_description,
    )


def _speedup_description(language: Language) -> Description:
    x = {
        "field": "size",
        "type": "ordinal",
        "scale": GAP,
        "axis": {"title": look.LENGTH[language], "labelAngle": 0, "orient": "top", "labelExpr": look.SIZES},
    }
    y = {
        "field": "line",
        "type": "nominal",
        "sort": None,
        "scale": GAP,
        "axis": {"title": None, "labelLimit": 150, "domain": False},
    }
    shade = {
        "field": "shade",
        "type": "quantitative",
        "scale": {"domain": [-4, 0, 4], "range": ["#c4570a", "#f3f1ec", "#0b62a3"], "interpolate": "rgb"},
        "legend": None,
    }
    strong = {"condition": {"test": "abs(datum.shade) > 1.6", "value": "#ffffff"}, "value": "#1c2127"}
    cell = {"type": "rect", "cornerRadius": 2}
    return look.described(
        {"step": 26},
        [
            {"mark": cell, "encoding": {"color": shade, **look.on_hover(language, SPEEDUP)}},
            {"mark": {"type": "text", "aria": False}, "encoding": {"text": {"field": "cell"}, "color": strong}},
        ],
        encoding={"x": x, "y": y},
    )


def _fastest(records: Sequence[Record]) -> Words:
    if not records:
        return Words("", "")
    best, worst = (pick(records, key=lambda record: record["speedup"])["label"] for pick in (max, min))
    return Words(f"Greatest: {best}; least: {worst}.", f"最高：{best}；最低：{worst}。")
