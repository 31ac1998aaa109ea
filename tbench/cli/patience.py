"""Ctrl-C once finishes the cases that are being measured; twice, it stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FINISHING = (
    "stopping once the cases being measured are finished; press Ctrl-C again to stop now (whole rounds are kept)"
)


@contextmanager
def patience(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Yield the question whether the user has had enough; until the block ends, the first Ctrl-C answers it.

    Where Ctrl-C is ignored (a shell's background job), or outside the main thread, nothing changes.
    """
    asked = threading.Event()
    old = signal.getsignal(signal.SIGINT)

    def first(number: int, frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, old)
        say(FINISHING)

    if old is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, old)
