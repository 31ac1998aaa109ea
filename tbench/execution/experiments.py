"""Carries out cases that are not timed, several side by side: each has a core of its own and a fresh process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from tbench.execution.executor import Executor, Worker, WorkerFailed
from tbench.records import Case, Measurement

LONGEST_SECONDS = 3 * 3600.0


def carry_out(
    cases: Sequence[Case],
    executor: Executor,
    seed: int,
    side_by_side: int,
    update: Callable[[Case, str], None] = lambda case, state: None,
    enough: Callable[[], bool] = lambda: False,
) -> Iterator[Measurement]:
    """Yield each case's measurement as it is finished. Leaving early ends the processes that still run.

    `enough`: once it says so, no further case is begun.
    """
    waiting = list(reversed(cases))
    running: dict[Future[Measurement], Worker] = {}
    with ThreadPoolExecutor(side_by_side) as pool:
        try:
            while waiting or running:
                if enough():
                    waiting.clear()
                while waiting and len(running) < side_by_side:
                    case = waiting.pop()
                    try:
                        worker = executor.start()
                    except WorkerFailed as failure:
                        yield Measurement(case, failure.status, failure.reason)
                        continue
                    update(case, "running")
                    running[pool.submit(outcome, worker, case, seed)] = worker
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    yield future.result()
        finally:
            for worker in running.values():
                worker.kill()


def outcome(worker: Worker, case: Case, seed: int) -> Measurement:
    """What became of one experiment."""
    try:
        answer = worker.ask("experiment", LONGEST_SECONDS, case=case, seed=seed)
    except WorkerFailed as failure:
        return Measurement(case, failure.status, failure.reason)
    finally:
        worker.close()
    return Measurement(case, "ok", findings=answer["findings"], costs=answer["costs"])
