"""What the coverage-guided fuzzer (`bench/fuzz.py`) is pointed at, on the corpus that it has found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reliability.fuzzed import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_is_read_or_refused(name: str) -> None:
    seeds = sorted((CORPUS / name).iterdir())
    assert seeds
    for seed in seeds:
        TARGETS[name](seed.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=25, deadline=None)
@given(source=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(name: str, source: bytes) -> None:
    TARGETS[name](source)
