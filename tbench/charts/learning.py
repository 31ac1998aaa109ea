"""Charts of trained models: loss while they learn, and loss at positions beyond the trained length."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tbench.analysis.derive import Row
from tbench.charts import look
from tbench.charts.model import Chart, Description, Panel, Record, chart
from tbench.claims.model import Language, Words
from tbench.claims.quality import mean_estimate
from tbench.claims.trial import trials
from tbench.records import text
from tbench.tables.numbers import significant

ARM = Words("model", "模型")
LOSS = Words("held-out loss (nats per byte)", "验证损失（nats/字节）")


def curves(rows: Sequence[Row]) -> list[Chart]:
    """Loss against training steps: every run thin, the mean of a model's runs thick."""
    panels = [
        Panel(name, tuple(record for row in arms for record in _curve(row)), _lowest(arms))
        for name, arms in _experiments(rows).items()
        if any(row.measurement.findings.get("curve_losses") for row in arms)
    ]
    fields = {"line": ARM, "step": Words("step", "步"), "loss": LOSS, "runs": Words("runs", "训练次数")}
    return chart(
        "curves",
        Words("Loss while training", "训练过程中的损失"),
        Words(
            "Thin lines are single training runs, thick ones the mean of a model's runs while none has diverged.",
            "细线为单次训练，粗线为同一模型各次训练的均值（所有训练均未发散时）。",
        ),
        panels,
        fields,
        _curves_description,
    )


def _curve(row: Row) -> Iterator[Record]:
    case, found = row.measurement.case, row.measurement.findings
    line = text(case.get("arm") or "")
    steps, losses = found.get("curve_steps") or (), found.get("curve_losses") or ()
    for number, (at, values) in enumerate(zip(steps, losses, strict=True)):
        yield {
            "role": "run",
            "case": case.id,
            "line": line,
            "run": number,
            "steps": list(at),
            "losses": list(values),
        }
    for step, values in _by_step(steps, losses).items():
        mean = statistics.fmean(values)
        label = f"{line}, {step}: {mean:.3f} (n={len(values)})"
        yield {
            "role": "mean",
            "case": case.id,
            "line": line,
            "step": step,
            "loss": mean,
            "runs": len(values),
            "label": label,
        }


def _by_step(steps: Sequence[Sequence[int]], losses: Sequence[Sequence[float | None]]) -> dict[int, list[float]]:
    """Losses of all runs by step, at steps where every run has one."""
    found: dict[int, list[float]] = {}
    for at, values in zip(steps, losses, strict=False):
        for step, value in zip(at, values, strict=False):
            if isinstance(value, int | float) and math.isfinite(value):
                found.setdefault(int(step), []).append(float(value))
    return {step: values for step, values in sorted(found.items()) if len(values) == len(losses)}


def _curves_description(language: Language) -> Description:
    y: dict[str, Any] = {
        "field": "loss",
        "type": "quantitative",
        "scale": {"zero": False},
        "axis": {"title": LOSS[language]},
    }
    x: dict[str, Any] = {
        "field": "step",
        "type": "quantitative",
        "axis": {"title": Words("step", "步")[language], "grid": False},
    }
    hue = look.colour("line")
    single = {
        "transform": [*look.only("run"), {"flatten": ["steps", "losses"], "as": ["step", "loss"]}],
        "mark": {"type": "line", "strokeWidth": 0.8, "opacity": 0.45, "aria": False},
        "encoding": {"x": x, "y": y, "color": hue, "detail": {"field": "run", "type": "nominal"}},
    }
    mean = {"transform": look.only("mean"), "mark": {"type": "line", "strokeWidth": 2.4, "aria": False}}
    points = {
        "transform": look.only("mean"),
        "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
        "encoding": {"x": x, "y": y, **look.lines("line"), **look.on_hover(language, LOSS)},
    }
    return look.described(280, [single, {**mean, "encoding": {"x": x, "y": y, "color": hue}}, points], series="line")


def positions(rows: Sequence[Row]) -> list[Chart]:
    """Loss against position, in trained lengths."""
    panels = []
    for name, arms in _experiments(rows).items():
        records = tuple(record for row in arms for record in _windows(row))
        if len({record["at"] for record in records}) > 1:
            panels.append(Panel(name, records, _longest(records)))
    fields = {
        "line": ARM,
        "at": Words("position (trained lengths)", "位置（训练长度的倍数）"),
        "loss": LOSS,
        "loss_low": Words("95% from", "95%下限"),
        "loss_high": Words("to", "上限"),
    }
    return chart(
        "positions",
        Words("Loss by position", "损失随位置的变化"),
        Words(
            "Mean loss of the window that ends at each multiple of the trained length, over seeds, with 95% "
            "confidence intervals. Right of 1 the models see positions they were not trained on.",
            "在训练长度各倍数处结束的窗口的平均损失（多个种子的均值及95%置信区间）。1的右侧是训练时未见过的位置。",
        ),
        panels,
        fields,
        _positions_description,
    )


def _windows(row: Row) -> Iterator[Record]:
    case = row.measurement.case
    taken = trials(row.measurement)
    line = text(case.get("arm") or "")
    for multiple in sorted({float(at) for trial in taken for at in trial.windows}):
        losses = [loss for trial in taken if (loss := trial.loss_at(multiple)) is not None]
        if len(losses) < len(taken):
            continue
        mean = mean_estimate(losses, "seeds")
        shown = significant(mean.value, mean.low, mean.high)
        yield {
            "case": case.id,
            "line": line,
            "at": multiple,
            "loss": mean.value,
            "loss_low": mean.low,
            "loss_high": mean.high,
            "label": f"{line}, {multiple:g}×: {shown} (n={len(losses)})",
        }


def _positions_description(language: Language) -> Description:
    title = Words("position, in trained lengths", "位置（训练长度的倍数）")[language]
    x = {
        "field": "at",
        "type": "quantitative",
        "axis": {"title": title, "labelExpr": look.TIMES, "grid": False, "values": [1, 1.5, 2, 3, 4, 6, 8]},
    }
    y: dict[str, Any] = {
        "field": "loss",
        "type": "quantitative",
        "scale": {"zero": False},
        "axis": {"title": LOSS[language]},
    }
    hue = look.colour("line")
    band = {"x": x, "y": {**y, "field": "loss_low"}, "y2": {"field": "loss_high"}, "color": hue}
    points = {
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
        "encoding": {"x": x, "y": y, **look.lines("line"), **look.on_hover(language, LOSS)},
    }
    line = {"mark": {"type": "line", "strokeWidth": 1.8, "aria": False}, "encoding": {"x": x, "y": y, "color": hue}}
    return look.described(
        280,
        [{"mark": {"type": "area", "opacity": 0.15, "aria": False, "tooltip": False}, "encoding": band}, line, points],
        series="line",
    )


def _experiments(rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    """Trained models by experiment."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        case = row.measurement.case
        if case.component == "training" and row.status == "ok" and case.get("arm") is not None:
            found.setdefault(text(case.get("experiment") or ""), []).append(row)
    return found


def _lowest(arms: Sequence[Row]) -> Words:
    ends = {
        text(row.measurement.case["arm"]): float(loss)
        for row in arms
        if isinstance(loss := row.measurement.findings.get("loss"), int | float) and math.isfinite(loss)
    }
    if not ends:
        return Words("No run ended with a finite loss.", "没有训练得到有限的损失。")
    best, worst = (pick(ends, key=ends.__getitem__) for pick in (min, max))
    return Words(
        f"Loss at the end: {best} {ends[best]:.3f} at best, {worst} {ends[worst]:.3f} at worst.",
        f"最终损失：最低{best} {ends[best]:.3f}，最高{worst} {ends[worst]:.3f}。",
    )


def _longest(records: Sequence[Record]) -> Words:
    farthest = max(record["at"] for record in records)
    last = [record for record in records if record["at"] == farthest]
    best, worst = (pick(last, key=lambda record: record["loss"])["label"] for pick in (min, max))
    return Words(f"Lowest: {best}; highest: {worst}.", f"最低：{best}；最高：{worst}。")
