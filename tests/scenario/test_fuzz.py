"""Whatever stands in a scenario file: a list of cases, or exit code 2 with a place; never a traceback, never code 70.

Three kinds of files: text that is hardly YAML, shipped scenarios with something broken in them, and mappings with
the right keys and the wrong things under them.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tbench.cli import exit_code
from tbench.errors import ScenarioError
from tbench.scenario import expand, load

SHIPPED = [
    text
    for path in sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
    if "parts:" not in (text := path.read_text(encoding="utf-8"))  # a suite is nothing without its other files
]
FUZZ = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(source: bytes, *options: str) -> int:
    """List the scenario's cases through the command line, and hold what must hold. Returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.yaml"
        path.write_bytes(source)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = exit_code(["list", str(path), "--device", "cpu", *options])
        said = err.getvalue()
    assert code in (0, 2, 5), said
    assert "Traceback" not in said
    if code == 2:
        assert re.search(rf"{re.escape(str(path))}:[1-9]\d*:[1-9]\d*: \S", said), said
        assert all(len(line) < 1000 for line in said.splitlines())
    if code == 0:
        identities = out.getvalue().splitlines()
        assert identities
        assert len(set(identities)) == len(identities)
    return code


TEXT = st.text(max_size=200) | st.text(alphabet="abk:-[]{}&*!|>'\"#?, \n01.e%@`~", max_size=120)


@FUZZ
@given(st.binary(max_size=300) | TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"")
@example(b"\xff\xfe\x00")
@example(b"a: !!python/object/apply:os.system ['echo hacked']")
@example(b"[" * 10_000)
@example(b"? " * 10_000)
@example(b"- " * 10_000)
@example(b"a: &a [*a, *a]")
@example("version: 1\nname: ü\ncomponent: attention".encode())
def test_hardly_yaml(source: bytes) -> None:
    assert check(source) == 2


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A shipped scenario after a few accidents."""
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 3))):
        accident = draw(
            st.sampled_from([lose_line, double_line, swap_lines, indent, lose_character, put, replace_word])
        )
        text = accident(draw, text)
    return text


def a_line(draw: st.DrawFn, text: str) -> tuple[list[str], int]:
    lines = text.splitlines()
    return lines, draw(st.integers(0, max(0, len(lines) - 1)))


def lose_line(draw: st.DrawFn, text: str) -> str:
    lines, at = a_line(draw, text)
    return "\n".join(lines[:at] + lines[at + 1 :])


def double_line(draw: st.DrawFn, text: str) -> str:
    lines, at = a_line(draw, text)
    return "\n".join(lines[: at + 1] + lines[at:])


def swap_lines(draw: st.DrawFn, text: str) -> str:
    lines, at = a_line(draw, text)
    return "\n".join([*lines[at:], *lines[:at]])


def indent(draw: st.DrawFn, text: str) -> str:
    lines, at = a_line(draw, text)
    return "\n".join([*lines[:at], *(f"  {line}" for line in lines[at : at + 1]), *lines[at + 1 :]])


def lose_character(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    return text[:at] + text[at + 1 :]


def put(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    what = st.sampled_from(
        ["\t", ":", "-", "[", "}", "&a ", "*a", "!x ", "#", "\n", "0", "\u00a0", "---\n", "<<: ", ", "]
    )
    return text[:at] + draw(what) + text[at:]


WORD = re.compile(r"[\w.:-]+")
WORDS = [
    "on",
    "010",
    "12:30",
    "1e-5",
    "null",
    "{}",
    "[]",
    "-1",
    "0",
    "1.5",
    "naive",
    "parts",
    "kv_heads",
    "gqa:3",
    "9" * 30,
]


def replace_word(draw: st.DrawFn, text: str) -> str:
    found = list(WORD.finditer(text))
    if not found:
        return text
    word = draw(st.sampled_from(found))
    return text[: word.start()] + draw(st.sampled_from(WORDS)) + text[word.end() :]


@FUZZ
@given(broken(), st.sampled_from([[], ["--quick"], ["--rigorous"]]))
def test_shipped_scenarios_after_accidents(text: str, options: list[str]) -> None:
    check(text.encode("utf-8"), *options)


SIZES = st.sampled_from([0, 1, 2, 3, 8, 16, 64, -1, 2.0, "8", None, True, 10**20])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "phase": st.sampled_from(["forward", "decode", "forward_backward", "backward", None, 3]),
    "dtype": st.sampled_from(["float32", "bfloat16", "fp32", 32]),
    "model": st.sampled_from(["llama-3-8b", "gpt3-175b", "llama", 3]),
    **dict.fromkeys(("batch", "seq_len", "heads", "kv_heads", "head_dim"), SIZES),
    "causal": st.sampled_from([True, False, "true", 1, None]),
    "pattern": st.sampled_from(
        [
            *("full", "window:8", "strided:4:4", "window:" + "9" * 5000, 7),
            *({"window": 8}, {"window": 0}, {"window": {}}, {"strided": {"window": 4}}, {"full": 1}, {}, []),
            {"fixed": {"block": 4, "globals": 8}},
        ]
    ),
    "kernel": st.sampled_from(["naive", "flash", "flex", "chunked", "fast", None, 0]),
    "kv_sharing": st.sampled_from(["mha", "gqa", "mqa", "gqa:2", "gqa:0", 4]),
    "seqlen": st.just(3),
}
ENTRY = st.fixed_dictionaries({}, optional=VALUES)
LISTS = st.fixed_dictionaries({}, optional={axis: st.lists(value, max_size=3) for axis, value in VALUES.items()})
ODD = st.none() | st.booleans() | st.integers() | st.text("ab:é😀", max_size=5) | st.lists(st.integers(), max_size=2)
SAMPLING = st.dictionaries(
    st.sampled_from(["target", "min_time", "max_time", "min_rounds", "max_rounds", "cache", "turn"]),
    st.sampled_from([0, 0.01, 1, 2.5, 100, -1, "hot", "warm", None, True, 1e300]),
    max_size=4,
)
SECTIONS: dict[str, st.SearchStrategy[Any]] = {
    "phase": VALUES["phase"] | st.lists(VALUES["phase"], max_size=3) | ODD,
    "model": VALUES["model"],
    "fixed": ENTRY | ODD,
    "sweep": LISTS | ODD,
    "include": st.lists(ENTRY, max_size=2) | ODD,
    "exclude": st.lists(ENTRY | LISTS, max_size=2) | ODD,
    "baseline": ENTRY | ODD,
    "sampling": SAMPLING | ODD,
    "quick": LISTS | ODD,
    "rigorous": st.fixed_dictionaries({"sampling": SAMPLING}) | LISTS,
    "parts": st.lists(st.sampled_from(["a.yaml", "fuzz.yaml", "", ".", "x" * 300, 3, None]), max_size=2),
    "title": ODD,
}


def as_yaml(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode()


PLAUSIBLE = st.fixed_dictionaries(
    {
        "version": st.sampled_from([1, 1, 1, 1, 2, "1"]),
        "name": st.sampled_from(["a", "a", "a", "a/b", 3]),
        "component": st.sampled_from(["attention", "attention", "attention", "attenton"]),
    },
    optional={name: section for name, section in SECTIONS.items() if name != "parts"},
)


@FUZZ
@given(PLAUSIBLE)
def test_the_right_keys_and_the_wrong_things(data: dict[str, Any]) -> None:
    check(as_yaml(data))


@st.composite
def nearly_right(draw: st.DrawFn) -> dict[str, Any]:
    """A valid scenario with at most one section that is drawn: deep into the checks of whole scenarios."""
    data: dict[str, Any] = {
        "version": 1,
        "name": "a",
        "component": "attention",
        "fixed": {"heads": 8, "head_dim": 16},
        "sweep": {"seq_len": [16, 32], "kernel": ["naive", "flash"]},
        "baseline": {"kernel": "naive"},
    }
    section = draw(st.sampled_from(sorted(SECTIONS)))
    data[section] = draw(SECTIONS[section])
    return data


@FUZZ
@given(
    nearly_right(), st.sampled_from(["--quick", "--set=kv_heads=2,3", "--set=pattern=full,window:8", "-kkernel=flash"])
)
def test_one_wrong_section(data: dict[str, Any], option: str) -> None:
    check_any(as_yaml(data), option)


def check_any(source: bytes, option: str) -> None:
    """As `check`, with options that may be what is wrong: then the place is the option."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.yaml"
        path.write_bytes(source)
        err = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            code = exit_code(["list", str(path), option])
    said = err.getvalue()
    assert code in (0, 2, 5), said
    assert "Traceback" not in said
    if code == 2:
        assert f"{path}:" in said or "--set " in said or "-k " in said


@pytest.mark.parametrize("text", SHIPPED)
def test_unbroken_they_are_fine(text: str) -> None:
    assert check(text.encode()) == 0


@FUZZ
@given(st.lists(st.text(max_size=20), max_size=2), st.lists(st.text(max_size=20), max_size=2))
def test_options_are_read_or_refused(overrides: list[str], select: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.yaml"
        path.write_text(SHIPPED[0], encoding="utf-8")
        err = io.StringIO()
        arguments = [*(f"--set={text}" for text in overrides), *(f"--select={text}" for text in select)]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            code = exit_code(["list", str(path), *arguments])
    assert code == 0 if not overrides and not select else code in (0, 2, 5)
    assert "Traceback" not in err.getvalue()


@FUZZ
@given(PLAUSIBLE)
def test_the_python_interface_raises_scenario_errors_only(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.yaml"
        path.write_bytes(as_yaml(data))
        try:
            scenario = load(path)
        except ScenarioError:
            return
        assert expand(scenario)
