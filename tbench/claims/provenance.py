"""Where the figures of a table are from: a line for each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tbench.analysis.run import Run
from tbench.claims.model import Language, Words
from tbench.store.same import SAME_MACHINE

PACES = ("quick", "rigorous")
MEASURED = Words("measured on {machine}, {threads} threads, torch {torch}, {day} ({scenario})",
                 "测量环境：{machine}，{threads}线程，torch {torch}，{day}（{scenario}）")  # fmt: skip
UNLIKE = Words(
    "These runs are of different machines or software. Where two measured the same, the later one on the command line "
    "counts; compare lines with care.",
    "这些运行来自不同的机器或软件。同一用例以命令行中靠后的运行为准；比较时请谨慎。",
)
UNFINISHED = Words("not complete: {status}", "未完成：{status}")


def sources(runs: Sequence[Run], language: Language) -> Iterator[str]:
    """`measured on AMD EPYC, 2 threads, torch 2.13.0, 2026-11-26 (document, quick)`."""
    for run in runs:
        here, header = run.environment, run.header
        scenario = [str((header.get("scenario") or {}).get("name") or run.folder.name)]
        scenario += [pace for pace in PACES if f"--{pace}" in (header.get("command") or ())]
        scenario += [f"seed {header['seed']}"] if header.get("seed") else []
        if header.get("status") != "complete":
            scenario.append(UNFINISHED[language].format(status=header.get("status")))
        yield MEASURED[language].format(
            machine=here.device_name,
            threads=here.threads,
            torch=here.torch,
            day=str(header.get("started", ""))[:10],
            scenario=", ".join(scenario),
        )
    if len({tuple(str(getattr(run.environment, field)) for field in SAME_MACHINE) for run in runs}) > 1:
        yield UNLIKE[language]
