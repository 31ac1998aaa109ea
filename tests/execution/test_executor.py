"""Kernels of the user's own in real workers: found from a folder on, and every failure a status with a reason."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tbench.execution.executor import At, WorkerFailed
from tbench.execution.local import LocalExecutor
from tbench.execution.plan import Group
from tbench.execution.rounds import measure_group
from tbench.measure import scattering
from tests.execution.fakes import draft
from tests.execution.test_local import FAST, attention

KERNELS = """\
import torch
import torch.nn.functional as F

def attend(q, k, v, causal):
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
def acausal(q, k, v, causal):
    return F.scaled_dot_product_attention(q, k, v)
def raises(q, k, v, causal):
    raise RuntimeError("no such day")
def inside(q, k, v, causal):
    return torch.cat((q, k[0]))
def none(q, k, v, causal): ...
def half(q, k, v, causal):
    return attend(q, k, v, causal).half()
def short(q, k, v, causal):
    return q[:, :, 1:]
def detached(q, k, v, causal):
    return attend(q, k, v, causal).detach()
def wrapped(*args, **options):
    return three(*args, **options)
def three(q, k, v): ...
def alone(q):
    return q.shape
def refuses(problem):
    from tbench.errors import Unsupported
    raise Unsupported("only on Sundays")
"""


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with LocalExecutor() as local:
        yield local


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "kernels.py").write_text(KERNELS)
    return tmp_path


def probed(executor: LocalExecutor, folder: Path, kernel: str, phase: str = "forward") -> str:
    """What ran. Raises WorkerFailed."""
    worker = At(executor, folder).start()
    try:
        case = attention(kernel)
        return str(worker.ask("probe", 60, case=case.with_(phase=phase), seed=1))
    finally:
        worker.close()


def test_measured_like_any_other(executor: LocalExecutor, here: Path) -> None:
    cases = (attention("flash"), attention("./kernels.py:attend"), attention("./kernels.py:acausal"))
    drafts = {case: draft(case, cases[0]) for case in cases}
    flash, mine, wrong = measure_group(Group(cases, cases[0]), drafts, At(executor, here), FAST, seed=3)
    assert (flash.status, mine.status, wrong.status) == ("ok", "ok", "wrong")
    assert mine.ran == "./kernels.py:attend"
    assert mine.turns
    assert mine.memory is not None
    assert mine.memory.peak_bytes
    assert "differs from the float64 reference" in wrong.reason


def test_short_turns_do_not_make_a_fast_call_a_slow_one(executor: LocalExecutor) -> None:
    short, most = replace(FAST, turn_time=1e-5, warmup=0.05), 0
    prepare = {"sampling": short, "seed": 1, "memory_limit": None, "first": False, "expected": 1e-4}
    for _ in range(3):  # a disturbance may pass for a slow call
        worker = executor.start(attention("flash"))
        worker.ask("prepare", 60, case=attention("flash"), **prepare)
        most = max(most, worker.ask("turn", 60, round=0, turn=0, seconds=1e-5).calls)
        worker.close()
    assert most > 1


@pytest.mark.parametrize(
    ("kernel", "phase", "status", "said"),
    [
        ("raises", "forward", "error", "RuntimeError: no such day ({folder}/kernels.py:9)"),
        ("inside", "forward", "error", "({folder}/kernels.py:11)"),
        ("none", "forward", "wrong", "the result is None instead of a tensor"),
        ("none", "forward_backward", "wrong", "the result is None instead of a tensor"),
        ("half", "forward", "wrong", "the result is torch.float16 instead of torch.float32"),
        ("short", "forward_backward", "wrong", "the result is (1, 2, 63, 16) instead of (1, 2, 64, 16)"),
        ("detached", "forward_backward", "wrong", "the result has no gradient"),
        ("wrapped", "forward", "error", "unexpected keyword argument 'causal'"),
        ("wrapped", "forward", "error", "it was called as wrapped(q, k, v, causal=True)"),
        ("three", "forward", "error", "three(q, k, v) takes neither causal= nor is_causal="),
        ("alone", "forward", "error", "alone has one required argument, so it was called as a factory, with"),
        ("refuses", "forward", "unsupported", "only on Sundays"),
        ("missing", "forward", "error", "kernels.py has no 'missing'"),
    ],
)
def test_what_goes_wrong_is_a_status_with_a_reason(
    executor: LocalExecutor, here: Path, kernel: str, phase: str, status: str, said: str
) -> None:
    with pytest.raises(WorkerFailed) as failed:
        probed(executor, here, f"./kernels.py:{kernel}", phase)
    assert failed.value.status == status
    assert said.format(folder=os.path.relpath(here)) in failed.value.reason
    assert "\n" not in failed.value.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import torch\ndef attend(:\n", "bad.py:2: invalid syntax"),
        ("\nimport no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module' ({folder}/bad.py:2)"),
        ("\n\nraise ValueError('in it')\n", "ValueError: in it ({folder}/bad.py:3)"),
        ("raise SystemExit('leaves')\n", "SystemExit: leaves ({folder}/bad.py:1)"),
    ],
)
def test_a_file_that_cannot_be_run(executor: LocalExecutor, here: Path, text: str, said: str) -> None:
    (here / "bad.py").write_text(text)
    with pytest.raises(WorkerFailed) as failed:
        probed(executor, here, "./bad.py:attend")
    assert failed.value.status == "error"
    assert said.format(folder=os.path.relpath(here)) in failed.value.reason


def test_two_checkouts_side_by_side(executor: LocalExecutor, tmp_path: Path) -> None:
    """The same places in both: each worker has its own checkout's code, of files and of packages."""
    for name, kernel in (("base", "attend"), ("new", "acausal")):
        package = tmp_path / name / "src" / "mypkg"
        package.mkdir(parents=True)
        (tmp_path / name / ".git").write_text("")
        (package / "__init__.py").write_text("")
        (package / "ops.py").write_text(KERNELS + f"attn = {kernel}\n")
        (tmp_path / name / "bench").mkdir()
        (tmp_path / name / "bench" / "mine.py").write_text("from mypkg.ops import attn\n")
    for place in ("mypkg.ops:attn", "./mine.py:attn"):
        assert probed(executor, tmp_path / "base" / "bench", place) == place
        with pytest.raises(WorkerFailed, match="differs from the float64 reference"):
            probed(executor, tmp_path / "new" / "bench", place)


def test_a_worker_that_cannot_be_scattered_is_closed() -> None:
    class Failing:
        closed = False

        def ask(self, do: str, timeout: float, **arguments: Any) -> Any:
            raise WorkerFailed("timeout", do)

        def close(self) -> None:
            self.closed = True

        def kill(self) -> None: ...

    class Starting:
        worker = Failing()

        def start(self, like: Any = None, look: Any = None) -> Failing:
            return self.worker

        def close(self) -> None: ...

    starting = Starting()
    with pytest.raises(WorkerFailed, match="scatter"):
        At(starting, Path("/"), scattered=True).start()
    assert starting.worker.closed


def test_scattered_workers_have_their_memory_elsewhere(executor: LocalExecutor, here: Path) -> None:
    """Forked workers are alike to the byte, unless they are scattered."""
    (here / "kernels.py").write_text(
        "import torch\n\n"
        "def attend(q, k, v, causal):\n"
        "    large, small = torch.empty(2**22), torch.empty(64)\n"
        "    raise RuntimeError(f'{large.data_ptr()} {small.data_ptr()}')\n"
    )

    def addresses(scattered: bool) -> set[tuple[int, int]]:
        found = set()
        for _ in range(6):
            worker = At(executor, here, scattered=scattered).start()
            try:
                with pytest.raises(WorkerFailed) as failed:
                    worker.ask("probe", 60, case=attention("./kernels.py:attend"), seed=1)
            finally:
                worker.close()
            words = failed.value.reason.split("RuntimeError: ")[1].split()
            found.add((int(words[0]), int(words[1])))
        return found

    assert len({large for large, _ in addresses(True)}) > 3
    assert len({small % 4096 for _, small in addresses(True)}) > 1


def test_a_call_below_c_frames_gives_what_it_gives_and_raises_what_it_raises() -> None:
    assert [scattering.below(depth, lambda: 7) for depth in (0, 1, scattering.DEPTH)] == [7, 7, 7]
    with pytest.raises(KeyError):
        scattering.below(5, lambda: {}["nothing"])


def test_scattering_leaves_random_numbers_as_they_were() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    one, other = scattering.drawn(), scattering.drawn()
    assert random.random() == expected
    assert (len(one.blocks), one.depth, len(one.pages)) != (len(other.blocks), other.depth, len(other.pages))
    assert 0 <= one.depth < scattering.DEPTH
