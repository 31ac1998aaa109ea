"""Latency and peak memory against length, with intervals and the exponent of growth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tbench.analysis.derive import Row
from tbench.charts import look
from tbench.charts.groups import LINE, SIZE, Group, size_of
from tbench.charts.model import Chart, Description, Panel, Record, chart
from tbench.claims.comparison import rounds
from tbench.claims.model import Language, Words
from tbench.claims.slopes import exact_slope, slope
from tbench.claims.verdict import Estimate
from tbench.records import text
from tbench.tables import units

LATENCY = Words("latency", "延迟")
MEMORY = Words("peak memory", "内存峰值")


def latency(groups: Sequence[Group]) -> list[Chart]:
    """Latency against length, with intervals and the exponent of growth."""
    panels = []
    for group in groups:
        records: list[Record] = []
        for name, rows in _growing(group, lambda row: row.printed_latency is not None):
            grown = slope(
                [size_of(row.measurement.case) for row in rows], [rounds(row.measurement.turns) for row in rows]
            )
            values = [row.latency.estimate * 1e3 for row in rows if row.latency]
            for row, fitted in zip(rows, _fit(rows, values, grown.value), strict=True):
                one = row.printed_latency
                assert one is not None
                records.append(
                    {
                        **_place(row, name, grown),
                        "latency_ms": one.estimate * 1e3,
                        "latency_ms_low": None if one.low is None else one.low * 1e3,
                        "latency_ms_high": None if one.high is None else one.high * 1e3,
                        "fitted_ms": fitted,
                        "label": f"{name}, {text(row.measurement.case[SIZE])}: {units.duration(one)} "
                        f"{units.plus_minus(one.relative_half_width)}".strip(),
                    }
                )
        panels.append(Panel(group.name, tuple(records), _extremes(records, "latency_ms", LATENCY)))
    fields = {
        "line": LINE,
        "size": look.LENGTH,
        "latency_ms": Words("latency (ms)", "延迟（ms）"),
        "latency_ms_low": Words("95% from", "95%下限"),
        "latency_ms_high": Words("to", "上限"),
        "slope": Words("growth", "增长"),
    }
    return chart(
        "latency",
        Words("Latency by length", "延迟随长度的变化"),
        Words(
            "Both axes are logarithmic. Bands are 95% confidence intervals; dashed lines are fits, and n^1.9 in the "
            "legend is their average growth between the lengths measured.",
            "两轴均为对数刻度。色带为95%置信区间；虚线为拟合，图例中的n^1.9为所测长度之间的平均增长指数。",
        ),
        panels,
        fields,
        _latency_description,
    )


def _latency_description(language: Language) -> Description:
    y = look.logarithmic("latency_ms", LATENCY[language], look.MILLISECONDS, look.ONE_TWO_FIVE)
    x, colour = look.length(language), look.colour()
    band = {"x": x, "y": {**y, "field": "latency_ms_low"}, "y2": {"field": "latency_ms_high"}, "color": colour}
    return look.described(
        280,
        [
            {"mark": {"type": "area", "opacity": 0.18, "tooltip": False, "aria": False}, "encoding": band},
            _fitted(x, {**y, "field": "fitted_ms"}),
            {
                "mark": {"type": "line", "strokeWidth": 1.8, "aria": False},
                "encoding": {"x": x, "y": y, "color": colour},
            },
            _points({"x": x, "y": y}, language, LATENCY),
        ],
        series="legend",
    )


def memory(groups: Sequence[Group]) -> list[Chart]:
    """Peak memory against length; counted, so without intervals."""
    panels = []
    for group in groups:
        records: list[Record] = []
        for name, rows in _growing(group, lambda row: bool(row.peak_memory_bytes)):
            values = [float(row.peak_memory_bytes or 0) for row in rows]
            grown = exact_slope([size_of(row.measurement.case) for row in rows], values)
            for row, fitted in zip(rows, _fit(rows, values, grown.value), strict=True):
                assert row.peak_memory_bytes is not None
                size = text(row.measurement.case[SIZE])
                records.append(
                    {
                        **_place(row, name, grown),
                        "peak_memory_bytes": row.peak_memory_bytes,
                        "fitted_bytes": fitted,
                        "label": f"{name}, {size}: {units.size(row.peak_memory_bytes)}",
                    }
                )
        panels.append(Panel(group.name, tuple(records), _extremes(records, "peak_memory_bytes", MEMORY)))
    fields = {
        "line": LINE,
        "size": look.LENGTH,
        "peak_memory_bytes": Words("peak memory (bytes)", "内存峰值（字节）"),
        "slope": Words("growth", "增长"),
    }
    return chart(
        "memory",
        Words("Peak memory by length", "内存峰值随长度的变化"),
        Words(
            "Inputs, KV cache, output and workspace at the peak, counted by the allocator.",
            "峰值时的输入、KV缓存、输出与工作区，由分配器精确计数。",
        ),
        panels,
        fields,
        _memory_description,
    )


def _memory_description(language: Language) -> Description:
    y = look.logarithmic("peak_memory_bytes", MEMORY[language], look.BYTES, look.FOURFOLD, base=2)
    x, colour = look.length(language), look.colour()
    return look.described(
        280,
        [
            _fitted(x, {**y, "field": "fitted_bytes"}),
            {
                "mark": {"type": "line", "strokeWidth": 1.8, "aria": False},
                "encoding": {"x": x, "y": y, "color": colour},
            },
            _points({"x": x, "y": y}, language, MEMORY),
        ],
        series="legend",
    )


def _fitted(x: look.Encoding, y: look.Encoding) -> Mapping[str, Any]:
    mark = {"type": "line", "strokeDash": [3, 4], "strokeWidth": 1, "opacity": 0.7, "aria": False}
    return {"mark": mark, "encoding": {"x": x, "y": y, "color": look.colour()}}


def _points(place: Mapping[str, Any], language: Language, title: Words) -> Mapping[str, Any]:
    mark = {"type": "point", "filled": True, "size": 55, "opacity": 1}
    return {"mark": mark, "encoding": {**place, **look.lines(), **look.on_hover(language, title)}}


def _growing(group: Group, has: Callable[[Row], bool]) -> Iterator[tuple[str, list[Row]]]:
    """The lines of a group with two lengths or more, of rows that have a figure."""
    for name, line in group.lines.items():
        rows = [row for row in line if has(row)]
        if len({size_of(row.measurement.case) for row in rows} - {0.0}) > 1:
            yield name, rows


def _fit(rows: Sequence[Row], values: Sequence[float], exponent: float) -> list[float]:
    """The fitted line at each length: through the middle of the logarithms."""
    logs = [math.log(size_of(row.measurement.case)) for row in rows]
    middle, level = statistics.fmean(logs), statistics.fmean(map(math.log, values))
    return [math.exp(level + exponent * (x - middle)) for x in logs]


def _place(row: Row, line: str, grown: Estimate) -> dict[str, Any]:
    case = row.measurement.case
    low, high = grown.low, grown.high
    exponent = f"{grown.value:.2f}"
    ends = "" if low is None or high is None or low == high else f" [{low:.2f}, {high:.2f}]"
    return {
        "case": case.id,
        "line": line,
        "legend": f"{line}  n^{exponent}",
        "slope": f"n^{exponent}{ends}",
        "size": case[SIZE],
    }


def _extremes(records: Sequence[Record], field: str, what: Words) -> Words:
    """Lines, lengths, and the least and greatest figure at the greatest length."""
    if not records:
        return Words("", "")
    sizes = sorted({record["size"] for record in records})
    last = [record for record in records if record["size"] == sizes[-1]]
    least, most = (pick(last, key=lambda record: record[field])["label"] for pick in (min, max))
    count = len({record["line"] for record in records})
    return Words(
        f"{units.counted(count, 'variant')}, lengths {sizes[0]} to {sizes[-1]}. Lowest {what.en} at the greatest "
        f"length: {least}; highest: {most}.",
        f"{count}个变体，长度{sizes[0]}至{sizes[-1]}。最大长度处{what.zh}最低：{least}；最高：{most}。",
    )
