"""The live view: a table on a terminal, a line per case elsewhere, never a drawing by a timer."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import pytest
from rich.console import Console

from tbench.report import live
from tbench.report.live import Progress, clock_time, labels
from tests.synthetic import attention, every_status, failed, ok


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def console(terminal: bool, width: int = 100, height: int = 40) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=width, height=height, highlight=False, _environ={}), out


def played(progress: Progress) -> None:
    naive, flash = attention("naive"), attention("flash")
    progress.start(3, 30.0)
    progress.done(failed(attention("flex"), "unsupported", "needs a C++ compiler: install g++"))
    progress.begin([naive, flash])
    progress.update(naive, "round 1: set-up")
    progress.done(ok(naive, 36e-3, 1))
    progress.done(ok(flash, 6e-3, 2))
    progress.finish()


def test_elsewhere_than_on_a_terminal_a_line_per_finished_case(clock: Clock) -> None:
    where, out = console(terminal=False)
    played(Progress(where, clock=clock))
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("[0/3] attention/forward") and lines[0].endswith(
        "kernel=flex: unsupported: needs a C++ compiler: install g++ (about 0:30 left)"
    )
    assert lines[1].startswith("[1/3]") and "36.1 ms ±" in lines[1] and "baseline (about " in lines[1]
    assert lines[2].startswith("[2/3]") and "× [" in lines[2]
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_says_nothing_but_warnings(clock: Clock, terminal: bool) -> None:
    where, out = console(terminal)
    progress = Progress(where, quiet=True, clock=clock)
    played(progress)
    assert out.getvalue() == ""
    progress.warn("one thread only: set OMP_NUM_THREADS=2")
    assert "warning: one thread only: set OMP_NUM_THREADS=2" in out.getvalue()


def test_on_a_terminal_the_table_fills_in(clock: Clock) -> None:
    where, out = console(terminal=True)
    progress = Progress(where, clock=clock)
    naive, flash = attention("naive"), attention("flash")
    progress.start(2, 60.0)
    progress.begin([naive, flash])
    assert "waiting" in out.getvalue() and "[0/2]" in out.getvalue() and "about 1:00 left" in out.getvalue()
    clock.now += 1
    progress.update(naive, "round 1: turn 2")
    assert "round 1: turn 2" in out.getvalue()
    progress.done(ok(naive, 36e-3, 1))
    progress.done(ok(flash, 6e-3, 2))
    assert "36.1 ms" in out.getvalue() and "baseline" in out.getvalue() and "× [" in out.getvalue()
    assert "[2/2]" in out.getvalue() and "about 0:00 left" in out.getvalue()
    progress.finish()
    progress.finish()
    assert "\x1b[?25h" in out.getvalue()  # the cursor is back


@pytest.mark.parametrize(
    ("environment", "terminal", "redraws"),
    [
        ({"TERM": "xterm-256color"}, True, True),
        ({"TERM": "xterm-256color", "FORCE_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({}, True, False),
    ],
)
def test_only_a_terminal_that_can_redraw_is_redrawn(
    environment: dict[str, str], terminal: bool, redraws: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    for name in ("TERM", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", out := Stream())
    played(Progress())
    assert ("\x1b" in out.getvalue()) is redraws
    assert ("[2/3] attention/forward" in out.getvalue()) is not redraws


def test_labels_are_worked_out_when_there_are_new_cases_and_not_at_every_redraw(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[int] = []
    monkeypatch.setattr(live, "labels", lambda cases: worked.append(len(cases)) or labels(cases))
    progress = Progress(console(terminal=True)[0], clock=clock)
    progress.start(4, None)
    progress.begin([attention("naive"), attention("flash")])
    for turn in range(20):
        clock.now += 1
        progress.update(attention("naive"), f"turn {turn}")
    progress.begin([attention("math")])
    progress.finish()
    assert worked == [2, 3]


def test_nothing_draws_by_itself_and_not_more_often_than_a_reader_needs(clock: Clock) -> None:
    where, out = console(terminal=True)
    before = threading.active_count()
    progress = Progress(where, clock=clock)
    progress.start(2, None)
    assert threading.active_count() == before
    progress.begin([attention("naive")])
    drawn = len(out.getvalue())
    for turn in range(100):
        progress.update(attention("naive"), f"turn {turn}")
    assert len(out.getvalue()) == drawn
    clock.now += 1
    progress.update(attention("naive"), "turn 101")
    assert "turn 101" in out.getvalue()
    progress.finish()


def test_only_the_last_rows_are_shown(clock: Clock) -> None:
    where, out = console(terminal=True, height=9)
    progress = Progress(where, clock=clock)
    cases = [attention("flash", length) for length in range(1, 40)]
    progress.start(len(cases), None)
    progress.begin(cases)
    shown = out.getvalue()
    assert "seq_len=39" in shown and "seq_len=36" in shown and "seq_len=35" not in shown
    progress.finish()


def test_every_status_can_be_shown(clock: Clock) -> None:
    for terminal in (True, False):
        where, out = console(terminal)
        progress = Progress(where, clock=clock)
        progress.start(11, None)
        for measurement in every_status():
            progress.begin([measurement.case])
            progress.done(measurement)
        progress.finish()
        for status in ("unsupported", "oom", "timeout", "wrong", "error"):
            assert status in out.getvalue()


def test_a_warning_during_the_run_stands_above_the_table(clock: Clock) -> None:
    where, out = console(terminal=True)
    progress = Progress(where, clock=clock)
    progress.start(1, None)
    progress.begin([attention("flash")])
    progress.warn("[odd] the clock has changed: let the machine cool down")
    assert "warning: [odd] the clock has changed" in out.getvalue()
    progress.finish()


def test_standard_output_is_left_alone(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    where, out = console(terminal=True)
    progress = Progress(where, clock=clock)
    progress.start(1, None)
    print("data")
    progress.finish()
    assert capsys.readouterr().out == "data\n"
    assert "data" not in out.getvalue()


def test_time_left_starts_from_the_prediction_and_ends_with_the_pace(clock: Clock) -> None:
    where, _ = console(terminal=False)
    progress = Progress(where, clock=clock, quiet=True)
    progress.start(40, 400.0)
    assert progress.seconds_left() == pytest.approx(400)
    clock.now += 5
    assert progress.seconds_left() == pytest.approx(395)
    left: list[float | None] = []
    for length in range(1, 40):
        clock.now += 20  # twice what was predicted
        progress.begin([attention("flash", length)])
        progress.done(ok(attention("flash", length), 1e-3, 1))
        left.append(progress.seconds_left())
    assert left[-1] == pytest.approx(20, rel=0.1)


def test_time_left_is_not_known_without_prediction_or_result(clock: Clock) -> None:
    progress = Progress(console(False)[0], clock=clock, quiet=True)
    progress.start(2, None)
    assert progress.seconds_left() is None
    progress.begin([attention("flash")])
    clock.now += 8
    progress.done(ok(attention("flash"), 1e-3, 1))
    assert progress.seconds_left() == pytest.approx(8)


def test_labels_are_what_tells_cases_apart() -> None:
    cases = [attention("naive", 512), attention("flash", 512), attention("flash", 1024)]
    assert labels(cases) == ["seq_len=512 naive", "seq_len=512 flash", "seq_len=1024 flash"]
    assert labels(cases[:1]) == [cases[0].id]
    assert labels([]) == []


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (42.4, "0:42"), (725, "12:05"), (3723, "1:02:03")])
def test_clock_time(seconds: float, shown: str) -> None:
    assert clock_time(seconds) == shown


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before
