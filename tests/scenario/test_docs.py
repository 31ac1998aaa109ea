"""`docs/scenario.md` says what is true: its examples load, and its tables are the code's."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from tbench.catalog import get
from tbench.model.presets import PRESETS
from tbench.records import Sampling, text
from tbench.scenario import expand
from tbench.scenario.axes import axis_fields
from tbench.scenario.form import top_keys
from tbench.scenario.mode import SAMPLING
from tests.scenario.conftest import Loads

PAGE = (Path(__file__).parents[2] / "docs" / "scenario.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: cells by the words of the first column."""
    section = re.split(r"^#+ ", PAGE.split(f"# {heading}\n")[1], flags=re.MULTILINE)[0]
    found = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            first, *rest = (cell.strip() for cell in line.strip("|").split("|"))
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", first), rest)
    return found


@pytest.mark.parametrize("example", [example for example in EXAMPLES if "parts:" not in example])
def test_examples_load(loads: Loads, example: str) -> None:
    for mode in ({}, {"quick": True}, {"rigorous": True}):
        assert loads(example, **mode).points


def test_what_the_example_of_modes_says(loads: Loads) -> None:
    (example,) = (example for example in EXAMPLES if "rigorous:" in example)
    assert loads(example).sampling.max_time == 8
    assert loads(example, quick=True).sampling.max_time == 1
    assert {point.get("seq_len") for point in loads(example, quick=True).points} == {512, 1024}


def test_what_the_example_of_devices_says(loads: Loads) -> None:
    (example,) = (example for example in EXAMPLES if "cuda:" in example)
    there = expand(loads(example), "cuda:0")
    assert {(case.dtype, case["heads"], case["head_dim"]) for case in there} == {("bfloat16", 16, 64)}
    assert [case["kernel"] for case in there if case["seq_len"] == 16384] == ["flash", "cudnn"]
    assert {case["seq_len"] for case in expand(loads(example, quick=True), "cuda:0")} == {4096}
    assert {case["seq_len"] for case in expand(loads(example, quick=True))} == {1024, 4096}


def test_every_key() -> None:
    assert set(rows("Keys")) == set(top_keys())


def test_every_axis_and_its_default() -> None:
    component = get("attention")
    table = rows("Axes of attention")
    assert set(table) == set(axis_fields(component)) - {"model"}
    for axis in component.axes:
        if axis.default is not None:
            assert table[axis.name][1].strip("`") == text(axis.default)
    for name in ("phase", "dtype"):
        assert set(re.findall(r"`([^`]+)`", table[name][0])) <= set(component.phases) | {
            "float32",
            "bfloat16",
            "float16",
        }
    assert table["phase"][1].strip("`") == component.phases[0]


def test_every_preset() -> None:
    table = rows("Models")
    names = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn_hidden", "vocab", "max_positions", "window")
    assert table == {
        name: [str(preset.axes(names).get(size, "")) for size in names] for name, preset in PRESETS.items()
    }


def test_every_switch_of_a_preset() -> None:
    for name, preset in PRESETS.items():
        c = preset.config
        base = str(c.rope_base) if c.rotary else ""
        assert rows("Switches of models")[name] == [
            *(c.norm, c.activation, c.position_encoding, c.bias, base, str(c.tied_embeddings).lower())
        ]
        assert c.norm_position == "pre"


def test_every_figure_of_sampling() -> None:
    table = rows("Sampling")
    assert set(table) == {field.name for field in dataclasses.fields(Sampling)}
    for field in dataclasses.fields(Sampling):
        written = [SAMPLING[mode].get(field.name, "") for mode in ("quick", "rigorous")]
        expected = [f"{value:g}" if isinstance(value, int | float) else value for value in (field.default, *written)]
        assert table[field.name][:3] == expected


@pytest.mark.parametrize(
    "line", [line for line in PAGE.splitlines() if re.search(r"\| `[■·]{16}` \|", line)], ids=lambda line: line[3:20]
)
def test_pictures_of_patterns(line: str) -> None:
    from tbench.model.pattern import parse, pattern
    from tbench.yamlfile.reader import read

    written, word, picture = re.findall(r"`([^`]+)`", line)
    assert parse(read(f"pattern: {written}".encode(), "f").data["pattern"]) == word
    seen = pattern(word)
    assert picture == "".join("■" if seen.keeps(15, key) else "·" for key in range(16))
