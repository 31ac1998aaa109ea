"""Workers on this machine: starts the fork server, hands out workers, tells how one died."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from tbench.catalog import get as get_component
from tbench.errors import UsageError
from tbench.execution.executor import WorkerFailed
from tbench.records import Case
from tbench.threads import worker_threads

PROFILER_CHATTER = "USDT:"  # torch's profiler writes such lines to stderr whatever happens
BOOT_SECONDS = 120.0  # importing torch from a cold disk
WAIT_SECONDS, LOOK_SECONDS = 30.0, 30.0
WARM_SECONDS = 300.0  # compiling for the first time
MOST_BYTES = 256 * 2**20  # of one answer
STALLED_SECONDS = 30  # without a byte, in the middle of an answer
MOST_TEMPLATES = 8  # at a time: each holds what it has imported and compiled


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


class Server:
    """The parent's end of a fork server, or of a template made of one. `log`: where all its processes write to."""

    def __init__(self, control: socket.socket, log: IO[bytes]) -> None:
        self.control, self.log = control, log
        self._turn = threading.Lock()  # question and answer belong together, whichever thread asks
        self._ready = False

    def fork(self) -> LocalWorker:
        """A fresh worker process. Raises UsageError."""
        channel, pid = self._sent(b"fork")
        return LocalWorker(self, pid, connection(channel))

    def split(self) -> tuple[Server, int]:
        """A copy of the server, and its pid."""
        control, pid = self._sent(b"split")
        return Server(control, self.log), pid

    def warm(self, timeout: float, *requests: tuple[str, Mapping[str, Any]]) -> None:
        """Have the server itself answer requests as a worker does. Raises WorkerFailed, as LocalWorker.ask does."""
        ours, theirs = socket.socketpair()
        with theirs, self._turn, self._listening():
            socket.send_fds(self.control, [b"warm"], [theirs.fileno()])
        channel = connection(ours)
        try:
            for do, arguments in requests:
                channel.send((do, dict(arguments)))
                received(channel, timeout)
        except (EOFError, OSError):  # a worker of the case will say what is the matter
            raise WorkerFailed("error", "the template did not answer") from None
        finally:
            channel.close()
        with self._turn:
            if self._receive(WAIT_SECONDS).strip() != b"warm":
                raise WorkerFailed(
                    "error", "the template cannot be forked: threads were left in it, or it has used CUDA"
                )

    def wait(self, pid: int) -> int:
        """Wait status of a process that has ended or is about to."""
        with self._turn, self._listening():
            self.control.sendall(b"wait %d" % pid)
            return int(self._receive(WAIT_SECONDS))

    def boot(self) -> None:
        """Wait until it can be asked, the first time."""
        with self._turn:
            if not self._ready:
                self._receive(BOOT_SECONDS)
                self._ready = True

    def log_tail(self, start: int = 0) -> str:
        """Last line workers wrote to stdout or stderr from offset `start` on (a crash often says why there)."""
        self.log.seek(max(start, self.log.seek(0, os.SEEK_END) - 4096))
        lines = [line.strip() for line in self.log.read().decode(errors="replace").splitlines()]
        said = [line for line in lines if line and not line.startswith(PROFILER_CHATTER)]
        return said[-1] if said else ""

    def log_size(self) -> int:
        return self.log.seek(0, os.SEEK_END)

    def _sent(self, message: bytes) -> tuple[socket.socket, int]:
        """Our end of a new socket whose other end went with the message, and the pid that was answered."""
        ours, theirs = socket.socketpair()
        with theirs, self._turn, self._listening():
            socket.send_fds(self.control, [message], [theirs.fileno()])
            return ours, int(self._receive(WAIT_SECONDS))

    def _receive(self, timeout: float) -> bytes:
        self.control.settimeout(timeout)
        try:
            answer = b""
            while not answer.endswith(b"\n"):
                part = self.control.recv(64)
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
            "here, that this user may start more processes and that nothing kills them. A run that had begun is saved: "
            "continue it with --resume"
        )


class LocalExecutor:
    """Forks workers from a server that has already imported torch. Use as a context manager.

    `modules`: imported by the server too, e.g. because they register variants. `python`: another interpreter, with
    its own torch; tbench itself is this one there too, so that both are measured by the same code. `templates`: what
    every worker of a case would do again (compile its code, import its kernel's modules) is done once, in a copy of the
    server that they are then forked from.
    """

    def __init__(
        self,
        threads: int | None = None,
        modules: Sequence[str] = (),
        python: str | None = None,
        templates: bool = False,
    ) -> None:
        self.threads, self.templates = threads or worker_threads(), templates
        environment = worker_environment(self.threads)
        self._engine: tempfile.TemporaryDirectory[str] | None = None
        if python is not None:
            self._engine = tempfile.TemporaryDirectory(prefix="tbench-")
            (Path(self._engine.name) / "tbench").symlink_to(Path(__file__).parent.parent)
            environment["PYTHONPATH"] = os.pathsep.join(
                [self._engine.name, *filter(None, [environment.get("PYTHONPATH")])]
            )
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close())
        self._built: set[Case] = set()  # on a GPU
        self._made: dict[Hashable, tuple[Server, int] | None] = {}  # templates; None: it could not be made
        self._root, self._server = self.launched(python or sys.executable, tuple(modules), environment)

    def launched(
        self, python: str, modules: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[Server, subprocess.Popen[bytes]]:
        """A new server process, which need not be ready yet."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [python, "-P", "-m", "tbench.execution.forkserver", str(theirs.fileno()), *modules],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C reaches the parent only, which then ends the workers in order
            )
        return Server(ours, self._log), process

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, like: Case | None = None, look: Mapping[str, Any] | None = None) -> LocalWorker:
        self._root.boot()
        worker = (self.template(like, look) or self._root).fork()
        if look is not None:
            try:
                worker.ask("look_in", LOOK_SECONDS, **look)
            except BaseException:
                worker.close()
                raise
        return worker

    def template(self, case: Case | None, look: Mapping[str, Any] | None) -> Server | None:
        """The server to fork a case's workers from, where much of what they need can be made before."""
        if not self.templates or case is None:
            return None
        variant = get_component(case.component).variant_of(case)
        if case.device != "cpu" and (variant.preload or variant.requires) and case not in self._built:
            self._built.add(case)
            self.build(case, look)
        if not (variant.place or (variant.preload and case.device == "cpu")):
            return None  # to compile for a GPU, a template would have to use it, and its forks then could not
        key = (variant.place, *(look or {}).values()) if variant.place else case
        if key not in self._made:
            while len(self._made) >= MOST_TEMPLATES:
                self.drop(next(iter(self._made)))
            self._made[key] = self.warmed(case, look, call=not variant.place)
        made = self._made[key] = self._made.pop(key)  # the latest used is the last
        return made[0] if made is not None else None

    def build(self, case: Case, look: Mapping[str, Any] | None) -> None:
        """Have a process of its own compile what a case needs on a GPU: compilers and packages keep it on disk, so that
        no round's set-up has to, nor runs into its time limit. What goes wrong is told by the first round."""
        worker = self._root.fork()
        try:
            if look is not None:
                worker.ask("look_in", LOOK_SECONDS, **look)
            worker.ask("warm", WARM_SECONDS, case=case, call=True)
        except WorkerFailed:
            pass
        finally:
            worker.close()

    def warmed(self, case: Case, look: Mapping[str, Any] | None, call: bool) -> tuple[Server, int] | None:
        """A new template; None where it cannot be made: a worker of the case will then say why."""
        server, pid = self._root.split()
        requests = [("look_in", look)] if look is not None else []
        try:
            server.warm(WARM_SECONDS, *requests, ("warm", {"case": case, "call": call}))
        except (WorkerFailed, UsageError):
            self.end(server, pid)
            return None
        return server, pid

    def drop(self, key: Hashable) -> None:
        made = self._made.pop(key)
        if made is not None:
            self.end(*made)

    def end(self, server: Server, pid: int) -> None:
        server.control.close()
        end_group(pid)
        self._root.wait(pid)

    def close(self) -> None:
        for made in self._made.values():
            if made is not None:
                made[0].control.close()
        self._root.control.close()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()
        if self._engine is not None:
            self._engine.cleanup()


class LocalWorker:
    """The parent's end of one worker process."""

    def __init__(self, executor: Server, pid: int, channel: Connection) -> None:
        self.pid = pid
        self._executor = executor
        self._channel = channel
        self._open = True
        self._log_start = executor.log_size()

    def ask(self, do: str, timeout: float, **arguments: Any) -> Any:
        try:
            self._channel.send((do, arguments))
            return received(self._channel, timeout)
        except TimeoutError:
            self.close()
            raise WorkerFailed("timeout", f"{do} did not end within {timeout:g} s") from None
        except (EOFError, ConnectionError):
            raise self._post_mortem(do) from None
        except OSError:
            raise self._nonsense(do) from None

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
        end_group(self.pid)

    def _nonsense(self, do: str) -> WorkerFailed:
        self.close()
        return WorkerFailed("error", f"sent something that is not an answer during {do}")

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
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            if number == signal.SIGKILL:
                return WorkerFailed("oom", f"killed by the system during {do} (SIGKILL), most likely out of memory")
            return WorkerFailed("error", f"crashed with {name} during {do}" + (f": {said}" if said else ""))
        return WorkerFailed("error", f"ended with exit code {os.waitstatus_to_exitcode(status)} during {do}: {said}")


def connection(ours: socket.socket) -> Connection:
    """Our end of a channel to a worker; reading it fails where an answer has begun and does not go on."""
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", STALLED_SECONDS, 0))
    return Connection(ours.detach())


def received(channel: Connection, timeout: float) -> Any:
    """A worker's answer. Raises WorkerFailed as it says; TimeoutError; EOFError and ConnectionError where it has ended;
    OSError for what is no answer: a kernel has found the channel and writes to it, or it is larger than any."""
    if not channel.poll(timeout):
        raise TimeoutError
    message = channel.recv_bytes(MOST_BYTES)
    try:
        outcome, *answer = pickle.loads(message)
        failed = WorkerFailed(*answer) if outcome == "failed" else None
        result = None if failed else answer[0]
    except Exception:  # a kernel may have written it, and unpickling raises whatever it likes
        raise OSError("not an answer") from None
    if failed is not None:
        raise failed
    return result


def end_group(pid: int) -> None:
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    """Whether the process still runs (a zombie, waiting to be reaped by the server, does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
