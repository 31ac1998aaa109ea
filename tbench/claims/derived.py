"""The table as files of a run folder, where the run has anything to say about a claim."""

from __future__ import annotations

from tbench.analysis.run import Run
from tbench.claims.assess import Assessment, assess
from tbench.claims.formats import markdown
from tbench.claims.loader import article
from tbench.claims.model import Language
from tbench.store import write_file

FILES: dict[str, Language] = {"table.md": "en", "table.zh.md": "zh"}


def write_table(run: Run) -> list[Assessment]:
    """Write `table.md` and `table.zh.md` into the run folder, in place of older ones, where the run says something of
    a claim. Returns what it says of each: nothing where there is none to judge. Raises StoreError."""
    known = article()
    assessments = assess(known, [run])
    if not any(regime.judged for one in assessments for regime in one.results):
        return []
    for name, language in FILES.items():
        write_file(run.folder / name, markdown(known, assessments, language, [run]))
    return assessments
