"""The store under any order of appending, saving what is in flight, being cut off anywhere and going on."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tbench.records import Measurement
from tbench.store import FINISHED, UNFINISHED, RunFolder
from tests.store.runs import HEADER_GIVEN
from tests.synthetic import attention, ok

NUMBERS = st.integers(0, 5)


def measured(number: int, again: int = 0) -> Measurement:
    return ok(attention("flash", 64 + number), 1e-3 * (1 + again), number)


class Runs(RuleBasedStateMachine):
    """`appended`: by identity, what has been appended; `flying`: what the last checkpoint holds."""

    run: RunFolder | None = None

    @initialize()
    def start(self) -> None:
        self.place = tempfile.TemporaryDirectory()
        self.path = Path(self.place.name) / "run"
        self.appended: dict[str, Measurement] = {}
        self.flying: dict[str, Measurement] = {}
        self.times = 0
        self.run = RunFolder.create(self.path, HEADER_GIVEN)

    @precondition(lambda self: self.run is not None)
    @rule(number=NUMBERS)
    def append(self, number: int) -> None:
        assert self.run is not None
        self.times += 1
        one = measured(number, self.times)
        self.run.append(one)
        self.appended[one.case.id] = one

    @precondition(lambda self: self.run is not None)
    @rule(numbers=st.sets(NUMBERS))
    def checkpoint(self, numbers: set[int]) -> None:
        assert self.run is not None
        self.times += 1
        several = [measured(number, self.times) for number in sorted(numbers)]
        self.run.checkpoint(several)
        self.flying = {one.case.id: one for one in several}

    @precondition(lambda self: self.run is not None)
    @rule(torn=st.integers(0, 400))
    def killed(self, torn: int) -> None:
        """In the middle of a line that nobody was promised, if there is one."""
        assert self.run is not None
        self.run.close()
        self.run = None
        line = (self.path / FINISHED).read_bytes().splitlines(keepends=True)[-1:]
        with (self.path / FINISHED).open("ab") as file:
            file.write(b"".join(line)[:torn].rstrip(b"\n"))

    @precondition(lambda self: self.run is None)
    @rule()
    def resume(self) -> None:
        self.run = RunFolder.resume(self.path, HEADER_GIVEN)

    @precondition(lambda self: self.run is not None)
    @rule(complete=st.booleans())
    def finish(self, complete: bool) -> None:
        assert self.run is not None
        self.run.finish("complete" if complete else "interrupted")
        self.run.close()
        self.run = None
        if complete:
            self.flying = {}

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        seen = RunFolder.open(self.path)
        assert seen.finished() == self.appended
        assert seen.unfinished() == {name: one for name, one in self.flying.items() if name not in self.appended}
        assert [*seen.finished()] == [*dict.fromkeys(one.case.id for one in self.appended.values())]
        assert (self.path / UNFINISHED).exists() or not self.flying

    def teardown(self) -> None:
        if self.run is not None:
            self.run.close()
        if hasattr(self, "place"):
            self.place.cleanup()


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
