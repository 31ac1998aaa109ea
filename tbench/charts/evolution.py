"""The ladder from 2017 to 2024 as a waterfall: what each improvement adds to the speed-up since 2017."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tbench.analysis.run import Run
from tbench.charts import look
from tbench.charts.model import Chart, Description, Panel, Record, chart
from tbench.claims.ladder import FIRST, Ladder, ladders
from tbench.claims.model import Language, Words
from tbench.claims.places import label_words
from tbench.claims.render import rung
from tbench.claims.words import amount

TOTAL = Words("speed-up since 2017", "较2017年的加速比")


def waterfall(runs: Sequence[Run]) -> list[Chart]:
    """A panel for each phase and size."""
    found = ladders(runs)
    axes = dict.fromkeys(axis for one in found for axis, _ in one.sizes)
    apart = [axis for axis in axes if len({dict(one.sizes).get(axis) for one in found}) > 1]
    panels = [Panel(name, tuple(_steps(one, name)), _whole(one)) for one in found for name in [_name(one, apart)]]
    fields = {
        "line": Words("step", "步骤"),
        "total": TOTAL,
        "total_low": Words("95% from", "95%下限"),
        "total_high": Words("to", "上限"),
        "memory": Words("peak memory of 2017 ÷ of this step", "2017年内存峰值 ÷ 此步"),
    }
    return chart(
        "ladder",
        Words("From 2017 to 2024, step by step", "从2017到2024，逐步演进"),
        Words(
            "Each bar runs from the speed-up before the step to the speed-up after it, on a logarithmic scale; the "
            "thin line is the 95% interval of the total.",
            "每根柱从此步之前的累计加速比画到此步之后（对数刻度）；细线为累计值的95%区间。",
        ),
        [panel for panel in panels if len(panel.records) > 1],
        fields,
        _description,
    )


def _name(ladder: Ladder, apart: Sequence[str]) -> str:
    """The phase, and the sizes in which the ladders differ."""
    sizes = label_words(tuple((axis, value) for axis, value in ladder.sizes if axis in apart))
    return f"block {ladder.phase.replace('_', ' ')} {sizes}".strip()


def _steps(ladder: Ladder, name: str) -> list[Record]:
    records: list[dict[str, Any]] = []
    last = 1.0
    for order, step in enumerate(ladder.steps):
        first = step.name == FIRST
        if step.total is None and not first:
            continue
        total = 1.0 if step.total is None else step.total.value
        label = "1×" if step.total is None else amount("speedup", step.total)
        records.append(
            {
                "case": name,
                "line": rung(step.name),
                "order": order,
                "start": last,
                "total": total,
                "total_low": step.total.low if step.total else None,
                "total_high": step.total.high if step.total else None,
                "memory": step.memory,
                "way": "first" if first else "up" if total >= last else "down",
                "cell": f"{total:.2f}×",
                "end": max(total, last, step.total.high or total if step.total else total),
                "label": f"{rung(step.name)}: {label}",
            }
        )
        last = total
    return list(records)


def _description(language: Language) -> Description:
    x = {
        "field": "line",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelAngle": -35, "labelLimit": 120, "labelOverlap": False},
    }
    scale = {"type": "log", "nice": False, "padding": 14}
    y: dict[str, Any] = {
        "type": "quantitative",
        "scale": scale,
        "axis": {"title": TOTAL[language], "labelExpr": look.TIMES, "tickCount": 5},
    }
    hue = {
        "field": "way",
        "type": "nominal",
        "scale": {"domain": ["first", "up", "down"], "range": ["#7c8794", "#0b62a3", "#c4570a"]},
        "legend": None,
    }
    bar = {
        "mark": {"type": "bar", "cornerRadius": 2, "size": 22, "minBandSize": 3},
        "encoding": {
            "x": x,
            "y": {**y, "field": "start"},
            "y2": {"field": "total"},
            "color": hue,
            **look.on_hover(language, TOTAL),
        },
    }
    interval = {
        "mark": {"type": "rule", "aria": False},
        "encoding": {"x": x, "y": {**y, "field": "total_low"}, "y2": {"field": "total_high"}},
    }
    level = {
        "mark": {"type": "tick", "thickness": 2, "width": 22, "aria": False},
        "encoding": {"x": x, "y": {**y, "field": "total"}, "color": hue},
    }
    text = {
        "mark": {"type": "text", "dy": -9, "aria": False},
        "encoding": {"x": x, "y": {**y, "field": "end"}, "text": {"field": "cell"}},
    }
    return look.described(280, [bar, level, interval, text])


def _whole(ladder: Ladder) -> Words:
    last = ladder.steps[-1]
    if last.total is None or not math.isfinite(last.total.value):
        return Words("", "")
    total = amount("speedup", last.total)
    return Words(f"{rung(last.name)}: {total} since 2017.", f"{rung(last.name)}：较2017年{total}。")
