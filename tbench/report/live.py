"""What is shown while a run goes on: a table filling in and the time left, on a terminal; else a line per case.

Nothing is drawn by a timer: the screen changes only when the run calls, which it does between turns, so that drawing
never takes time from what is being measured.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TextIO

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tbench.analysis.axes import varying, word
from tbench.analysis.derive import Row, derive
from tbench.listener import Listener
from tbench.records import Case, Measurement
from tbench.tables import units
from tbench.tables.printable import printable

REDRAW_SECONDS = 0.1
ROWS = 16  # on the screen
STATE_WIDTH = len("round 12: set-up")
SPEEDUP_WIDTH = len("10.82× [10.6, 11.1]")
# The prediction counts as much as this many measured cases.
TRUST_IN_PREDICTION = 3.0
MOST_BASELINES = 256  # that are remembered: of the groups in progress, on as many machines


@dataclass
class Shown:
    """A case on the screen: what it is doing, or what became of it."""

    state: str = ""
    row: Row | None = None


class Progress(Listener):
    """Shows it on a terminal. `console` writes to standard error by default; `quiet` leaves only warnings."""

    def __init__(
        self,
        console: Console | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False, force_terminal=can_redraw(sys.stderr))
        self.quiet = quiet
        self.clock = clock
        self._live: Live | None = None
        self._total = 0
        self._finished = 0
        self._predicted: float | None = None
        self._began = self._last_done = self._last_drawn = clock()
        self._shown: dict[Case, Shown] = {}
        self._names: dict[Case, str] = {}
        self._baselines: dict[str, Measurement] = {}

    def start(self, cases: int, seconds: float | None) -> None:
        self._total, self._predicted = cases, seconds
        self._began = self._last_done = self.clock()
        if self.console.is_terminal and not self.console.is_dumb_terminal and not self.quiet:
            self._live = Live(console=self.console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()

    def warn(self, message: str) -> None:
        """Print a warning, above the table."""
        self.console.print(Text(printable(f"warning: {message}"), style="yellow"), soft_wrap=True)

    def begin(self, cases: Sequence[Case]) -> None:
        self._shown.update({case: Shown("waiting") for case in cases})
        self._draw(now=True)

    def update(self, case: Case, state: str) -> None:
        self._shown.setdefault(case, Shown()).state = state
        self._draw()

    def done(self, measurement: Measurement) -> None:
        """A case has its result. Those that were never begun (left out by the plan) do not count as progress."""
        case = measurement.case
        if measurement.baseline == case.id:
            self._baselines[case.id] = measurement
            forget(self._baselines, MOST_BASELINES)
        if case in self._shown:
            self._finished += 1
            self._last_done = self.clock()
        base = self._baselines.get(measurement.baseline or "")
        row = derive([measurement] if base is None or base is measurement else [measurement, base])[0]
        self._shown[case] = Shown(row=row)
        finished = [one for one, shown in self._shown.items() if shown.row is not None]
        for one in finished[:-ROWS]:
            del self._shown[one]
        if self._live is None and not self.quiet:
            line = f"{self._count()} {case.id}: {outcome(row)}{self._left()}"
            self.console.print(Text(printable(line)), soft_wrap=True)
        self._draw(now=True)

    def finish(self) -> None:
        """The terminal is as it was. Calling it twice is harmless."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def seconds_left(self) -> float | None:
        """From the pace so far and the prediction; None while there is neither."""
        pace = 0.0
        weight = float(self._finished)
        if self._finished:
            pace = self._last_done - self._began
        if self._predicted is not None and self._total:
            pace += TRUST_IN_PREDICTION * self._predicted / self._total
            weight += TRUST_IN_PREDICTION
        if not weight:
            return None
        since = self.clock() - self._last_done
        return max(pace / weight * (self._total - self._finished) - since, 0.0)

    def _left(self) -> str:
        left = self.seconds_left()
        return "" if left is None or self._finished >= self._total else f" (about {clock_time(left)} left)"

    def _count(self) -> str:
        return f"[{self._finished}/{self._total}]"

    def _draw(self, now: bool = False) -> None:
        if self._live is None:
            return
        if now or self.clock() - self._last_drawn >= REDRAW_SECONDS:
            self._last_drawn = self.clock()
            self._live.update(Group(self._table(), self._bar()), refresh=True)

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=False)
        room = max(self.console.width - STATE_WIDTH - SPEEDUP_WIDTH - 6, 10)  # 6: between the columns
        table.add_column("case", overflow="ellipsis", no_wrap=True, max_width=room)
        table.add_column("latency", justify="right", no_wrap=True, min_width=STATE_WIDTH)
        table.add_column("speed-up", no_wrap=True, min_width=SPEEDUP_WIDTH)
        last = max(min(ROWS, self.console.height - 5), 1)
        if self._names.keys() != self._shown.keys():  # every case may have another label beside new ones
            self._names = dict(zip(self._shown, labels([*self._shown]), strict=True))
        for case in [*islice(reversed(self._shown), last)][::-1]:
            name, shown = self._names[case], self._shown[case]
            if shown.row is None:
                table.add_row(Text(name), Text(shown.state, style="dim"), "")
            else:
                table.add_row(Text(name), _latency(shown.row), _speedup(shown.row))
        return table

    def _bar(self) -> Table:
        line = Table.grid(padding=(0, 1))
        left = self.seconds_left()
        ending = "" if left is None else f"about {clock_time(left)} left"
        bar = ProgressBar(total=max(self._total, 1), completed=self._finished, width=30)
        line.add_row(Text(self._count()), bar, Text(clock_time(self.clock() - self._began)), Text(ending, style="dim"))
        return line


def can_redraw(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can draw over what it shows. Colours asked for (`FORCE_COLOR`) do not make a
    log one."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")


def forget(kept: dict[str, Measurement], most: int) -> None:
    """Drop the oldest, so that a run of any length needs the same memory."""
    while len(kept) > most:
        del kept[next(iter(kept))]


def labels(cases: Sequence[Case]) -> list[str]:
    """Cases in few words: the axes in which they differ, or the whole identity where they do not."""
    apart = varying(cases)
    return [" ".join(filter(None, (word(name, case.get(name)) for name in apart))) or case.id for case in cases]


def outcome(row: Row) -> str:
    """What became of a case, on a line: `12.3 ms ±1.2%, 6.9× [6.7, 7.1]`, or its status and why."""
    if row.measurement.findings:
        return "done"
    if row.latency is None:
        reason = row.reasons[0].text if row.reasons else ""
        return f"{row.status}: {reason}"
    words = _latency(row).plain
    compared = _speedup(row).plain
    return f"{words}, {compared}" if compared else words


def clock_time(seconds: float) -> str:
    """`0:42`, `12:05`, `1:02:03`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _latency(row: Row) -> Text:
    if row.latency is None:
        return Text(
            outcome(row) if row.status == "ok" else row.status,
            style="dim" if row.status in ("ok", "unsupported") else "red",
        )
    if row.printed_latency is None:
        return Text("too noisy", style="dim")
    return Text(f"{units.duration(row.latency)} {units.plus_minus(row.latency.relative_half_width)}".rstrip())


def _speedup(row: Row) -> Text:
    if row.speedup is None:
        return Text("")
    if row.measurement.baseline == row.measurement.case.id:
        return Text("baseline")
    return Text("—" if row.printed_speedup is None else units.times(row.printed_speedup))
