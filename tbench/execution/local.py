"""Workers on this machine: starts the fork server, hands out workers, tells how one died."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from tbench.errors import UsageError
from tbench.execution.executor import WorkerFailed
from tbench.threads import worker_threads

PROFILER_CHATTER = "USDT:"  # torch's profiler writes such lines to stderr whatever happens
BOOT_SECONDS = 120.0  # importing torch from a cold disk


def worker_environment(threads: int) -> dict[str, str]:
    """Environment of the server: must be set before torch is imported.

    OpenMP waits as it does in any program: with threads that sleep at once, waking them for every parallel region
    would be most of a short kernel's time. Workers see to it that theirs sleep when another's turn comes.
    """
    count = str(threads)
    return {
        **os.environ,
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "OPENBLAS_THREAD_TIMEOUT": "4",  # numpy's threads: sleep soon, as PyTorch's do
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no compile pool inside a forked process
        # The compiler looks for GPUs when imported; through the CUDA runtime, that would keep them from forked workers.
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        "PYTHONHASHSEED": "0",
    }


class LocalExecutor:
    """Forks workers from a server that has already imported torch. Use as a context manager.

    `modules`: imported by the server too, e.g. because they register variants. `python`: another interpreter, with
    its own torch; tbench itself is this one there too, so that both are measured by the same code.
    """

    def __init__(self, threads: int | None = None, modules: Sequence[str] = (), python: str | None = None) -> None:
        self.threads = threads or worker_threads()
        environment = worker_environment(self.threads)
        self._engine: tempfile.TemporaryDirectory[str] | None = None
        if python is not None:
            self._engine = tempfile.TemporaryDirectory(prefix="tbench-")
            (Path(self._engine.name) / "tbench").symlink_to(Path(__file__).parent.parent)
            environment["PYTHONPATH"] = os.pathsep.join(
                [self._engine.name, *filter(None, [environment.get("PYTHONPATH")])]
            )
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close())
        ours, theirs = socket.socketpair()
        self._control = ours
        self._turn = threading.Lock()  # question and answer belong together, whichever thread asks
        self._ready = False
        self._server = subprocess.Popen(
            [python or sys.executable, "-P", "-m", "tbench.execution.forkserver", str(theirs.fileno()), *modules],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C reaches the parent only, which then ends the workers in order
        )
        theirs.close()

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> LocalWorker:
        with self._turn:
            if not self._ready:
                self._receive(BOOT_SECONDS)
                self._ready = True
        ours, theirs = socket.socketpair()
        with theirs, self._turn, self._listening():
            socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
            pid = int(self._receive(30.0))
        return LocalWorker(self, pid, Connection(ours.detach()))

    def wait(self, pid: int) -> int:
        """Wait status of a worker that has ended or is about to."""
        with self._turn, self._listening():
            self._control.sendall(b"wait %d" % pid)
            return int(self._receive(30.0))

    def close(self) -> None:
        self._control.close()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()
        if self._engine is not None:
            self._engine.cleanup()

    def log_tail(self, start: int = 0) -> str:
        """Last line workers wrote to stdout or stderr from offset `start` on (a crash often says why there)."""
        self._log.seek(max(start, self._log.seek(0, os.SEEK_END) - 4096))
        lines = [line.strip() for line in self._log.read().decode(errors="replace").splitlines()]
        said = [line for line in lines if line and not line.startswith(PROFILER_CHATTER)]
        return said[-1] if said else ""

    def log_size(self) -> int:
        return self._log.seek(0, os.SEEK_END)

    def _receive(self, timeout: float) -> bytes:
        self._control.settimeout(timeout)
        try:
            answer = b""
            while not answer.endswith(b"\n"):
                part = self._control.recv(64)
                if not part:
                    break
                answer += part
        except (TimeoutError, ConnectionError):
            answer = b""
        if not answer.endswith(b"\n"):
            raise self._silent()
        return answer

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """While something is sent: a dead server is not a reader who left, as BrokenPipeError means elsewhere."""
        try:
            yield
        except ConnectionError:
            raise self._silent() from None

    def _silent(self) -> UsageError:
        return UsageError(
            f"the worker server did not answer: {self.log_tail() or 'no message'}; see that torch can be imported "
            "here and that this user may start more processes"
        )


class LocalWorker:
    """The parent's end of one worker process."""

    def __init__(self, executor: LocalExecutor, pid: int, channel: Connection) -> None:
        self.pid = pid
        self._executor = executor
        self._channel = channel
        self._open = True
        self._log_start = executor.log_size()

    def ask(self, do: str, timeout: float, **arguments: Any) -> Any:
        try:
            self._channel.send((do, arguments))
            if not self._channel.poll(timeout):
                self.close()
                raise WorkerFailed("timeout", f"{do} did not end within {timeout:g} s")
            outcome, *answer = self._channel.recv()
        except (EOFError, ConnectionError):
            raise self._post_mortem(do) from None
        if outcome == "failed":
            raise WorkerFailed(*answer)
        return answer[0]

    def close(self) -> None:
        """End the process; a worker has nothing to save."""
        if not self._open:
            return
        self._open = False
        self._channel.close()
        self.kill()
        self._executor.wait(self.pid)

    def kill(self) -> None:
        """End the process and what it has started; to be called before it is reaped."""
        for end in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                end(self.pid, signal.SIGKILL)

    def _post_mortem(self, do: str) -> WorkerFailed:
        self._open = False
        self._channel.close()
        # Its channel is closed, so it is ending; give it no chance to linger.
        deadline = time.monotonic() + 5.0
        while _alive(self.pid):
            if time.monotonic() > deadline:
                self.kill()
                self._executor.wait(self.pid)
                return WorkerFailed("error", f"closed its channel during {do} and did not end")
            time.sleep(0.005)
        self.kill()  # what it has left behind
        status = self._executor.wait(self.pid)
        said = self._executor.log_tail(self._log_start)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = signal.Signals(number).name
            if number == signal.SIGKILL:
                return WorkerFailed("oom", f"killed by the system during {do} (SIGKILL), most likely out of memory")
            return WorkerFailed("error", f"crashed with {name} during {do}" + (f": {said}" if said else ""))
        return WorkerFailed("error", f"ended with exit code {os.waitstatus_to_exitcode(status)} during {do}: {said}")


def _alive(pid: int) -> bool:
    """Whether the process still runs (a zombie, waiting to be reaped by the server, does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
