"""Kernels of the user's own: found, loaded, called as they want to be, and told what is wrong with them."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tbench.catalog import get
from tbench.components import calling, own
from tbench.components.attention import own as attention_own
from tbench.components.workload import Check, Malformed
from tbench.errors import KernelError, Unsupported
from tbench.measure import compiler
from tbench.records import Case
from tests.components.cases import attention, problem
from tests.components.small import case

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-kernel"
PAGE = (Path(__file__).parents[2] / "docs" / "variants.md").read_text(encoding="utf-8")
KERNELS = '''\
"""One of each kind."""
import torch
import torch.nn.functional as F
from tbench.components.position import kernels
from tbench.components.position.encodings import apply_rope, rope_tables

def attend(q, k, v, *, causal):
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

def windowed(q, k, v, causal=False, window=None):
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    row, key = torch.arange(q.shape[2])[:, None], torch.arange(k.shape[2])
    seen = (row >= key) if causal else torch.ones(q.shape[2], k.shape[2], dtype=torch.bool)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen & ((row - key).abs() < (window or 10**9)))

def made(problem):
    row = torch.arange(problem.queries)[:, None] + problem.first_query
    seen = problem.hold(problem.kept(row, torch.arange(problem.keys)))
    problem.notes.append("made in the factory")
    def masked(q, k, v):
        group = problem.group
        return F.scaled_dot_product_attention(
            q, k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1), attn_mask=seen
        )
    return masked

class Made:
    def __init__(self, problem):
        self.causal = problem.causal
    def __call__(self, q, k, v):
        return attend(q, k, v, causal=self.causal)

def norm(x, weight, bias=None):
    if bias is None:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weight
    return F.layer_norm(x, weight.shape, weight, bias, 1e-5)

def relu(x, w_in, w_out):
    return F.linear(F.relu(F.linear(x, w_in)), w_out)

def swiglu(x, w_gate, w_up, w_out):
    return F.linear(F.silu(F.linear(x, w_gate)) * F.linear(x, w_up), w_out)

def rope(q, k):
    cos, sin = (table[:, None] for table in rope_tables(torch.arange(q.shape[1]), q.shape[3], dtype=q.dtype))
    return apply_rope(q, cos, sin), apply_rope(k, cos, sin)

def learned(x, table):
    return x + table

def encoding(position):
    return kernels.EAGER[position.encoding](position)
'''


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A scenario's folder with kernels in it, in which this process looks until the test ends."""
    (tmp_path / "kernels.py").write_text(KERNELS)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(own, "_folder", None)
    monkeypatch.setattr(calling, "_remark", "")
    own.look_in(str(tmp_path))
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    importlib.invalidate_caches()


def checked(of: Case, seed: int = 3) -> Check:
    """Set up, called and compared, as a worker does it."""
    build = get(of.component).workload
    assert build is not None
    made = build(of, 1)
    try:
        made.call()
        found: Check = made.check(seed)
        assert made.ran == of["kernel"]
        return found
    finally:
        made.close()


def block(phase: str, kernel: str, **more: Any) -> Case:
    return case("block", phase, seq_len=40, hidden=32, heads=4, kernel=kernel, **more)


FORWARD, BOTH, DECODE = "forward", "forward_backward", "decode"
SMALL: dict[str, dict[str, Any]] = {
    "norm": {"seq_len": 20, "hidden": 24},
    "feedforward": {"seq_len": 20, "hidden": 24},
    "position": {"seq_len": 20, "heads": 4, "kv_heads": 2, "head_dim": 8},
}


# ---------------------------------------------------------------------- places


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("./a.py:f", "./a.py:f"),
        ("a.py:f", "./a.py:f"),
        ("././b/../a.py:f", "./a.py:f"),
        ("../a-b.c.py:f", "../a-b.c.py:f"),
        ("b/../../a.py:f", "../a.py:f"),
        ("/x/a.py:f", "/x/a.py:f"),
        ("a:f", "a:f"),
        ("a.b.c:f_1", "a.b.c:f_1"),
        *((text, None) for text in ("flash", "a", "a.py", "./a.py", "./a.py:", ":f", "a b:f", "./a b.py:f", "a.py:1")),
        *((text, None) for text in ("a.py:f.g", "a..b:f", "a-b:f", "a/b:f", "a,b:f", "a=b:f", "./a.py:f\n", "12:30")),
    ],
)
def test_places_have_one_spelling(text: str, canonical: str | None) -> None:
    found = own.place(text)
    assert (found and str(found)) == canonical
    if found is not None:
        assert own.place(str(found)) == found


def test_modules_come_from_the_repository_around_the_folder_and_its_src_first(tmp_path: Path) -> None:
    inside = tmp_path / "repository" / "bench" / "scenarios"
    inside.mkdir(parents=True)
    assert own.roots(inside) == [inside]
    (tmp_path / "repository" / ".git").write_text("gitdir: elsewhere")  # as in a second work tree
    assert own.roots(inside) == [tmp_path / "repository"]
    (tmp_path / "repository" / "src").mkdir()
    assert own.roots(inside) == [tmp_path / "repository" / "src", tmp_path / "repository"]
    (inside.parent / "pyproject.toml").write_text("")
    assert own.roots(inside) == [inside.parent]


# ---------------------------------------------------------------------- right


@pytest.mark.parametrize("phase", [FORWARD, BOTH, DECODE])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    "kernel",
    [
        *(f"./kernels.py:{name}" for name in ("attend", "made", "Made")),
        "torch.nn.functional:scaled_dot_product_attention",
    ],
)
def test_attention(home: Path, kernel: str, causal: bool, kv_heads: int, phase: str) -> None:
    assert checked(attention(kernel, phase=phase, kv_heads=kv_heads, causal=causal)).passed


@pytest.mark.parametrize("phase", [FORWARD, BOTH, DECODE])
@pytest.mark.parametrize("pattern", ["window:7", "window:7000", "alternating:40:2"])
@pytest.mark.parametrize("name", ["windowed", "made"])
def test_attention_with_windows(home: Path, name: str, pattern: str, phase: str) -> None:
    assert checked(attention(f"./kernels.py:{name}", phase=phase, pattern=pattern)).passed


@pytest.mark.parametrize("pattern", ["strided:24:16", "fixed:32:8"])
def test_a_factory_knows_every_pattern(home: Path, pattern: str) -> None:
    assert checked(attention("./kernels.py:made", pattern=pattern)).passed


@pytest.mark.parametrize("phase", [FORWARD, BOTH])
@pytest.mark.parametrize(
    ("component", "name", "axes"),
    [
        ("norm", "norm", {"norm": "rmsnorm"}),
        ("norm", "norm", {"norm": "layernorm"}),
        ("feedforward", "relu", {"activation": "relu"}),
        ("feedforward", "swiglu", {"activation": "swiglu"}),
        ("position", "rope", {"encoding": "rope"}),
        ("position", "learned", {"encoding": "learned"}),
        *(("position", "encoding", {"encoding": e}) for e in ("none", "learned", "sinusoidal", "rope", "alibi")),
    ],
)
def test_components_that_work_on_rows(home: Path, component: str, name: str, axes: dict[str, str], phase: str) -> None:
    assert checked(case(component, phase, **SMALL[component], **axes, kernel=f"./kernels.py:{name}")).passed


@pytest.mark.parametrize("phase", [FORWARD, BOTH, DECODE])
@pytest.mark.parametrize("name", ["attend", "made"])
def test_the_attention_inside_a_block(home: Path, name: str, phase: str) -> None:
    one = block(phase, f"./kernels.py:{name}")
    assert one["design"] == "custom"
    assert checked(one).passed


def test_what_is_known_of_it_beforehand(home: Path) -> None:
    """It may run, and holds at least what is there before the call."""
    for of in (
        attention("./kernels.py:attend"),
        block(FORWARD, "./kernels.py:attend"),
        *(case(name, **sizes, kernel="./kernels.py:x") for name, sizes in SMALL.items()),
    ):
        component = get(of.component)
        assert component.is_own(of)
        assert component.unsupported(of) is None
        assert component.predict_bytes(of) > 0
    assert not get("attention").is_own(attention("flash"))


def test_a_factory_says_what_a_reader_must_know(home: Path) -> None:
    build = get("attention").workload
    assert build is not None
    made = build(attention("./kernels.py:made"), 1)
    assert made.notes == ("made in the factory",)
    assert made.resident_bytes > build(attention("./kernels.py:attend"), 1).resident_bytes


def test_the_documented_factory_is_right(home: Path) -> None:
    problem_ = compiler.problem()
    if problem_:
        pytest.skip(problem_)
    (text,) = re.findall(r"```py\n(.*?)```", PAGE, flags=re.DOTALL)
    put(home / "page.py", text)
    assert checked(attention("./page.py:compiled", pattern="window:7")).passed
    with pytest.raises(Unsupported, match="wants a KV head"):
        checked(attention("./page.py:compiled", kv_heads=2))


@pytest.mark.parametrize("phase", [FORWARD, BOTH, DECODE])
@pytest.mark.parametrize("seq_len", [1, 128, 300])
def test_the_example_is_right_at_every_size_and_phase(home: Path, seq_len: int, phase: str) -> None:
    own.look_in(str(EXAMPLE))
    for kv_heads, causal in ((4, True), (2, True), (1, False)):
        sizes = {"seq_len": seq_len, "kv_heads": kv_heads, "causal": causal}
        assert checked(attention("./kernels.py:attend", phase=phase, **sizes)).passed
    if phase != DECODE:
        sizes = {"norm": "rmsnorm", "seq_len": seq_len, "hidden": 24}
        assert checked(case("norm", phase, **sizes, kernel="./kernels.py:rms_norm")).passed


# ---------------------------------------------------------------------- where things are


def test_what_lies_beside_a_file_can_be_imported_also_later(home: Path) -> None:
    put(home / "sub" / "helper.py", "from kernels import attend\n")
    later = "def attend(*args, **more):\n    import kernels\n    return kernels.attend(*args, **more)\n"
    put(home / "sub" / "later.py", later)
    put(home / "sub" / "mine.py", "from helper import attend\nimport sys\nassert __name__ in sys.modules\n")
    assert checked(attention("./sub/mine.py:attend")).passed
    assert checked(attention("./sub/later.py:attend")).passed


def test_files_of_one_name_are_two_modules(home: Path) -> None:
    for name in ("a", "b"):
        put(home / name / "same.py", f"def f(x):\n    return {name!r}\n")
    found = [own.load(own.Place(f"./{name}/same.py", "f")) for name in ("a", "b")]
    assert [function(None) for function in found] == ["a", "b"]
    assert len({function.__module__ for function in found}) == 2
    assert own.load(own.Place("./a/same.py", "f")) is found[0]


@pytest.mark.parametrize("below", ["", "src"])
def test_a_package_of_the_repository(home: Path, below: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "repository" / ".git" / "HEAD", "")
    put(home / "repository" / below / "mypkg" / "__init__.py", "")
    put(home / "repository" / below / "mypkg" / "ops.py", KERNELS)
    put(home / "other" / "mypkg" / "__init__.py", "raise RuntimeError('the wrong one')")
    monkeypatch.syspath_prepend(str(home / "other"))
    put(home / "repository" / "bench" / "s.yaml", "")
    own.look_in(str(home / "repository" / "bench"))
    assert checked(attention("mypkg.ops:attend")).passed


def test_dataclasses_and_pickle_find_the_module(home: Path) -> None:
    put(
        home / "typed.py",
        "from __future__ import annotations\nimport dataclasses, pickle\n"
        "@dataclasses.dataclass\nclass Sizes:\n    heads: int = 1\n"
        "def f(problem):\n    return pickle.loads(pickle.dumps(Sizes(problem.heads)))\n",
    )
    assert own.load(own.Place("./typed.py", "f"))(problem()).heads == 4


# ---------------------------------------------------------------------- how it is called


def keywords(function: Callable[..., Any], **given: Any) -> dict[str, Any]:
    return attention_own.keywords(function, problem(**given))


def test_attention_is_given_what_it_takes_by_name() -> None:
    def everything(q: Any, k: Any, v: Any, is_causal: Any, *, scale: Any, window: Any, enable_gqa: Any = 0) -> Any: ...

    assert keywords(everything) == {"is_causal": True, "scale": 0.25, "window": None}
    assert keywords(everything, kv_heads=2)["enable_gqa"] is True
    assert keywords(everything, pattern="window:9")["window"] == 9
    assert keywords(everything, causal=False)["is_causal"] is False
    decode = keywords(everything, phase="decode", pattern="window:9")  # a rolling cache: all of it is seen
    assert (decode["is_causal"], decode["window"]) == (False, None)
    assert keywords(lambda q, k, v, causal: q) == {"causal": True}
    assert keywords(lambda q, k, v: q, causal=False) == {}
    assert keywords(lambda q, k, v: q, phase="decode") == {}
    assert keywords(lambda *tensors, **options: tensors[0]) == {"causal": True}


def test_what_a_plain_function_cannot_be_told() -> None:
    def plain(q: Any, k: Any, v: Any) -> Any: ...

    with pytest.raises(KernelError, match=r"plain\(q, k, v\) takes neither causal= nor is_causal=.* causal: false"):
        keywords(plain)
    with pytest.raises(Unsupported, match="not told of windows; give it window="):
        keywords(plain, causal=False, pattern="window:9")
    with pytest.raises(Unsupported, match="told of windows only, not of strided; name a factory"):
        keywords(lambda q, k, v, causal, window: q, pattern="strided:4:4")


def test_a_factory_has_one_required_argument() -> None:
    assert calling.is_factory(lambda problem: None)
    assert calling.is_factory(lambda problem, block=64, *, more=1: None)
    assert not calling.is_factory(lambda q, k, v: None)
    assert not calling.is_factory(lambda q, *others: None)
    assert not calling.is_factory(lambda: None)
    assert not calling.is_factory(max)


def test_keywords_are_bound_once() -> None:
    def f(x: Any, *, by: int) -> Any:
        return x * by

    assert calling.bound(f, ["x"], {"by": 3})(2) == 6
    assert calling.bound(abs, ["x"], {}) is abs


# ---------------------------------------------------------------------- wrong

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
        ("nothing", r"nothing\(problem\) is a factory by its one required argument, and returned None"),
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
