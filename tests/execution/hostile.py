"""Variants that do what kernels do on bad days. `hostile_server` registers them where workers are forked."""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tbench.catalog import get
from tbench.errors import Unsupported

ATTENTION = get("attention")


Factory = Callable[[Any], Callable[..., Any]]
VARIANTS: dict[str, tuple[str, Factory]] = {}


def hostile(name: str, about: str) -> Callable[[Factory], Factory]:
    def keep(factory: Factory) -> Factory:
        VARIANTS[name] = (about, factory)
        return factory

    return keep


def register() -> None:
    for name, (about, factory) in VARIANTS.items():
        ATTENTION.variant(name, about=about)(factory)


@contextmanager
def registered() -> Iterator[None]:
    """Known to this process too, for formulas and scenarios, while it lasts."""
    register()
    try:
        yield
    finally:
        for name in VARIANTS:
            del ATTENTION.variants[name]


def naive(problem: Any) -> Callable[..., Any]:
    return ATTENTION.variants["naive"].factory(problem)


@hostile("test-segfault", about="dies of a signal when called")
def segfault(problem: Any) -> Callable[..., Any]:
    return lambda *_: os.kill(os.getpid(), signal.SIGSEGV)


@hostile("test-wild-pointer", about="reads where nothing is")
def wild_pointer(problem: Any) -> Callable[..., Any]:
    return lambda *_: ctypes.string_at(0)


@hostile("test-hang-in-c", about="never returns, and lets no other thread of Python run")
def hang_in_c(problem: Any) -> Callable[..., Any]:
    return lambda *_: ctypes.PyDLL(None).pause()


@hostile("test-leaks", about="keeps 64 MiB of every call")
def leaks(problem: Any) -> Callable[..., Any]:
    import torch

    attend, kept = naive(problem), []

    def attend_and_keep(q: Any, k: Any, v: Any) -> Any:
        kept.append(torch.ones(2**24))
        return attend(q, k, v)

    return attend_and_keep


@hostile("test-prints", about="writes to standard output, by every way there is")
def prints(problem: Any) -> Callable[..., Any]:
    attend = naive(problem)

    def attend_and_print(q: Any, k: Any, v: Any) -> Any:
        print("a line of the kernel's")
        os.write(1, b"another\n")
        os.write(2, b"and one\n")
        return attend(q, k, v)

    return attend_and_print


@hostile("test-forks", about="forks a child that stays, and goes on")
def forks(problem: Any) -> Callable[..., Any]:
    attend = naive(problem)
    forked = []

    def attend_and_fork(q: Any, k: Any, v: Any) -> Any:
        if not forked:
            forked.append(subprocess.Popen(STARTED))
            if os.fork() == 0:
                time.sleep(3600)
        return attend(q, k, v)

    return attend_and_fork


@hostile("test-threads", about="changes the number of threads at every call")
def threads(problem: Any) -> Callable[..., Any]:
    import torch

    attend = naive(problem)

    def attend_on_one(q: Any, k: Any, v: Any) -> Any:
        torch.set_num_threads(1)
        return attend(q, k, v)

    return attend_on_one


@hostile("test-floods", about="writes to the channel that answers go through")
def floods(problem: Any) -> Callable[..., Any]:
    def attend_and_write(*_: Any) -> Any:
        for handle in range(3, 64):
            with suppress(OSError):
                if stat.S_ISSOCK(os.fstat(handle).st_mode):
                    os.write(handle, b"\x00\x00\x00\x04junk")
        time.sleep(3600)

    return attend_and_write


@hostile("test-killed", about="is killed, as by the system when memory runs out")
def killed(problem: Any) -> Callable[..., Any]:
    return lambda *_: os.kill(os.getpid(), signal.SIGKILL)


@hostile("test-nameless", about="ends by a signal that has no name")
def nameless(problem: Any) -> Callable[..., Any]:
    return lambda *_: os.kill(os.getpid(), 40)


@hostile("test-exit", about="leaves the process")
def leaves(problem: Any) -> Callable[..., Any]:
    return lambda *_: os._exit(3)


STARTED = ("sleep", "3601")  # seconds nobody else asks for


@hostile("test-starts", about="starts a process and never comes back")
def starts(problem: Any) -> Callable[..., Any]:
    def call(*_: Any) -> None:
        subprocess.Popen(STARTED)
        time.sleep(3600)

    return call


@hostile("test-hang", about="never returns")
def hang(problem: Any) -> Callable[..., Any]:
    return lambda *_: time.sleep(3600)


@hostile("test-raises", about="raises in the kernel")
def raises(problem: Any) -> Callable[..., Any]:
    def attend(*_: Any) -> Any:
        raise RuntimeError("no kernel image is available\nsecond line")

    return attend


@hostile("test-unsupported", about="says in words why it cannot")
def unsupported(problem: Any) -> Callable[..., Any]:
    raise Unsupported("needs a full moon")


@hostile("test-oom", about="asks for more memory than there is")
def out_of_memory(problem: Any) -> Callable[..., Any]:
    import torch

    return lambda *_: torch.ones(1 << 42)


@hostile("test-wrong", about="returns something else")
def wrong(problem: Any) -> Callable[..., Any]:
    attend = naive(problem)
    return lambda q, k, v: attend(q, k, v) * 1.01


@hostile("test-nan", about="returns NaN")
def nan(problem: Any) -> Callable[..., Any]:
    attend = naive(problem)
    return lambda q, k, v: attend(q, k, v) * float("nan")


@hostile("test-cached", about="returns its first result for ever")
def cached(problem: Any) -> Callable[..., Any]:
    attend = naive(problem)
    results: list[Any] = []

    def attend_once(q: Any, k: Any, v: Any) -> Any:
        if not results:
            results.append(attend(q, k, v).clone())
        return results[0]

    return attend_once


@hostile("test-sets-state", about="leaves settings of the process changed")
def sets_state(problem: Any) -> Callable[..., Any]:
    import torch

    attend = naive(problem)

    def attend_and_set(q: Any, k: Any, v: Any) -> Any:
        if torch.get_float32_matmul_precision() != "highest" or torch.get_default_dtype() != torch.float32:
            raise RuntimeError("finds what an earlier call has left")
        torch.set_float32_matmul_precision("medium")
        torch.set_default_dtype(torch.float64)
        return attend(q, k, v)

    return attend_and_set


class Untold(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not that either")


@hostile("test-untold", about="raises what cannot be told in words")
def untold(problem: Any) -> Callable[..., Any]:
    def attend(*_: Any) -> Any:
        raise Untold

    return attend


@hostile("test-shouts", about="raises what would write over a terminal")
def shouts(problem: Any) -> Callable[..., Any]:
    def attend(*_: Any) -> Any:
        raise RuntimeError("\x1b[2Jgone\x07 \x9b31m\rnothing happened")

    return attend


@hostile("test-writes", about="writes over its keys after it has used them")
def writes(problem: Any) -> Callable[..., Any]:
    attend = naive(problem)

    def attend_and_write(q: Any, k: Any, v: Any) -> Any:
        out = attend(q, k, v)
        k.data[0, 0, 0, 0] += 1
        return out

    return attend_and_write


@hostile("test-turns-nan", about="is right at first and no number once it has been timed")
def turns_nan(problem: Any) -> Callable[..., Any]:
    attend = naive(problem)
    calls = [0]

    def attend_at_first(q: Any, k: Any, v: Any) -> Any:
        calls[0] += 1
        return attend(q, k, v) * (1.0 if calls[0] < 5 else float("nan"))

    return attend_at_first


@hostile("test-turns-wrong", about="is right at first and wrong once it has been timed")
def turns_wrong(problem: Any) -> Callable[..., Any]:
    attend = naive(problem)
    calls = [0]

    def attend_then_cheat(q: Any, k: Any, v: Any) -> Any:
        calls[0] += 1
        return attend(q, k, v) if calls[0] < 5 else q

    return attend_then_cheat
