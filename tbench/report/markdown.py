"""The report as Markdown: what was measured, where, how, the table, and how to repeat it."""

from __future__ import annotations

from tbench.analysis.run import Run
from tbench.report import facts
from tbench.report.model import table
from tbench.tables.markdown import bullets, escaped, pipe_table


def render(run: Run) -> str:
    """`report.md`: title, environment, table with notes, warnings, how it was measured, the command."""
    model = table(run.rows)
    parts = [f"# {escaped(facts.title(run))}"]
    parts.append(bullets(f"**{label}**: {escaped(value)}" for label, value in facts.environment(run)))
    parts.append("## Results")
    if model.constants:
        parts.append(f"All rows: {escaped(model.constants)}")
    parts.append(pipe_table(model))
    parts += [escaped(remark) for remark in model.remarks]
    if model.notes:
        parts.append("\n".join(f"{number}. {escaped(note)}" for number, note in enumerate(model.notes, start=1)))
    if warnings := facts.warnings(run):
        parts += ["## Warnings", bullets(map(escaped, warnings))]
    if method := facts.method(run):
        parts += ["## How it was measured", bullets(map(escaped, method))]
    if command := facts.command(run):
        parts += ["## Measure it again", f"```sh\n{command}\n```"]
    return "\n\n".join(parts) + "\n"
