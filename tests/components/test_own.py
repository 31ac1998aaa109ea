"""Kernels of the user's own: found, loaded, and right in every component."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tbench.catalog import get
from tbench.components import own
from tbench.errors import Unsupported
from tbench.measure import compiler
from tests.components.cases import attention, problem
from tests.components.own_kernels import BOTH, DECODE, FORWARD, KERNELS, SMALL, block, checked, put
from tests.components.small import case

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-kernel"
PAGE = (Path(__file__).parents[2] / "docs" / "variants.md").read_text(encoding="utf-8")

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


@pytest.mark.parametrize("lengths", ["equal", "ragged"])
def test_a_kernel_is_told_the_lengths_of_a_ragged_batch(home: Path, lengths: str) -> None:
    case = attention("./kernels.py:filled", phase=DECODE, batch=3, kv_heads=2, lengths=lengths)
    assert checked(case).passed


def test_a_kernel_that_cannot_be_told_lengths_is_refused_a_ragged_batch(home: Path) -> None:
    with pytest.raises(Unsupported, match=r"attend\(q, k, v, \*, causal\) takes no lengths="):
        checked(attention("./kernels.py:attend", phase=DECODE, lengths="ragged"))


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
    with pytest.raises(Unsupported, match="needs one KV head"):
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
