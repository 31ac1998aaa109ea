"""Real worker processes: whatever happens inside one becomes a status with a reason, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tbench.errors import UsageError
from tbench.execution.executor import WorkerFailed
from tbench.execution.local import LocalExecutor, connection, received, worker_environment
from tbench.execution.plan import Group
from tbench.execution.rounds import measure_group
from tbench.records import Case, Measurement, Sampling
from tbench.threads import worker_threads
from tests.execution import hostile
from tests.execution.fakes import draft

FAST = Sampling(
    target=1.0, min_time=0.0, max_time=0.5, min_rounds=2, max_rounds=2, warmup=0.0, turns=2, turn_time=0.002
)


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with hostile.registered(), LocalExecutor(threads=2, modules=["tests.execution.hostile_server"]) as local:
        yield local


def attention(kernel: str, **axes: Any) -> Case:
    values = {"batch": 1, "seq_len": 64, "heads": 2, "kv_heads": 2, "head_dim": 16, "causal": True, "pattern": "full"}
    return Case("attention", "forward", "cpu", "float32", tuple({**values, **axes, "kernel": kernel}.items()))


def measure(executor: LocalExecutor, *kernels: str, sampling: Sampling = FAST, **more: Any) -> list[Measurement]:
    cases = tuple(attention(kernel) for kernel in kernels)
    drafts = {case: draft(case, cases[0]) for case in cases}
    return measure_group(Group(cases, cases[0]), drafts, executor, sampling, seed=3, **more)


def test_a_case_is_measured_checked_and_weighed(executor: LocalExecutor) -> None:
    naive, flash = measure(executor, "naive", "flash")
    for one in (naive, flash):
        assert one.status == "ok"
        assert one.error is not None
        assert one.error < 1e-5
        assert len(one.turns) == 4
        assert all(second > 0 for turn in one.turns for second in turn.seconds)
        assert one.memory is not None
        assert one.memory.peak_bytes
        assert {"setup", "first_call", "check", "warmup", "memory", "overhead"} <= one.costs.keys()
    assert naive.ran == "naive"


GOES_WRONG = [
    ("test-segfault", "error", "SIGSEGV"),
    ("test-wild-pointer", "error", "SIGSEGV"),
    ("test-floods", "error", "sent something that is not an answer during prepare"),
    ("test-killed", "oom", "SIGKILL"),
    ("test-nameless", "error", "crashed with signal 40"),
    ("test-exit", "error", "exit code 3"),
    ("test-raises", "error", "RuntimeError: no kernel image is available (tests/execution/hostile.py:"),
    ("test-unsupported", "unsupported", "needs a full moon"),
    ("test-oom", "oom", "memory"),
    ("test-wrong", "wrong", "differs from the float64 reference by 0.01"),
    ("test-nan", "wrong", "nan"),
    ("test-cached", "wrong", "reference"),
    ("test-turns-wrong", "wrong", "reference"),
    ("test-turns-nan", "wrong", "differs from the float64 reference by nan"),
    ("test-writes", "wrong", "overwrites its input k"),
    ("test-untold", "error", "Untold, whose message cannot be read"),
    ("test-shouts", "error", "RuntimeError: gone"),
]


@pytest.fixture(scope="module")
def beside_each_other(executor: LocalExecutor) -> dict[str, Measurement]:
    """One group of everything that goes wrong, and naive."""
    kernels = ("naive", *(kernel for kernel, _, _ in GOES_WRONG))
    return dict(zip(kernels, measure(executor, *kernels), strict=True))


@pytest.mark.parametrize(("kernel", "status", "said"), GOES_WRONG)
def test_what_goes_wrong_is_one_row(
    beside_each_other: dict[str, Measurement], kernel: str, status: str, said: str
) -> None:
    bad = beside_each_other[kernel]
    assert (bad.status, beside_each_other["naive"].status) == (status, "ok")
    assert said in bad.reason
    assert bad.reason.isprintable()


@pytest.mark.parametrize("sent", [b"\0\0\0\x40half", b"\0\0\0\4junk", b"\x7f\xff\xff\xff"])
def test_what_is_no_answer_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not go on, one that is not tbench's, one that is larger than any."""
    monkeypatch.setattr("tbench.execution.local.STALLED_SECONDS", 1)
    ours, theirs = socket.socketpair()
    with theirs, closing(connection(ours)) as channel:
        theirs.sendall(sent)
        with pytest.raises(OSError):
            received(channel, 10)


def test_settings_that_a_kernel_leaves_changed_are_put_back_and_noted(executor: LocalExecutor) -> None:
    naive, one = measure(executor, "naive", "test-sets-state")
    assert (one.status, one.reason) == ("ok", "")
    (note,) = set(one.notes) - set(naive.notes)
    assert note == (
        "changes the default dtype, the float32 matmul precision without restoring it; restored after every call, "
        "within its time"
    )


def test_a_kernel_that_leaks_ends_at_the_memory_limit(executor: LocalExecutor) -> None:
    short = Sampling(**{**vars(FAST), "turn_time": 1.0, "max_time": 5.0})
    (bad,) = measure(executor, "test-leaks", sampling=short, memory_limit=700 << 20)
    assert bad.status == "oom"


def test_what_a_kernel_prints_goes_nowhere(executor: LocalExecutor, capfd: pytest.CaptureFixture[str]) -> None:
    (one,) = measure(executor, "test-prints")
    assert one.status == "ok"
    assert capfd.readouterr() == ("", "")


def test_threads_that_a_kernel_changes_are_put_back_and_noted(executor: LocalExecutor) -> None:
    naive, one = measure(executor, "naive", "test-threads")
    assert (naive.status, one.status) == ("ok", "ok")
    assert any("number of threads" in note for note in one.notes)


def test_what_a_kernel_forked_ends_with_its_worker(executor: LocalExecutor) -> None:
    (one,) = measure(executor, "test-forks")
    assert one.status == "ok"
    deadline = time.monotonic() + 20
    while started() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not started()


def test_a_server_that_is_killed_ends_the_run_in_words_and_leaves_no_worker() -> None:
    with LocalExecutor() as local:
        worker = local.start()
        local._server.kill()
        local._server.wait()
        with pytest.raises(UsageError, match=r"the worker server did not answer.*--resume"):
            worker.close()
        with pytest.raises(UsageError, match="--resume"):
            local.start()
    deadline = time.monotonic() + 20
    while running(worker.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(worker.pid)


def test_page_faults_are_told_on_a_cpu(executor: LocalExecutor) -> None:
    (one,) = measure(executor, "naive")
    assert all(turn.faults is not None and turn.faults >= 0 for turn in one.turns)


@pytest.mark.parametrize("kernel", ["test-hang", "test-hang-in-c"])
def test_a_hang_ends_at_the_time_limit(executor: LocalExecutor, kernel: str) -> None:
    naive, bad = measure(executor, "naive", kernel, sampling=Sampling(**{**vars(FAST), "timeout": 2.0}))
    assert (bad.status, naive.status) == ("timeout", "ok")
    assert "2 s" in bad.reason


def test_what_a_kernel_started_ends_with_its_worker(executor: LocalExecutor) -> None:
    (bad,) = measure(executor, "test-starts", sampling=Sampling(**{**vars(FAST), "timeout": 2.0}))
    assert bad.status == "timeout"
    deadline = time.monotonic() + 20
    while started() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not started()


def started() -> list[int]:
    words = b"\0".join(word.encode() for word in hostile.STARTED) + b"\0"
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if file.read_bytes() == words:
                found.append(int(file.parent.name))
    return [pid for pid in found if running(pid)]


def test_memory_is_limited_in_the_worker(executor: LocalExecutor) -> None:
    worker = executor.start()
    big = attention("naive", seq_len=4096, heads=8)  # two score matrices of 512 MiB
    with pytest.raises(WorkerFailed, match="memory") as failed:
        worker.ask("prepare", 60, case=big, sampling=FAST, seed=1, memory_limit=600 << 20, first=True)
    assert failed.value.status == "oom"
    worker.close()


def test_a_closed_worker_is_gone(executor: LocalExecutor) -> None:
    worker = executor.start()
    worker.close()
    worker.close()
    assert not Path(f"/proc/{worker.pid}").exists()


def test_workers_end_with_the_process_that_started_them() -> None:
    program = (
        "import sys, time\n"
        "from tbench.execution.local import LocalExecutor\n"
        "executor = LocalExecutor()\n"
        "print(executor.start().pid, executor._server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while any(running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if running(pid)]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_threads_come_from_the_user_or_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert worker_threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert worker_threads() == len(os.sched_getaffinity(0))
    assert worker_environment(3)["OMP_NUM_THREADS"] == "3"


def test_how_threads_wait_is_up_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Left alone, as in any program; said by the user, it reaches the workers."""
    for name in ("OMP_WAIT_POLICY", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
        assert name not in worker_environment(3)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert worker_environment(3)["OMP_WAIT_POLICY"] == "ACTIVE"
