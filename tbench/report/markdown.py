"""The report as Markdown: what was measured, where, how, the table, and how to repeat it."""

from __future__ import annotations

from tbench.analysis.run import Run
from tbench.charts.model import Panel
from tbench.charts.run import present
from tbench.report import facts
from tbench.report.model import table
from tbench.report.sections import sections
from tbench.tables.markdown import blocks, bullets, escaped


def render(run: Run) -> str:
    """`report.md`: title, environment, the charts in the run's folder, table with notes, warnings, how it was measured,
    the command."""
    parts = [f"# {escaped(facts.title(run))}"]
    parts.append(bullets(f"**{label}**: {escaped(value)}" for label, value in facts.environment(run)))
    if images := [
        f"![{_alternative(chart.title.en, panel)}]({path.as_posix()})" for path, chart, panel in present(run)
    ]:
        parts += ["## Charts", "\n".join(images)]
    parts.append("## Results")
    for name, rows in sections(run):
        model = table(rows)
        if name:
            parts.append(f"### {escaped(name)}")
        if model.caption:
            parts.append(f"All rows: {escaped(model.caption)}")
        parts += blocks(model)
    if warnings := facts.warnings(run):
        parts += ["## Warnings", bullets(map(escaped, warnings))]
    if method := facts.method(run):
        parts += ["## How it was measured", bullets(map(escaped, method))]
    if command := facts.command(run):
        parts += ["## Measure it again", f"```sh\n{command}\n```"]
    return "\n\n".join(parts) + "\n"


def _alternative(title: str, panel: Panel) -> str:
    """The picture in words, for who cannot see it; brackets would end it."""
    words = ". ".join(filter(None, (title, panel.name, panel.summary.en)))
    return escaped(words).replace("[", "(").replace("]", ")")
