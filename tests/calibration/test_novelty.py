from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithify import novelty
from lithify.data.state import State
from lithify.errors import UsageError


def world(rows: int, seed: int, d: int = 12, labels: int = 4, shift: float = 0.0):
    """Embeddings around one mean for each label, and scores that follow from them."""
    g = np.random.default_rng(seed)
    means = 4.0 * np.eye(labels, d)
    y = g.integers(0, labels, rows)
    at = means[y] + g.normal(size=(rows, d)) * np.linspace(0.5, 2.0, d) + shift
    return at.astype(np.float32), (at @ means.T) / 4.0, y


@pytest.fixture(scope="module")
def state() -> State:
    at, _, y = world(2000, 0)
    place, raw, _ = world(1000, 1)
    fitted = novelty.fit((at, y), raw, place, 4)
    assert fitted is not None
    return fitted


def test_familiar_rows_are_called_unusual_as_often_as_stated(state: State) -> None:
    place, raw, _ = world(20_000, 2)
    values = novelty.novelty(state, raw, place)
    for level in (0.01, 0.05, 0.2, 0.5):
        assert (values >= 1 - level).mean() == pytest.approx(level, rel=0.35)


def test_far_rows_are_unusual(state: State) -> None:
    place, raw, _ = world(500, 3, shift=12.0)
    assert (novelty.novelty(state, np.zeros_like(raw), place) >= novelty.UNLIKE).all()


def test_calibration_is_exact_on_average_over_samples() -> None:
    """Of rows exchangeable with those calibrated with at most one in ten is at 0.9 or above."""
    at, _, y = world(400, 0)
    called = []
    for seed in range(200):
        place, raw, _ = world(30, 10 + seed)
        state = novelty.fit((at, y), raw, place, 4)
        others, scores, _ = world(50, 1000 + seed)
        called.append((novelty.novelty(state, scores, others) >= 0.9).mean())
    assert 0.06 < np.mean(called) < 0.105


@given(st.lists(st.integers(0, 999), min_size=1, max_size=9), st.integers(0, 5))
def test_each_row_by_itself(state: State, rows: list[int], seed: int) -> None:
    place, raw, _ = world(1000, seed)
    some = novelty.novelty(state, raw[rows], place[rows])
    alone = [novelty.novelty(state, raw[[row]], place[[row]])[0] for row in rows]
    assert some.tolist() == alone
    assert ((some >= 0) & (some <= 1000 / 1001)).all()


def test_two_labels_are_told_by_their_distance_alike() -> None:
    """Of two labels raw scores are (0, s): sure of the first is as familiar as sure of the second."""
    at = np.random.default_rng(0).normal(size=(200, 3))
    s = np.linspace(-5, 5, 200)
    raw = np.stack([np.zeros(200), s], axis=1)
    state = novelty.fit((at, (s > 0).astype(int)), raw, at, 2)
    place = at[[7, 7]]
    low, high = novelty.novelty(state, [[0.0, -4.0], [0.0, 4.0]], place)
    assert low == pytest.approx(high)
    unsure = novelty.novelty(state, [[0.0, 0.1]], place[:1])[0]
    assert unsure > low


def test_labels_of_few_rows_have_no_mean() -> None:
    at, raw, _ = world(100, 0)
    y = np.array([0] * 60 + [1] * 31 + [2] * 9)
    assert novelty.fit((at, y), raw, at, 4).arrays["means"].shape == (2, 12)
    few = novelty.fit((at[:9], y[:9]), raw, at, 4)
    assert few.arrays["means"].shape == (1, 12)
    unit = at[:9] / np.sqrt((at[:9] ** 2).sum(axis=1, keepdims=True))
    assert few.arrays["means"][0] == pytest.approx(unit.mean(axis=0), abs=1e-6)


def test_how_long_embeddings_are_does_not_count(state: State) -> None:
    place, raw, _ = world(50, 4)
    longer = novelty.novelty(state, raw, 8 * place)
    assert longer.tolist() == novelty.novelty(state, raw, place).tolist()
    assert np.isfinite(novelty.novelty(state, raw, 0 * place)).all()


def test_nothing_that_varies_is_no_fault() -> None:
    at, raw = np.ones((50, 4)), np.zeros((50, 3))
    state = novelty.fit((at, np.zeros(50, dtype=int)), raw, at, 3)
    assert novelty.sound(state, 3)
    assert np.isfinite(novelty.novelty(state, raw, at)).all()


@pytest.mark.parametrize("rows", [0, 1, novelty.LEAST_ROWS - 1])
def test_too_few_rows_say_nothing(rows: int) -> None:
    at, raw, y = world(100, 0)
    assert novelty.fit((at, y), raw[:rows], at[:rows], 4) is None
    assert novelty.fit((at[:0], y[:0]), raw, at, 4) is None


def test_what_does_not_belong_together_is_refused() -> None:
    at, raw, y = world(100, 0)
    for learned, scores, place in (((at, y[1:]), raw, at), ((at, y), raw[1:], at), ((at, y), raw[:, 1:], at)):
        with pytest.raises(UsageError):
            novelty.fit(learned, scores, place, 4)
    raw[0, 0] = np.inf
    with pytest.raises(UsageError):
        novelty.fit((at, y), raw, at, 4)


def test_what_is_not_a_number_is_unusual(state: State) -> None:
    place, raw, _ = world(1, 0)
    place[0, 0] = np.nan
    assert novelty.novelty(state, raw, place)[0] == 1000 / 1001
