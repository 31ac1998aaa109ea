"""Texts and sources: the same for the same seed, and with the answers they claim to have."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tbench.training.corpus import READERS, text
from tbench.training.sources import Markov, Recall


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", READERS)
def test_text_is_real_split_and_versioned(name: str) -> None:
    read = text(name)
    assert len(read.training) > 250_000
    every = len(read.training) + len(read.tuning) + len(read.held_out)
    assert 0.09 < len(read.held_out) / every < 0.11 and len(read.tuning) == len(read.held_out)
    letters = sum(chr(byte).isalpha() for byte in read.training[:10_000].tolist())
    assert letters > 5_000
    assert read.version.startswith("Python 3.") and len(read.version.split()[-1]) == 16
    unseen = read.unseen(64, 10)
    assert unseen.shape == (10, 65) and torch.equal(unseen, read.unseen(64, 10))


@pytest.mark.parametrize("name", READERS)
def test_nothing_judged_was_trained_on(name: str) -> None:
    """The language reference's help prints whole sections under two names."""
    read = text(name)
    parts = [bytes(part.tolist()).split(b"\n\n") for part in (read.training, read.tuning, read.held_out)]
    seen: set[bytes] = set()
    for part in parts:
        assert not seen & set(part)
        seen |= set(part[1:-1])  # those at the seams are cut


def test_what_rates_are_chosen_with_is_not_what_arms_are_judged_with() -> None:
    for data in (text("topics"), Markov(), Recall(10)):
        assert not torch.equal(data.unseen(31, 8, tuning=True), data.unseen(31, 8))
        for seed in (0, 1, 1000):
            assert not torch.equal(data.batch(seeded(seed), 8, 31), data.unseen(31, 8))
    read = text("topics")
    assert torch.equal(read.unseen(31, 8, tuning=True)[0], read.tuning[:32])
    near = read.unseen(64, 10**6, every=16)
    assert torch.equal(near[1], read.held_out[16 : 16 + 65]) and len(near) > 3 * len(read.unseen(64, 10**6))


def test_an_unknown_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"is not a text \(choose from topics, library\)"):
        text("wikipedia")


@pytest.mark.parametrize("data", [text("topics"), Markov(), Recall(10)], ids=lambda data: type(data).__name__)
def test_batches_depend_on_the_seed_alone(data: object) -> None:
    one, two = (data.batch(seeded(7), 4, 31) for _ in range(2))  # type: ignore[attr-defined]
    assert one.shape == (4, 32) and one.dtype == torch.int64 and one.min() >= 0 and one.max() < 256
    assert torch.equal(one, two)
    assert not torch.equal(one, data.batch(seeded(8), 4, 31))  # type: ignore[attr-defined]


def test_entropy_of_noise_is_that_of_a_die() -> None:
    assert Markov(symbols=6, order=2, sharpness=0.0).entropy == pytest.approx(math.log(6))


def test_a_long_sequence_has_the_entropy_of_its_source() -> None:
    source = Markov(symbols=4, order=2)
    rows = source.batch(seeded(0), 200, 500)
    states = rows[:, :-2] * 4 + rows[:, 1:-1]
    surprise = -source.chances[states, rows[:, 2:]].log()
    assert surprise.mean().item() == pytest.approx(source.entropy, rel=0.02)


def test_byte_frequencies_alone_are_worth_what_english_text_is() -> None:
    assert 3.0 < text("topics").unigram < 3.5


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 20), st.integers(0, 1000))
def test_the_answer_stands_where_the_question_finds_it(distance: int, pairs: int, room: int, seed: int) -> None:
    source = Recall(distance, pairs)
    length = source.shortest + room
    rows = source.batch(seeded(seed), 5, length)
    for row in rows.tolist():
        question, answer = row[-2:]
        assert 64 <= question < 128 and 0 <= answer < source.values
        first = row.index(question)
        assert row[first + 1] == answer and row.count(question) == 2
        assert length - 1 - (first + 1) >= distance  # from the value to the question, the last byte a model sees
    last_value = length - source.shortest + 2 * pairs - 1
    assert length - 1 - last_value == distance


def test_a_sequence_too_short_for_the_distance_is_refused() -> None:
    with pytest.raises(ValueError, match="1 pairs at a distance of 100 take 102 bytes"):
        Recall(100).batch(seeded(0), 1, 64)
