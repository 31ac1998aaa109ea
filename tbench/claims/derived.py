"""The table as files of a run folder, where the run has anything to say about a claim."""

from __future__ import annotations

from tbench.analysis.run import Run
from tbench.claims.assess import assess
from tbench.claims.formats import markdown
from tbench.claims.loader import article
from tbench.claims.model import Language
from tbench.store import write_file

FILES: dict[str, Language] = {"table.md": "en", "table.zh.md": "zh"}


def feeds_table(run: Run) -> bool:
    """Whether some claim can be judged by this run."""
    return any(regime.judged for one in assess(article(), [run]) for regime in one.results)


def write_table(run: Run) -> None:
    """Write `table.md` and `table.zh.md` into the run folder, in place of older ones. Raises StoreError."""
    known = article()
    assessments = assess(known, [run])
    for name, language in FILES.items():
        write_file(run.folder / name, markdown(known, assessments, language, [run]))
