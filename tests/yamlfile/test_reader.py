"""YAML as it is read: places, traps, and what is refused before it can do harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.errors import ScenarioError
from tbench.yamlfile.reader import MAX_DEPTH, REFUSED, read
from tbench.yamlfile.scalars import AmbiguousScalar, read_plain
from tbench.yamlfile.source import MAX_BYTES


def refused(source: str | bytes) -> str:
    with pytest.raises(ScenarioError) as caught:
        read(source.encode() if isinstance(source, str) else source, "f")
    return str(caught.value)


def told(source: str) -> list[str]:
    return read(source.encode(), "f").mistakes.lines()


def test_data_and_places() -> None:
    document = read(b"a: 1\nb:\n  - x\n  - {c: [true, 2.5]}\n", "f")
    assert document.data == {"a": 1, "b": ["x", {"c": [True, 2.5]}]}
    assert document.mistakes.values["b", 1, "c", 1] == (4, 16)
    assert document.mistakes.keys["b", 1, "c"] == (4, 6)
    assert document.mistakes.place(("b", 7, "nothing")) == (3, 3)
    assert document.mistakes.lines() == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E3", 1000.0),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("0", 0),
        ("-7", -7),
        ("+3", 3),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("full", "full"),
        ("1k", "1k"),
        ("gqa:8", "gqa:8"),
        ("window:256", "window:256"),
        ("llama-3-8b", "llama-3-8b"),
        ("./mine.py:attend", "./mine.py:attend"),
    ],
)
def test_scalars_mean_what_they_show(text: str, value: object) -> None:
    found = read_plain(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("on", "write true"),
        ("Off", "write false"),
        ("yes", "write true"),
        ("N", "write false"),
        ("010", "leading zero"),
        ("007.5", "leading zero"),
        ("12:30", "base 60"),
        ("1:30:00.5", "base 60"),
        ("0x10", "decimal"),
        ("0b11", "decimal"),
        ("0o17", "decimal"),
        ("1_000", "underscores"),
        ("2024-05-01", "date"),
        (".inf", "finite"),
        ("-.INF", "finite"),
        (".nan", "finite"),
        ("1e999", "too large"),
        ("9" * 50, "digits"),
    ],
)
def test_traps_are_refused_with_a_remedy(text: str, remedy: str) -> None:
    with pytest.raises(AmbiguousScalar, match=remedy):
        read_plain(text)
    document = read(f"k: [1, {text}]\n".encode(), "f")
    assert document.data == {"k": [1, REFUSED]}
    (line,) = document.mistakes.lines()
    assert line.startswith("f:1:8: ")
    assert remedy in line


@pytest.mark.parametrize("text", ["on", "010", "12:30", "2024-05-01", "true", "null", "1e-5"])
def test_quoted_is_text(text: str) -> None:
    assert read(f"k: '{text}'".encode(), "f").data == {"k": text}
    assert read(f'k: "{text}"'.encode(), "f").data == {"k": text}


@given(st.integers(-(10**30), 10**30))
def test_integers_survive(number: int) -> None:
    assert read_plain(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive(number: float) -> None:
    assert read_plain(repr(number)) == number


def test_duplicate_keys_name_both_places() -> None:
    assert told("a: 1\nb: {c: 1, c: 2}\na: 3\n") == [
        "f:2:11: 'c' is given twice, first at 2:5; remove one",
        "f:3:1: 'a' is given twice, first at 1:1; remove one",
    ]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("a: &x {b: 1}\nc: {<<: *x}", "f:2:5: merge keys (<<) are not read; write the values out"),
        ("1: a", "f:1:1: a key must be text, not 1"),
        ("true: a", "f:1:1: a key must be text, not true"),
        ("? [a, b]\n: c", "f:1:3: a key must be text, not a list"),
        ("~: a", "f:1:1: a key must be text, not nothing"),
        ("on: a", "f:1:1: 'on' is true to some YAML readers and text to others; write true, or quote it"),
    ],
)
def test_keys_that_are_refused(source: str, line: str) -> None:
    assert told(source) == [line]


def test_anchors_are_expanded() -> None:
    document = read(b"a: &sizes [1, 2]\nb: *sizes\n", "f")
    assert document.data == {"a": [1, 2], "b": [1, 2]}
    assert document.mistakes.values["b", 1] == (1, 15)


def test_an_alias_bomb_is_refused() -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert "more than 20000 values" in refused("\n".join(["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]", *levels]))


def test_a_value_cannot_hold_itself() -> None:
    assert refused("a: &a [*a]").startswith("f:1:8: *a refers to nothing above it")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert f"nested more than {MAX_DEPTH} deep" in refused("a:\n  " + opening * 5000)


def test_deep_nesting_through_aliases_is_refused() -> None:
    chain = [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 30)]
    assert f"nested more than {MAX_DEPTH} deep" in refused("\n".join(["a0: &a0 [1]", *chain]))


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system [echo]", "!!python/name:os.system", "!mine x", "!!int 3", "!!str 3"]
)
def test_tags_are_refused(tag: str) -> None:
    assert refused(f"a: {tag}").startswith("f:1:4: tags are not read; remove ")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("", "f:1:1: the file is empty"),
        ("# only words\n", "f:1:1: the file is empty"),
        ("null", "f:1:1: the file is empty"),
        ("- a\n- b", "f:1:1: a mapping is needed, not a list"),
        ("words", "f:1:1: a mapping is needed, not text"),
        ("3", "f:1:1: a mapping is needed, not a single value"),
        ("a: [1, 2", "f:2:1: this is not YAML"),
        ("a: 1\n b: 2", "f:2:3: this is not YAML"),
        ("a: b: c", "f:1:5: this is not YAML"),
        ("a: 1\n---\nb: 2", "f:2:1: a second document"),
        ("a:\n\tb: 1", "f:2:1: a tab; write spaces"),
        ("a: *nothing", "f:1:4: *nothing refers to nothing above it"),
        ("a: @x", "f:1:4: this is not YAML"),
        ("%YAML 9.9\n---\na: 1", "f:1:"),
    ],
)
def test_what_cannot_be_read(source: str, line: str) -> None:
    assert refused(source).startswith(line)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (b"a: \xff\xfe", "f:1:4: not UTF-8"),
        ("a: 1\nb: é".encode("latin-1"), "f:2:4: not UTF-8"),
        ("a: 1".encode("utf-16"), "f:1:1: not UTF-8"),
        (b"a: \x00", "f:1:4: unreadable character U+0000"),
        (b"\x7fELF\x02\x01", "f:1:1: unreadable character U+007F"),
        ("a: \u2028".encode(), "f:1:4: unreadable character U+2028"),
        ("a: \ufeff1".encode(), "f:1:4: unreadable character U+FEFF"),
        (b"a: " + b"x" * MAX_BYTES, "f:1:1: larger than 256 KiB"),
    ],
)
def test_bytes_that_are_no_text(source: bytes, line: str) -> None:
    assert refused(source).startswith(line)


def test_byte_order_mark_and_line_ends_are_fine() -> None:
    document = read(b"\xef\xbb\xbfa: 1\r\nb: 2\rc: on\r\n", "f")
    assert (document.data["a"], document.data["b"]) == (1, 2)
    assert document.mistakes.lines()[0].startswith("f:3:4: ")


@given(st.binary(max_size=200))
def test_bytes_are_read_or_refused_with_a_place(source: bytes) -> None:
    try:
        data: Any = read(source, "f").data
    except ScenarioError as error:
        assert str(error).startswith("f:")
    else:
        assert isinstance(data, dict)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#?, \n1", max_size=80))
def test_near_yaml_is_read_or_refused_with_a_place(source: str) -> None:
    try:
        data: Any = read(source.encode(), "f").data
    except ScenarioError as error:
        assert str(error).startswith("f:")
    else:
        assert isinstance(data, dict)
