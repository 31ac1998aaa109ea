"""How a component describes itself, and that a new variant is a few lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tbench
from tbench.catalog import COMPONENTS
from tbench.components.attention import ATTENTION
from tbench.components.registry import Component, Variant, installed
from tbench.errors import Unsupported
from tbench.records import Case, Work
from tests.components.cases import attention, built

PAGE = (Path(__file__).parents[2] / "docs" / "variants.md").read_text(encoding="utf-8")


@pytest.fixture
def registered() -> Iterator[dict[str, Variant]]:
    """Attention's variants; what a test adds is taken out again."""
    before = dict(ATTENTION.variants)
    yield ATTENTION.variants
    ATTENTION.variants.clear()
    ATTENTION.variants.update(before)


def toy(**declared: Any) -> Component:
    component = Component(
        name="toy",
        about="for tests",
        axes=(),
        phases=("forward", "decode"),
        variant_axis="kernel",
        complete=lambda values: values,
        peak=lambda case, variant: 0,
        work=lambda case: Work(1.0, 1.0),
        build=lambda case, variant, seed, sets, apart: None,
    )
    component.variant("one", about="the only one", **declared)(lambda problem: None)
    return component


def asked(device: str = "cpu", phase: str = "forward", dtype: str = "float32") -> Case:
    return Case("toy", phase, device, dtype, (("kernel", "one"),))


def test_the_decorator_registers_and_returns_the_factory() -> None:
    component = toy()

    def factory(problem: Any) -> Any:
        return problem

    assert component.variant("two", about="another")(factory) is factory
    assert list(component.variants) == ["one", "two"]
    assert component.variants["two"].factory is factory
    assert component.variant_of(asked()).name == "one"


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="toy has two variants named 'one'"):
        toy().variant("one", about="again")(lambda problem: None)


EVERYTHING: dict[str, Any] = {
    "devices": ("cuda",),
    "phases": ("forward",),
    "dtypes": ("bfloat16", "float16"),
    "requires": (("json", "json"), ("no_such_module", "no-such-package"), ("another_missing", "another")),
    "limits": lambda case: "is never willing",
}


@pytest.mark.parametrize(
    ("case", "without", "says"),
    [
        (asked("cpu", "decode"), (), "one runs on cuda only"),
        (asked("cuda:1", "decode"), (), "one has no decode (forward only)"),
        (asked("cuda:1"), (), "one takes bfloat16 or float16, not float32"),
        (
            asked("cuda:1", dtype="float16"),
            (),
            "needs no-such-package, which is not installed: pip install no-such-package",
        ),
        (asked("cuda:1", dtype="float16"), ("requires",), "is never willing"),
        (asked("cuda:1", dtype="float16"), ("requires", "limits"), None),
    ],
)
def test_reasons_come_in_order(case: Case, without: tuple[str, ...], says: str | None) -> None:
    declared = {name: value for name, value in EVERYTHING.items() if name not in without}
    assert toy(**declared).unsupported(case) == says


def test_what_declares_nothing_runs_everywhere() -> None:
    for device in ("cpu", "cuda:0"):
        for phase in ("forward", "decode"):
            for dtype in ("float32", "bfloat16", "float16"):
                assert toy().unsupported(asked(device, phase, dtype)) is None


def test_installed_looks_without_importing() -> None:
    assert installed("json")
    assert not installed("no_such_module")


def test_every_variant_says_what_it_is_and_how_to_get_it() -> None:
    for name, variant in ATTENTION.variants.items():
        assert variant.name == name
        assert variant.about
        assert variant.layout in ("", "bnhd")
        assert set(variant.phases) <= set(ATTENTION.phases)
        for module, distribution in variant.requires:
            assert "." not in module  # `find_spec` would import the package
            assert re.fullmatch(r"[a-z0-9-]+", distribution)


# ---------------------------------------------------------------- a new variant


def example() -> str:
    """The variant that docs/variants.md shows."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(code)


def test_a_new_variant_is_about_ten_lines() -> None:
    lines = [line for line in example().splitlines() if line.strip() and not line.startswith("from")]
    assert len(lines) <= 14


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("phase", ATTENTION.phases)
def test_the_documented_variant_is_right(registered: dict[str, Variant], phase: str, kv_heads: int) -> None:
    exec(compile(example(), "docs/variants.md", "exec"), {})
    case = attention("einsum", phase=phase, kv_heads=kv_heads, causal=False)
    assert ATTENTION.unsupported(case) is None
    with built(case) as workload:
        check = workload.check(4)
    assert check.passed, check
    assert ATTENTION.unsupported(case.with_(pattern="strided:8:8")) == "has no mask: causal: false, pattern: full only"


def test_a_wrong_new_variant_is_found(registered: dict[str, Variant]) -> None:
    import torch

    @ATTENTION.variant("unscaled", about="forgets to divide by √d", phases=("decode",))
    def unscaled(problem: Any) -> Any:
        return lambda q, k, v: torch.softmax(q @ k.mT, dim=-1) @ v

    with built(attention("unscaled", phase="decode")) as workload:
        assert not workload.check(1).passed


def test_a_factory_may_refuse(registered: dict[str, Variant]) -> None:
    @ATTENTION.variant("moody", about="only on Sundays")
    def moody(problem: Any) -> Any:
        raise Unsupported("only on Sundays")

    with pytest.raises(Unsupported, match="only on Sundays"), built(attention("moody")):
        pass


def test_the_page_names_every_variant() -> None:
    table = set(re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, flags=re.MULTILINE))
    assert set(ATTENTION.variants) <= table


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"about": " "}, "about` says in a sentence"),
        ({"devices": ("gpu",)}, r"devices is \('gpu',\); give a tuple of cpu, cuda"),
        ({"devices": ()}, "devices is"),
        ({"phases": ("backward",)}, "phases is .*; give a tuple of forward, decode"),
        ({"dtypes": "float32"}, "dtypes is 'float32'; give a tuple of float32, bfloat16, float16"),
        ({"requires": ("triton",)}, "requires is .*; give pairs"),
    ],
)
def test_a_declaration_that_no_case_could_fit_is_refused(declared: dict[str, Any], said: str) -> None:
    component = toy()
    with pytest.raises(ValueError, match=said):
        component.variant("two", **{"about": "another", **declared})(lambda problem: None)
    assert list(component.variants) == ["one"]


def test_a_name_that_reads_as_a_kernels_path_is_refused() -> None:
    with pytest.raises(ValueError, match="a name without a colon"):
        toy().variant("mine.ops:attend", about="another")(lambda problem: None)


def test_what_is_no_field_of_a_variant_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        toy().variant("two", about="another", colour="red")(lambda problem: None)


def test_a_variant_is_registered_from_the_public_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMPONENTS, "toy", toy())
    tbench.register("toy", "two", about="another", dtypes=("float32",))(lambda problem: None)
    assert tbench.Case("toy", "forward", "cpu", "float32", (("kernel", "two"),)).id.endswith("kernel=two")
    assert COMPONENTS["toy"].variants["two"].dtypes == ("float32",)


@pytest.mark.parametrize("name", [name for name in tbench.__all__ if not name.startswith("_")])
def test_every_public_name_says_what_it_is(name: str) -> None:
    assert (getattr(tbench, name).__doc__ or "").strip()
