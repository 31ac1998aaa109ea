"""`tbench table`: the article's comparison table, with what was measured and a verdict beside every claim."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tbench.analysis.run import Run
from tbench.claims import Assessment, article, assess
from tbench.claims.formats import FORMATS, text
from tbench.claims.model import LANGUAGES, Language
from tbench.claims.render import explain as explained
from tbench.errors import StoreError, UsageError
from tbench.store import RunFolder
from tbench.tables.formats import chosen


def table(runs: Sequence[str], lang: str = "en", format: str = "text", explain: str | None = None) -> int:
    """Print the table of `runs`, or how the verdict on one claim came about. Raises UsageError and StoreError.

    Without runs: of the suite that was started last below `results/`; if there is none, of the run that was; if there
    is none, with nothing measured.
    """
    language = next((known for known in LANGUAGES if known == lang), None)
    if language is None:
        raise UsageError(f"--lang {lang}: unknown language (choose from {', '.join(LANGUAGES)})")
    made = chosen(format, FORMATS)
    known = article()
    claim = known.claim(explain) if explain is not None else None
    if explain is not None and claim is None:
        raise UsageError(
            f"--explain {explain}: no such claim (choose from {', '.join(one.id for one in known.claims)})"
        )
    read = [Run.read(folder) for folder in runs or newest(Path("results"))]
    assessments = assess(known, read)
    if claim is not None:
        sys.stdout.write(explained(next(one for one in assessments if one.claim is claim), language))
    else:
        sys.stdout.write(made(known, assessments, language, read))
    return 0


def show(assessments: Sequence[Assessment], runs: Sequence[Run], language: Language) -> None:
    """Print the table, as wide as the terminal is."""
    sys.stdout.write(text(article(), assessments, language, runs))


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
