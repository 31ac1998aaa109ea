"""pyperf's JSON 1.0: a case is a benchmark, a process a run of it, whose values are the samples in seconds per call.

Source: https://pyperf.readthedocs.io/en/latest/api.html and pyperf's own reader (`_bench.py`, `_metadata.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tbench.analysis.run import Run
from tbench.analysis.turns import sampled_seconds
from tbench.records import Turn
from tbench.report.exchange.cases import processes, timed
from tbench.tables.json import dumps


def render(run: Run) -> str:
    """`{"version", "metadata", "benchmarks"}`, as `python -m pyperf show` and `compare_to` read it."""
    started = run.header.get("started")
    benchmarks = [
        {
            "metadata": {"name": row.measurement.case.id, "unit": "second"},
            "runs": list(_runs(row.measurement.turns, started)),
        }
        for row, _ in timed(run.rows)
    ]
    document = {"version": "1.0", "metadata": _machine(run), "benchmarks": benchmarks}
    return dumps(document, indent=None, ascii=True)


def _runs(turns: Iterable[Turn], started: Any) -> Iterator[dict[str, Any]]:
    for process in processes(turns):
        # A process keeps its number of calls. Should one not, its parts are runs: a run has one number of loops.
        for calls in dict.fromkeys(turn.calls for turn in process):
            same = [turn for turn in process if turn.calls == calls]
            metadata = {"duration": sampled_seconds(same), "loops": calls}
            if started:  # of the whole run: when each process began is not recorded
                metadata = {"date": started, **metadata}
            yield {
                "metadata": metadata,
                "warmups": [],
                "values": [second for turn in same for second in turn.seconds],
            }


def _machine(run: Run) -> dict[str, int | str]:
    """What all runs share. pyperf refuses empty texts and texts of several lines."""
    here = run.environment
    facts = {
        "cpu_model_name": here.cpu,
        "device": f"{here.device} ({here.device_name})",
        "platform": here.platform,
        "python_version": here.python,
        "torch_version": here.torch,
    }
    texts = {name: " ".join(fact.split()) for name, fact in facts.items()}
    return {"cpu_count": here.cores, "threads": here.threads, **{name: text for name, text in texts.items() if text}}
