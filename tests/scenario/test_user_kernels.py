"""Kernels of the user's own in a scenario: read without being run, and every mistake told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tbench.errors import NothingSelected, ScenarioError, UsageError
from tbench.scenario import Scenario, expand, load
from tbench.scenario.schema import COMMITTED
from tbench.scenario.user_kernels import defined
from tbench.yamlfile.reader import read
from tests.scenario.conftest import Complains, Loads

SCENARIO = """\
version: 1
name: mine
component: attention
fixed: {heads: 2, head_dim: 16, seq_len: 32}
sweep:
  kernel: [flash, ./kernels.py:attend]
baseline: {kernel: flash}
"""
KERNELS = "import torch\n\ndef attend(q, k, v, causal): ...\n"
AT = "6:19: kernel: "


@pytest.fixture(autouse=True)
def kernels(tmp_path: Path) -> Path:
    path = tmp_path / "kernels.py"
    path.write_text(KERNELS)
    return path


def names(scenario: Scenario, *select: str) -> list[Any]:
    return [case["kernel"] for case in expand(scenario, "cpu", select)]


def with_kernel(kernel: str) -> str:
    return SCENARIO.replace("./kernels.py:attend", kernel)


# ---------------------------------------------------------------------- read


def test_a_place_is_a_value_of_the_axis_in_its_one_spelling(loads: Loads) -> None:
    assert names(loads(SCENARIO)) == ["flash", "./kernels.py:attend"]
    assert names(loads(with_kernel("kernels.py:attend"))) == ["flash", "./kernels.py:attend"]
    assert names(loads(with_kernel("sub/../kernels.py:attend"))) == ["flash", "./kernels.py:attend"]
    assert names(loads(with_kernel("torch.nn.functional:silu"))) == ["flash", "torch.nn.functional:silu"]


def test_the_same_file_in_two_spellings_is_given_twice(complains: Complains) -> None:
    assert complains(with_kernel("./kernels.py:attend, kernels.py:attend")) == [
        "6:40: ./kernels.py:attend is given twice; remove one"
    ]


@pytest.mark.parametrize(
    "text",
    [
        SCENARIO.replace("{kernel: flash}", "{kernel: kernels.py:attend}"),
        SCENARIO.replace("[flash", "[flash, naive") + "exclude: [{kernel: kernels.py:attend}]\n",
        SCENARIO + "quick: {kernel: [flash, kernels.py:attend]}\n",
        SCENARIO + "include: [{seq_len: 64, kernel: kernels.py:attend}]\n",
    ],
)
def test_wherever_the_axis_may_stand(loads: Loads, text: str) -> None:
    quick = "quick" in text
    assert "./kernels.py:attend" in {
        *names(loads(text, quick=quick)),
        *(value for entry in loads(text).exclude for value in entry["kernel"]),
    }


@pytest.mark.parametrize("component", ["norm", "feedforward", "position", "block"])
def test_other_components(loads: Loads, component: str) -> None:
    sizes = {"position": "heads: 2, head_dim: 16", "block": "hidden: 32, heads: 2"}.get(component, "hidden: 32")
    base = "naive" if component == "block" else "default"
    text = SCENARIO.replace("attention", component).replace("heads: 2, head_dim: 16", sizes)
    assert names(loads(text.replace("flash", base))) == [base, "./kernels.py:attend"]


def test_set_and_select(loads: Loads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths start at the scenario's folder, wherever one stands."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    plain = SCENARIO.replace(", ./kernels.py:attend", ", naive")
    assert names(loads(plain, ["kernel=flash,./kernels.py:attend"])) == ["flash", "./kernels.py:attend"]
    for spelled in ("./kernels.py:attend", "kernels.py:attend"):
        assert names(loads(SCENARIO), f"kernel={spelled}") == ["./kernels.py:attend"]
    (identity,) = (case.id for case in expand(loads(SCENARIO)) if case["kernel"] != "flash")
    assert names(loads(SCENARIO), identity) == ["./kernels.py:attend"]
    with pytest.raises(NothingSelected, match=r"kernel is flash, ./kernels.py:attend"):
        names(loads(SCENARIO), "kernel=./other.py:attend")
    with pytest.raises(ScenarioError, match=r"--set kernel=./kernls.py:attend: kernel: .*did you mean 'kernels.py'\?"):
        loads(plain, ["kernel=./kernls.py:attend"])
    with pytest.raises(UsageError, match=r"a custom kernel is written ./file.py:function"):
        names(loads(SCENARIO), "kernel=./kernels.py")


def test_the_folder_is_that_of_the_file_or_the_current_one(
    loads: Loads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loads(SCENARIO).folder == tmp_path
    monkeypatch.chdir(tmp_path)
    assert load("s.yaml").folder == tmp_path
    assert Scenario("a", "a", path="-").folder == tmp_path
    assert Scenario("a", "a").folder == tmp_path


def test_nothing_is_run(loads: Loads, kernels: Path) -> None:
    kernels.write_text(f"open({str(kernels.with_name('ran'))!r}, 'w')\nraise SystemExit\n{KERNELS}")
    (kernels.parent / "pkg").mkdir()
    (kernels.parent / "pkg" / "__init__.py").write_text(kernels.read_text())
    assert names(loads(with_kernel("./kernels.py:attend, pkg.ops:attend")))[2] == "pkg.ops:attend"
    assert not kernels.with_name("ran").exists()


# ---------------------------------------------------------------------- suites


def test_parts_in_other_folders_name_files_beside_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the suite their paths start at its folder, where workers will look."""
    for name in ("sub/deeper", "top"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sub" / "deeper" / "kernels.py").write_text(KERNELS)
    (tmp_path / "sub" / "deeper" / "part.yaml").write_text(
        SCENARIO.replace("{kernel: flash}", "{kernel: ./kernels.py:attend}")
        + "quick: {kernel: [naive, kernels.py:attend]}\n"
    )
    (tmp_path / "sub" / "half.yaml").write_text("version: 1\nname: half\nparts: [deeper/part.yaml]\n")
    (tmp_path / "top" / "suite.yaml").write_text("version: 1\nname: all\nparts: [../sub/half.yaml]\n")
    monkeypatch.chdir(tmp_path / "sub")
    there = "../sub/deeper/kernels.py:attend"
    suite = load("../top/suite.yaml")
    assert suite.folder == tmp_path / "top"
    assert names(suite) == ["flash", there]
    assert [suite.baseline_case(case)["kernel"] for case in expand(suite)] == [there, there]  # type: ignore[index]
    assert names(load("../top/suite.yaml", quick=True)) == ["naive", there]
    assert names(suite, f"kernel={there}") == [there]
    (tmp_path / "top" / "mine.py").write_text(KERNELS)
    assert names(load("../top/suite.yaml", ["kernel=mine.py:attend"])) == ["./mine.py:attend"]
    assert names(load("half.yaml")) == ["flash", "./deeper/kernels.py:attend"]
    assert names(load("deeper/part.yaml")) == ["flash", "./kernels.py:attend"]


def test_a_part_s_mistake_has_the_part_s_place(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "part.yaml").write_text(SCENARIO)  # the kernels lie above it
    (tmp_path / "suite.yaml").write_text("version: 1\nname: all\nparts: [sub/part.yaml]\n")
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path / "suite.yaml")
    start = f"{tmp_path / 'sub' / 'part.yaml'}:{AT}'./kernels.py:attend': there is no such file; paths start at"
    assert str(caught.value) == f"{start} {tmp_path / 'sub'}"


def test_a_folder_that_no_place_can_have(tmp_path: Path) -> None:
    (tmp_path / "my part").mkdir()
    (tmp_path / "my part" / "kernels.py").write_text(KERNELS)
    (tmp_path / "my part" / "part.yaml").write_text(SCENARIO)
    assert names(load(tmp_path / "my part" / "part.yaml"))[1] == "./kernels.py:attend"
    (tmp_path / "suite.yaml").write_text("version: 1\nname: all\nparts: [my part/part.yaml]\n")
    with pytest.raises(ScenarioError, match="may hold letters, digits"):
        load(tmp_path / "suite.yaml")


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        ("./kernls.py:attend", "'./kernls.py:attend': there is no such file; did you mean 'kernels.py'?"),
        ("./sub/far.py:attend", "'./sub/far.py:attend': there is no such file; paths start at {folder}"),
        ("kernels:attend", None),
        ("./kernels.py:atend", "kernels.py has no 'atend' at top level; did you mean 'attend'?"),
        ("no_such_package.ops:f", "there is no package 'no_such_package', neither in {folder} nor installed"),
        ("./kernels.py", "'./kernels.py' is not a kernel of attention"),
        ("./kernels.py:attend.inner", "a custom kernel is written ./file.py:function or package.module:function"),
        ("flsh", "'flsh' is not a kernel of attention; did you mean 'flash'?"),
    ],
)
def test_mistakes(complains: Complains, loads: Loads, tmp_path: Path, kernel: str, said: str | None) -> None:
    if said is None:  # a module beside the scenario
        assert names(loads(with_kernel(kernel)))[1] == kernel
        return
    (line,) = complains(with_kernel(kernel))
    assert line.startswith(AT)
    assert said.format(folder=tmp_path) in line
    assert ("a custom kernel is written" in line) == (kernel.startswith("./kernels.py") and "'atend'" not in said)


def test_a_module_that_is_a_file_beside_the_scenario(tmp_path: Path) -> None:
    """The repository's root is elsewhere, so it is no module; it can be named as a file."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "s.yaml").write_text(with_kernel("beside:attend"))
    (tmp_path / "bench" / "beside.py").write_text(KERNELS)
    with pytest.raises(ScenarioError, match=r"there is no package 'beside', .*; did you mean './beside.py:attend'\?"):
        load(tmp_path / "bench" / "s.yaml")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"def attend(q:\n", "'./kernels.py:attend': line 1 is not Python: "),
        (b"x = 1\n\n  y = 2\n", "'./kernels.py:attend': line 3 is not Python: unexpected indent"),
        (b"\xff\xfe", "'./kernels.py:attend': "),
        (b"a\0b", "'./kernels.py:attend': "),
        (b"(" * 5000, "'./kernels.py:attend': "),
        (b"", "kernels.py has no 'attend' at top level"),
    ],
)
def test_files_that_cannot_be_read(complains: Complains, kernels: Path, source: bytes, said: str) -> None:
    kernels.write_bytes(source)
    (line,) = complains(SCENARIO)
    assert line.startswith(AT)
    assert said in line


def test_each_place_is_told(complains: Complains) -> None:
    text = with_kernel("./kernels.py:no").replace("{kernel: flash}", "{kernel: ./kernels.py:no}")
    text += "exclude: [{kernel: ./kernels.py:no}]\n"
    assert [line.split(": ")[0] for line in complains(text)] == ["6:19", "7:20", "8:20"]


def test_an_experiment_takes_none(complains: Complains) -> None:
    text = """\
version: 1
name: kv
component: kv
fixed: {seq_len: 8, hidden: 8, heads: 2, head_dim: 4, vocab: 9}
sweep: {method: [counted, ./kernels.py:attend]}
"""
    assert complains(text) == ["5:27: method: './kernels.py:attend' is not a method of kv; choose from counted"]


def test_names_at_the_top_level() -> None:
    source = b"""
from a import b as c, d
import e.f
try:
    import g
except ImportError:
    g = h = None
if True:
    def i(): inner = 1
    class J:
        k = 1
l: int = 3
m, (n, *o) = 1, (2, 3)
with open("x") as p:
    pass
for q in []: pass
r = lambda s: s
"""
    assert set(defined(source)) == set("cdeghilmnopqr") | {"J"}
    assert "*" in defined(b"from x import *")
    assert "*" in defined(b"def __getattr__(name): ...")


# ---------------------------------------------------------------------- schema


@pytest.mark.parametrize(
    ("kernel", "fine"),
    [
        ("./kernels.py:attend", True),
        ("../a/b-c.py:f", True),
        ("kernels.py:f", True),
        ("a.b:f", True),
        ("a:f", True),
        ("falsh", False),
        ("./kernels.py", False),
        ("a b:f", False),
        ("a.b:f.g", False),
    ],
)
def test_the_schema_knows_the_forms(kernel: str, fine: bool) -> None:
    schema = json.loads(COMMITTED.read_text(encoding="utf-8"))
    data = read(with_kernel(f'"{kernel}"').encode(), "f").data
    assert jsonschema.Draft202012Validator(schema).is_valid(data) == fine


# ---------------------------------------------------------------------- the example


@pytest.mark.parametrize("name", ["attention", "norm"])
def test_the_example_loads(name: str) -> None:
    folder = Path(__file__).parents[2] / "examples" / "own-kernel"
    text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
    comment, _, target = text.splitlines()[0].partition("$schema=")
    assert comment == "# yaml-language-server: "
    assert (folder / target).resolve() == COMMITTED.resolve()
    assert jsonschema.Draft202012Validator(json.loads(COMMITTED.read_text())).is_valid(read(text.encode(), "f").data)
    scenario = load(folder / f"{name}.yaml")
    assert {str(kernel).partition(":")[0] for kernel in names(scenario)} >= {"./kernels.py"}
