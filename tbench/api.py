"""The Python interface: load a scenario, run it, read a run. The command line uses nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tbench.analysis.run import Run
from tbench.claims import SEVERAL, Assessment, article
from tbench.claims.formats import write_table
from tbench.claims.standing import standing
from tbench.errors import Interrupted, StoreError, TbenchError, UsageError
from tbench.execution import runner
from tbench.execution.runner import HERE, Where
from tbench.listener import Listener
from tbench.report import write_derived
from tbench.scenario import Scenario, load
from tbench.store import refuse_taken

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Listener", "Where", "default_folder", "load", "read_run", "run"]


def run(
    scenario: Scenario | str | Path,
    *,
    out: str | Path | None = None,
    device: str = "auto",
    select: Sequence[str] = (),
    seed: int = 0,
    resume: bool = False,
    where: Where = HERE,
    listener: Listener | None = None,
    command: Sequence[str] = (),
    claims: Callable[[list[Assessment]], None] = lambda assessments: None,
    enough: Callable[[], bool] = lambda: False,
) -> Run:
    """Measure a scenario and return the run.

    In a suite, a case is done once the article's verdicts on it stand.

    `out`: the run folder (default `results/<name>/<UTC stamp>`). `select`: terms as with `-k`. `where`: this machine,
    or a cluster. `listener`: called as the run goes on. `command`: what to note as the command that repeats the run.
    `claims`: called with what the run says of the article's claims, if it says anything. `enough`: asked between
    comparison groups; once it says so, the run ends as after Ctrl-C, with what was being measured finished. Raises
    ScenarioError, UsageError, NothingSelected, StoreError before anything is measured, and Interrupted after Ctrl-C;
    what was measured is then in the folder and `resume=True` goes on.
    """
    if not isinstance(scenario, Scenario):
        scenario = load(scenario)
    if resume and out is None:
        raise UsageError("--resume needs the run folder to continue: add -o DIR")
    if out is not None and not str(out):
        raise UsageError("-o '' is not a folder; write -o results/mine")
    folder = Path(out) if out is not None else default_folder(scenario.name)
    made = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    if not resume:
        refuse_taken(folder)  # before the wait for the device
    listener = listener or Listener()
    try:
        runner.run(
            scenario,
            folder,
            device=device,
            select=select,
            seed=seed,
            resume=resume,
            where=where,
            listener=listener,
            command=command,
            enough=enough,
            standing=partial(standing, article()) if scenario.parts else None,
        )
    except KeyboardInterrupt:
        with suppress(StoreError):  # what is there, readable
            write_all(Run.read(folder))
        raise Interrupted(f"interrupted; results so far are saved. Continue with: --resume -o {folder}") from None
    except TbenchError:
        for one in made:
            with suppress(OSError):
                one.rmdir()  # nothing was measured; where something was, it is not empty
        raise
    result = Run.read(folder)
    problem, assessments = write_all(result)
    problems = [problem]
    if scenario.parts:
        from tbench.page.run import write as write_page  # Jinja2 is for whoever gets a page

        problems.append(write_page(result, assessments))
    for problem in filter(None, problems):
        listener.warn(problem)
    if len(result.device_types) > 1:
        listener.warn(SEVERAL)
    elif assessments:
        claims(assessments)
    return result


def write_all(result: Run) -> tuple[str, list[Assessment]]:
    """Every file that can be derived from a run, in its folder. Returns why there are no charts, if there are none, and
    what the run says of the claims. Raises StoreError."""
    return write_derived(result), write_table(result)


def read_run(folder: str | Path) -> pd.DataFrame:
    """The measurements of a run folder as a DataFrame with the columns of `results.csv`."""
    return Run.read(Path(folder)).frame()


def default_folder(name: str) -> Path:
    """`results/<name>/<UTC stamp>` below the current directory."""
    return Path("results") / name / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
