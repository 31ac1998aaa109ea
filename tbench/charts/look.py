"""What charts look like: axes, marks and colours that they share. A description names no colour of its own but those
of the speed-up map, so that one configuration makes it light, dark or printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tbench.claims.model import Language, Words

Encoding = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
CASE = Words("case", "用例")
LENGTH = Words("sequence length", "序列长度")
# Where ticks may stand on logarithmic axes; those outside of the figures are not drawn.
DOUBLINGS = [2**power for power in range(4, 25)]
ONE_TWO_FIVE = [digit * 10.0**power for power in range(-6, 8) for digit in (1, 2, 5)]
DECADES = [10.0**power for power in range(-9, 7)]
FOURFOLD = [4**power for power in range(4, 22)]
# Shapes tell lines apart where colours do not.
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left"]

BYTES = (
    "datum.value >= 1073741824 ? format(datum.value / 1073741824, '~g') + ' GiB' : "
    "datum.value >= 1048576 ? format(datum.value / 1048576, '~g') + ' MiB' : "
    "datum.value >= 1024 ? format(datum.value / 1024, '~g') + ' KiB' : format(datum.value, '~g') + ' B'"
)
MILLISECONDS = (
    "datum.value >= 1000 ? format(datum.value / 1000, '~g') + ' s' : "
    "datum.value >= 1 ? format(datum.value, '~g') + ' ms' : format(datum.value * 1000, '~g') + ' µs'"
)
THOUSANDS = "datum.value >= 1024 && datum.value % 1024 == 0 ? datum.value / 1024 + 'K' : format(datum.value, '~g')"
SIZES = f"isNumber(datum.value) ? ({THOUSANDS}) : datum.value"
TIMES = "format(datum.value, '~g') + '×'"


@dataclass(frozen=True)
class Colours:
    """Colours by purpose. `lines`: can be told apart by the colour-blind (after Okabe & Ito 2008, "Color universal
    design"), darkened or lightened for contrast with the ground."""

    ink: str
    quiet: str
    grid: str
    ground: str
    lines: Sequence[str]


PAPER = Colours(
    ink="#1c2127",
    quiet="#5b6570",
    grid="#e3e6ea",
    ground="#ffffff",
    lines=("#0072b2", "#d55e00", "#007f5f", "#b5518f", "#8a6d00", "#3f8fc4", "#5b6570"),
)
NIGHT = Colours(
    ink="#e8eaed",
    quiet="#a3abb5",
    grid="#333a42",
    ground="#15181c",
    lines=("#56b4e9", "#ff8a4c", "#2fc79a", "#e29bc6", "#e5c83b", "#8fb8ff", "#a3abb5"),
)


def configuration(colours: Colours, font: str, columns: int) -> Mapping[str, Any]:
    """The Vega-Lite configuration for a ground; `columns`: of legends."""
    words = {"labelFont": font, "titleFont": font, "labelColor": colours.quiet, "titleColor": colours.quiet}
    return {
        "background": None if colours.ground.startswith("var") else colours.ground,
        "font": font,
        "view": {"stroke": None},
        "axis": {
            **words,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "domainColor": colours.quiet,
            "tickColor": colours.grid,
            "gridColor": colours.grid,
            "labelOverlap": True,
        },
        "legend": {
            **words,
            "labelFontSize": 11,
            "symbolSize": 70,
            "labelLimit": 280,
            "orient": "bottom",
            "title": None,
            "columns": columns,
        },
        "header": words,
        "text": {"color": colours.ink, "font": font, "fontSize": 11},
        "rule": {"color": colours.quiet},
        "mark": {"color": colours.lines[0]},
        "range": {"category": list(colours.lines), "symbol": SHAPES},
    }


def described(
    height: int | Mapping[str, int], layers: Sequence[Mapping[str, Any]], series: str = "", **more: Any
) -> dict[str, Any]:
    """A description of layers over the same figures, as wide as its place. `series`: the field whose values colours and
    shapes tell apart; whoever draws it names them as the domain (`with_domain`), so that both have one legend."""
    size = {"width": 420, "height": height}
    return {
        "$schema": SCHEMA,
        **size,
        "data": {"name": "figures"},
        "usermeta": {"series": series},
        "layer": list(layers),
        **more,
    }


def with_domain(description: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The description with the domain of its series. `page.js` does the same."""
    series = description["usermeta"]["series"]
    layers = []
    for layer in description["layer"]:
        encoding = {
            channel: {**one, "scale": {**one.get("scale", {}), "domain": list(names)}}
            if channel in ("color", "shape") and one.get("field") == series
            else one
            for channel, one in layer["encoding"].items()
        }
        layers.append({**layer, "encoding": encoding})
    return {**description, "layer": layers}


def length(language: Language) -> Encoding:
    """The horizontal axis of everything that grows with length."""
    axis = {"title": LENGTH[language], "labelExpr": THOUSANDS, "grid": False, "values": DOUBLINGS}
    scale = {"type": "log", "base": 2, "nice": False, "padding": 12}
    return {"field": "size", "type": "quantitative", "scale": scale, "axis": axis}


def logarithmic(field: str, title: str, labels: str, ticks: Sequence[float], **scale: Any) -> Encoding:
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"type": "log", **scale},
        "axis": {"title": title, "labelExpr": labels, "values": list(ticks)},
    }


def lines(field: str = "legend") -> dict[str, Encoding]:
    """Colour and shape by the same field, in the order of the figures, with one legend."""
    return {"color": colour(field), "shape": {**colour(field), "scale": {"range": SHAPES}}}


def colour(field: str = "legend") -> Encoding:
    return {"field": field, "type": "nominal", "sort": None, "legend": {"symbolOpacity": 1, "symbolStrokeWidth": 0}}


def on_hover(language: Language, title: Words) -> dict[str, Any]:
    """The case and its figures as text: what is shown on hover and focus, and read out."""
    return {
        "tooltip": [
            {"field": "case", "type": "nominal", "title": CASE[language]},
            {"field": "label", "type": "nominal", "title": title[language]},
        ],
        "description": {"field": "label", "type": "nominal"},
    }


def only(role: str) -> list[Mapping[str, str]]:
    """The transform that keeps the records of one role."""
    return [{"filter": f"datum.role === '{role}'"}]
