"""Counter-based randomness: pure, well spread, and the same for ever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify import rng


def test_known_draws() -> None:
    """Computed once; a change would change every model."""
    assert rng.key(0, "shuffle", 1) == KNOWN_KEY
    assert rng.bits(KNOWN_KEY, 0, 3).tolist() == KNOWN_BITS
    assert rng.permute(KNOWN_KEY, np.arange(10), 10).tolist() == KNOWN_ORDER


KNOWN_KEY = 9853653574057004810
KNOWN_BITS = [5196654469349600322, 8235982537342637650, 10685959857136571274]
KNOWN_ORDER = [1, 3, 8, 2, 6, 9, 5, 0, 7, 4]


def test_splitmix64() -> None:
    """The reference sequence of the generator seeded with 1234567."""
    assert rng.bits(1234567, 0, 3).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_a_draw_depends_on_its_number_alone() -> None:
    stream = rng.key(3, "x")
    whole = rng.bits(stream, 0, 1000)
    order = rng.permute(stream, np.arange(1000), 1000)
    np.testing.assert_array_equal(rng.bits(stream, order), whole[order])
    np.testing.assert_array_equal(rng.bits(stream, 900, 100), whole[900:])
    assert int(rng.bits(stream, 5)) == whole[5]


def test_streams_differ() -> None:
    keys = {rng.key(seed, purpose, step) for seed in range(3) for purpose in "ab" for step in range(3)}
    assert len(keys) == 18
    first, second = (rng.uniform(rng.key(0, purpose), 0, 100_000) for purpose in ("a", "b"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.015


def test_uniform_is_uniform() -> None:
    values = rng.uniform(rng.key(0, "u"), 0, 1_000_000)
    assert values.min() >= 0.0
    assert values.max() < 1.0
    counts = np.bincount((values * 1000).astype(int), minlength=1000)
    chi_square = ((counts - 1000.0) ** 2 / 1000.0).sum()
    assert 999 - 5 * 45 < chi_square < 999 + 5 * 45


@pytest.mark.parametrize("bound", [1, 2, 3, 7, 1000, 2**32])
def test_below(bound: int) -> None:
    values = rng.below(rng.key(0, "b"), 0, bound, 20_000)
    assert values.min() >= 0
    assert values.max() < bound
    assert abs(values.mean() / bound - (1 - 1 / bound) / 2) < 0.02


@pytest.mark.parametrize("bound", [0, -1, 2**32 + 1])
def test_below_nothing(bound: int) -> None:
    with pytest.raises(ValueError, match="bound"):
        rng.below(0, 0, bound, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(1, 5000))
def test_permute_is_a_bijection(stream: int, n: int) -> None:
    assert np.array_equal(np.sort(rng.permute(stream, np.arange(n), n)), np.arange(n))


@pytest.mark.parametrize("n", [2**20, 2**40 + 3, 2**62])
def test_permute_of_large_ranges(n: int) -> None:
    index = np.concatenate([np.arange(50_000), n - 1 - np.arange(1000)])
    places = rng.permute(rng.key(0, "large"), index, n)
    assert len(np.unique(places)) == len(index)
    assert places.min() >= 0
    assert places.max() < n
    assert 0.48 < places.mean() / n < 0.52


def test_permute_spreads_every_start_everywhere() -> None:
    n = 8
    counts = np.zeros((n, n))
    for seed in range(2000):
        counts[np.arange(n), rng.permute(rng.key(seed, "spread"), np.arange(n), n)] += 1
    assert (abs(counts - 250) < 6 * 16).all()


@pytest.mark.parametrize("index", [[-1], [5], [0, 5]])
def test_permute_refuses_what_is_outside(index: list[int]) -> None:
    with pytest.raises(ValueError, match="outside"):
        rng.permute(0, np.array(index), 5)
    assert rng.permute(0, np.array([], dtype=np.int64), 5).shape == (0,)
    assert rng.permute(0, np.array([0]), 1).tolist() == [0]
