"""What is wrong with a kernel of the user's own is said: where it is, how it was called, what came back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.components import calling
from tbench.components.workload import Malformed
from tbench.errors import KernelError, Unsupported
from tests.components.cases import attention
from tests.components.own_kernels import BOTH, FORWARD, SMALL, block, checked, put
from tests.components.small import case

BROKEN = """\
import torch
attention = 3

def three(q, k, v, mask): ...
def none(q, k, v, causal): ...
def pair(q, k, v, causal):
    return q, k
def narrow(q, k, v, causal):
    return q[..., :-1]
def wide(q, k, v, causal):
    return q.double()
def zeros(q, k, v, causal):
    return torch.zeros_like(q) + q * 0
def detached(q, k, v, causal):
    return q.detach() * 1.0
def only_q(q, k, v, causal):
    return q * 1.0
def nothing(problem): ...
def misfit(problem):
    def needs_more(q, k, v, bias): ...
    return needs_more
def refuses(problem):
    from tbench.errors import Unsupported
    raise Unsupported("only on Sundays")
def first(q, k):
    return q
def listed(x, weight):
    return [x * weight]
def broadcast(q, k, v, causal):
    return q[:1]
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("three", r"./broken.py:three: three\(q, k, v, mask\) takes neither causal= nor is_causal="),
        ("attention", "./broken.py:attention: this is an int, and a function is needed"),
        ("thre", r"broken.py has no 'thre'; did you mean 'three'\?"),
        ("nothing", r"nothing\(problem\) was called as a factory \(one required argument\) and returned None"),
        ("misfit", r"needs_more\(q, k, v, bias\) cannot be called as needs_more\(q, k, v\): missing a required"),
    ],
)
def test_what_cannot_be_set_up(home: Path, name: str, said: str) -> None:
    put(home / "broken.py", BROKEN)
    with pytest.raises(KernelError, match=said):
        checked(attention(f"./broken.py:{name}"))


def test_arguments_that_do_not_fit(home: Path) -> None:
    put(home / "broken.py", BROKEN)
    said = r"three\(q, k, v, mask\) cannot be called as three\(q, k, v\): missing a required argument: 'mask'"
    with pytest.raises(KernelError, match=said):
        checked(attention("./broken.py:three", causal=False))
    said = r"first\(q, k\) cannot be called as first\(x, w_gate, w_up, w_out\): too many"
    with pytest.raises(KernelError, match=said):
        checked(case("feedforward", **SMALL["feedforward"], kernel="./broken.py:first"))


def test_a_factory_may_refuse(home: Path) -> None:
    put(home / "broken.py", BROKEN)
    with pytest.raises(Unsupported, match="only on Sundays"):
        checked(attention("./broken.py:refuses"))


@pytest.mark.parametrize("phase", [FORWARD, BOTH])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none", "the result is None instead of a tensor"),
        ("pair", "the result is a tuple instead of a tensor"),
        ("narrow", r"the result is \(2, 4, 300, 15\) instead of \(2, 4, 300, 16\)"),
        ("wide", "the result is torch.float64 instead of torch.float32"),
    ],
)
def test_a_result_of_another_form(home: Path, name: str, said: str, phase: str) -> None:
    put(home / "broken.py", BROKEN)
    with pytest.raises(Malformed, match=said):
        checked(attention(f"./broken.py:{name}", phase=phase))


@pytest.mark.parametrize("phase", [FORWARD, BOTH])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none", "attention's result inside the block is None instead of a tensor"),
        ("narrow", r"attention's result inside the block is \(2, 4, 40, 7\) instead of \(2, 4, 40, 8\)"),
        ("wide", "attention's result inside the block is torch.float64 instead of torch.float32"),
        (
            "broadcast",
            r"is \(1, 4, 40, 8\) instead of \(2, 4, 40, 8\)|an input has no gradient",
        ),
    ],
)
def test_a_result_of_another_form_inside_a_block(home: Path, name: str, said: str, phase: str) -> None:
    put(home / "broken.py", BROKEN)
    with pytest.raises(Malformed, match=said):
        checked(block(phase, f"./broken.py:{name}", batch=2))


@pytest.mark.parametrize("phase", [FORWARD, BOTH])
@pytest.mark.parametrize(
    ("component", "axes", "name", "said"),
    [
        ("position", {"encoding": "rope"}, "first", r"1 result instead of 2 \(q, k\)"),
        ("norm", {"norm": "rmsnorm"}, "first", None),
        ("norm", {"norm": "rmsnorm"}, "listed", "the result is a list instead of a tensor"),
    ],
)
def test_a_result_of_another_form_where_rows_are_worked_on(
    home: Path, component: str, axes: dict[str, str], name: str, said: str | None, phase: str
) -> None:
    put(home / "broken.py", BROKEN)
    of = case(component, phase, **SMALL[component], **axes, kernel=f"./broken.py:{name}")
    if said is None and phase == FORWARD:  # the right form, and the wrong numbers
        assert not checked(of).passed
        return
    with pytest.raises(Malformed, match=said or "an input has no gradient"):
        checked(of)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("detached", "the result has no gradient"),
        ("only_q", "an input has no gradient"),
    ],
)
def test_a_result_without_gradients(home: Path, name: str, said: str) -> None:
    put(home / "broken.py", BROKEN)
    with pytest.raises(Malformed, match=said):
        checked(attention(f"./broken.py:{name}", phase=BOTH))


def test_wrong_numbers_are_found_as_in_any_kernel(home: Path) -> None:
    put(home / "broken.py", BROKEN)
    assert not checked(attention("./broken.py:zeros")).passed
    assert not checked(block(FORWARD, "./broken.py:zeros")).passed


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("def f(:\n", KernelError, r"bad.py:1: invalid syntax"),
        ("\nimport no_such_module_at_all\n", ModuleNotFoundError, "no_such_module_at_all"),
        ("raise ValueError('at import')\n", ValueError, "at import"),
    ],
)
def test_a_file_that_cannot_be_run(home: Path, text: str, error: type[Exception], said: str) -> None:
    put(home / "bad.py", text)
    for _ in range(2):  # it is not half there afterwards
        with pytest.raises(error, match=said):
            checked(attention("./bad.py:f"))


def test_files_and_modules_that_are_not_there(home: Path) -> None:
    with pytest.raises(KernelError, match=rf"./no.py:f: there is no file {home}/no.py"):
        checked(attention("./no.py:f"))
    put(home / "thing" / "__init__.py", "")
    for name, missing in (("no_such_package.ops", "no_such_package"), ("thing.ops", "thing.ops")):
        with pytest.raises(KernelError, match=f"there is no module '{missing}': not in {home}, and not installed"):
            checked(attention(f"{name}:f"))


def test_python_s_own_words_are_completed(home: Path) -> None:
    """What a `TypeError` at the call leaves out: which function, and how it was called."""
    put(home / "wrapped.py", "def attend(*args, **more):\n    return inner(*args, **more)\ndef inner(q, k, v): ...\n")
    with pytest.raises(TypeError) as caught:
        checked(attention("./wrapped.py:attend"))
    assert calling.remark(caught.value) == "; it was called as attend(q, k, v, causal=True)"
    assert calling.remark(ValueError("another")) == ""
    put(home / "broken.py", "def alone(scores):\n    return scores.shape\n")
    with pytest.raises(AttributeError) as other:
        checked(case("position", **SMALL["position"], encoding="alibi", kernel="./broken.py:alone"))
    said = "alone has one required argument, so it was called as a factory, with the Position"
    assert said in calling.remark(other.value)
