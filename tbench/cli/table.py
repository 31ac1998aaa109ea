"""`tbench table`: the article's comparison table, with what was measured and a verdict beside every claim."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tbench.analysis.run import Run
from tbench.claims import SEVERAL, Assessment, article, assess
from tbench.claims.formats import DETAILED, FORMATS
from tbench.claims.model import LANGUAGES, Article, Language
from tbench.claims.render import explain as explained
from tbench.cli.output import warn
from tbench.errors import StoreError, UsageError
from tbench.store import RunFolder
from tbench.tables.formats import chosen
from tbench.tables.printable import printable

HTML = "html"


def table(
    runs: Sequence[str], lang: str = "en", format: str = "text", explain: str | None = None, details: bool = False
) -> int:
    """Print the table of `runs`, or how the verdict on a claim, or on those of a row, came about. Raises UsageError and
    StoreError.

    Without runs: of the suite that was started last below `results/`; if there is none, of the run that was; if there
    is none, with nothing measured.
    """
    language = next((known for known in LANGUAGES if known == lang), None)
    if language is None:
        raise UsageError(f"--lang {lang}: unknown language (choose from {', '.join(LANGUAGES)})")
    made = chosen(format, {**(DETAILED if details else FORMATS), HTML: html})
    known = article()
    asked = [] if explain is None else [one for one in known.claims if explain.lower() in (one.id.lower(), one.row)]
    if explain is not None and not asked:
        raise UsageError(
            f"--explain {explain}: no such claim (choose from {', '.join(one.id for one in known.claims)}) or row "
            f"({', '.join(row.id for row in known.rows)})"
        )
    read = [Run.read(folder) for folder in runs or newest(Path("results"))]
    for run in read:
        if len(run.device_types) > 1:
            warn(f"{run.folder}: {SEVERAL}")
    assessments = assess(known, read)
    if asked:
        found = [explained(one, language) for one in assessments if one.claim in asked]
        sys.stdout.write(printable("\n".join(found)))  # a run may be a stranger's
    else:
        sys.stdout.write(made(known, assessments, language, read))
    return 0


def html(known: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run]) -> str:
    """As a page, with every claim below; its library is imported only when it is asked for."""
    from tbench.page import headline

    return headline.render(known, assessments, language, runs)


def newest(results: Path) -> list[str]:
    """The run folder below `results` that was started last, if there is one, and one of a suite before any other: it
    says more of the table. Folders that cannot be read are passed over."""
    found: list[tuple[bool, str, str]] = []
    for file in results.glob("**/run.json"):
        with suppress(StoreError):
            header = RunFolder.open(file.parent).header
            suite = bool((header.get("scenario") or {}).get("parts"))
            found.append((suite, str(header.get("started", "")), str(file.parent)))
    if not found:
        return []
    folder = max(found)[-1]
    print(f"table of {folder}; pass run folders for others", file=sys.stderr)
    return [folder]
