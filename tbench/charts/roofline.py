"""The roofline: what every case reached, below what the machine can do (Williams et al. 2009, "Roofline")."""

from __future__ import annotations

from collections.abc import Sequence

from tbench.analysis.derive import Row
from tbench.charts import look
from tbench.charts.model import Chart, Description, Panel, Record, chart
from tbench.claims.model import Language, Words
from tbench.records import Ceilings
from tbench.tables import units

THROUGHPUT = Words("throughput", "吞吐量")
REACHED = Words("throughput · intensity · share of the roof", "吞吐量 · 强度 · 占上限比例")
RATE = "replace(format(datum.value * 1e12, '~s'), regexp('([a-zA-Z])$'), ' $1') + 'FLOP/s'"


def roofline(rows: Sequence[Row], ceilings: Ceilings | None) -> list[Chart]:
    """Every timed case with a formula for its work, below what the machine can do."""
    points: list[Record] = []
    for row in rows:
        work, case = row.measurement.work, row.measurement.case
        if row.tflops is None or work is None or not work.bytes or not row.tflops or "latency" in row.too_wide:
            continue
        intensity = work.flops / work.bytes
        share = "" if row.limit_fraction is None else f" · {units.share(row.limit_fraction)}"
        points.append(
            {
                "role": "case",
                "case": case.id,
                "legend": f"{case.component} {case.phase}".replace("_", " "),
                "intensity": intensity,
                "tflops": row.tflops,
                "limit_fraction": row.limit_fraction,
                "label": f"{units.rate(row.tflops * 1e12, 'FLOP/s', None)} · {intensity:.3g} FLOP/B{share}",
            }
        )
    if not points:
        return []
    records = (*_roofs(points, rows, ceilings), *points)
    cases = len(points)
    fields = {
        "legend": Words("part", "部件"),
        "intensity": Words("FLOP per byte", "每字节FLOP"),
        "tflops": Words("TFLOP/s", "TFLOP/s"),
        "limit_fraction": Words("share of the roof", "占上限比例"),
    }
    return chart(
        "roofline",
        Words("Roofline", "屋顶线"),
        Words(
            "Each point is a case: arithmetic it must do per byte it must move, against the rate it reached. Lines are "
            "what this machine was measured to do at best; the dashed one is memory in its fastest cache.",
            "每点为一个用例：横轴为每移动一字节所需的运算，纵轴为达到的速率。实线为本机实测上限；虚线为最快缓存的带宽。",
        ),
        [Panel("", records, Words(f"{units.counted(cases, 'case')}.", f"{cases}个用例。"))],
        fields,
        _roofline_description,
    )


def _roofs(points: Sequence[Record], rows: Sequence[Row], ceilings: Ceilings | None) -> list[Record]:
    """For each dtype that was measured, memory's slope and the flat peak, from main memory and from the best cache."""
    if ceilings is None or not ceilings.bandwidth:
        return []
    least, most = (pick(point["intensity"] for point in points) for pick in (min, max))
    main, best = ceilings.bandwidth[-1][1], max(rate for _, rate in ceilings.bandwidth)
    records: list[Record] = []
    for dtype in dict.fromkeys(row.measurement.case.dtype for row in rows if row.tflops is not None):
        peak = ceilings.peak(dtype)
        if peak is None:
            continue
        for role, rate in (("roof", main), ("cache", best)):
            ridge = peak / rate
            ends = sorted({least / 1.5, min(max(ridge, least / 1.5), most * 1.5), most * 1.5})
            for x in ends:
                records.append(
                    {
                        "role": role,
                        "roof": f"{dtype} {role}",
                        "intensity": x,
                        "tflops": min(peak, rate * x) / 1e12,
                        "label": f"{dtype}: {units.rate(peak, 'FLOP/s', None)}, {units.rate(rate, 'B/s', None)}",
                    }
                )
    return records


def _roofline_description(language: Language) -> Description:
    title = Words("arithmetic intensity (FLOP per byte)", "运算强度（FLOP/字节）")[language]
    x = look.logarithmic("intensity", title, "format(datum.value, '~g')", look.DECADES, nice=False, padding=8)
    y = look.logarithmic(
        "tflops",
        THROUGHPUT[language],
        RATE,
        look.DECADES,
        nice=False,
    )
    roofs = [
        {
            "transform": look.only(role),
            "mark": {"type": "line", "strokeWidth": 1.4, "strokeDash": dash, "color": "#7c8794", "aria": False},
            "encoding": {"x": x, "y": y, "detail": {"field": "roof", "type": "nominal"}},
        }
        for role, dash in (("roof", [1, 0]), ("cache", [4, 3]))
    ]
    points = {
        "transform": look.only("case"),
        "mark": {"type": "point", "filled": True, "size": 42, "opacity": 0.75},
        "encoding": {"x": x, "y": y, **look.lines(), **look.on_hover(language, REACHED)},
    }
    return look.described(340, [*roofs, points], series="legend")
