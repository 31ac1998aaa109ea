"""The server process workers are forked from: torch is imported once, a case starts in milliseconds.

Run as `python -m tbench.execution.forkserver FD [MODULE…]`. FD is a Unix stream socket to the parent; each request
is one byte string, some carry the file descriptor of a channel. MODULEs are imported beside tbench's own before the
first fork (they may register variants). The server itself never computes anything, so that no thread pool and no CUDA
context exists when it forks.

    parent → server   b"fork" + channel        server → parent   pid of the worker on that channel
    parent → server   b"split" + socket        server → parent   pid of a copy of this server on that socket
    parent → server   b"warm" + channel        server → parent   b"warm", once the channel is closed and no thread of it
                                                                 is left and forks may use a GPU; b"busy" otherwise
    parent → server   b"wait PID"              server → parent   wait status (blocks until that worker ended)

A copy that has been warmed is a *template*: it answers the channel as a worker does, but in a thread that ends, and
then forks workers which have what that made (compiled code, imported modules) from their first moment. OpenMP's threads
belong to the thread that has used them, so they end with it, and a fork copies none.

Each worker is a process group of its own: what a kernel starts ends with its worker. When the parent is gone the
socket closes: the server kills what it started and ends.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

LONGEST_END = 5.0  # seconds for threads to end


def main(descriptor: int, modules: Sequence[str]) -> None:
    # Everything heavy is imported before the first fork; `serve` is what a worker then runs.
    gc.disable()
    from tbench.execution.worker import preload, serve

    preload()
    for module in modules:
        importlib.import_module(module)
    if modules and poisoned():
        begin_again(descriptor)
    # What is imported stays: neither the server nor its forks look through it for garbage, which would also give each
    # fork pages of its own.
    gc.freeze()
    gc.enable()
    control = socket.socket(fileno=descriptor)
    control.sendall(b"ready\n")
    while (copy := answer(control, serve)) is not None:
        control = copy
    sys.stderr.flush()
    os._exit(0)  # to take torch down again would be most of a second, for which the user waits


def poisoned() -> bool:
    """Whether forked children could not use a GPU, because something has asked the CUDA runtime for devices here.

    Importing the compiler does, where it cannot ask NVML instead: with MIG slices in CUDA_VISIBLE_DEVICES, without
    NVML, on ROCm. Only a child can tell.
    """
    from tbench.execution.worker import bad_fork, for_gpus

    if not for_gpus():
        return False
    pid = os.fork()
    if pid == 0:
        os._exit(bad_fork())
    return os.waitpid(pid, 0)[1] != 0


def begin_again(descriptor: int) -> NoReturn:
    """Become a server that has imported nothing beside tbench's own: every worker does it for itself."""
    os.set_inheritable(descriptor, True)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "tbench.execution.forkserver", str(descriptor)])


def answer(control: socket.socket, serve: Callable[[Connection], None]) -> socket.socket | None:
    """Answer requests until the parent closes the socket. Returns in a copy, with the socket it is to answer on."""
    children: set[int] = set()
    try:
        while True:
            message, descriptors, _, _ = socket.recv_fds(control, 64, 1)
            if not message:
                return None
            if message.startswith((b"fork", b"split")):
                pid = os.fork()
                if pid == 0:
                    control.close()
                    children = set()  # the server's
                    if message.startswith(b"fork"):
                        _become_worker(descriptors[0], serve)
                    own_group(os.getpid())
                    return socket.socket(fileno=descriptors[0])
                os.close(descriptors[0])
                own_group(pid)
                children.add(pid)
                control.sendall(b"%d\n" % pid)
            elif message.startswith(b"warm"):
                before = threads_that_stay()
                thread = threading.Thread(target=serve, args=(Connection(descriptors[0]),))
                thread.start()
                thread.join()
                control.sendall(b"warm\n" if settled(before) and not poisoned() else b"busy\n")
            else:
                pid = int(message.split()[1])
                _, status = os.waitpid(pid, 0)
                children.discard(pid)
                control.sendall(b"%d\n" % status)
    finally:
        for pid in children:
            for end in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    end(pid, signal.SIGKILL)


def threads_that_stay() -> int:
    """Threads of this process, with those that PyTorch keeps as soon as their number is set (a fork makes them anew),
    and without the one that a progress bar of the compiler would leave."""
    from tbench.measure.environment import pin_threads

    pin_threads()
    with suppress(ImportError):
        importlib.import_module("tqdm").tqdm.monitor_interval = 0
    return threads()


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def settled(before: int) -> bool:
    """Wait until no more threads are left than there were: whether that came about.

    A thread that has been joined is still ending, and OpenMP's go with it: what they hold in a fork stays locked.
    """
    ends = time.monotonic() + LONGEST_END
    while threads() > before:
        if time.monotonic() > ends:
            return False
        time.sleep(1e-3)
    return True


def own_group(pid: int) -> None:
    """Make a worker a process group, so that what it starts ends with it. Server and worker do: either may be first."""
    with suppress(OSError):
        os.setpgid(pid, pid)


def _become_worker(descriptor: int, serve: Callable[[Connection], None]) -> NoReturn:
    """In the forked child: serve the channel, then leave without running the server's exit handlers."""
    status = 1
    try:
        own_group(os.getpid())
        # The machine's out-of-memory killer shall choose this process, not the one that keeps the results.
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        serve(Connection(descriptor))
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
