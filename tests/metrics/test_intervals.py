"""Intervals: deterministic, of the right width, never collapsed where no errors were seen."""

from __future__ import annotations

import numpy as np
import pytest

from lithify import metrics
from lithify.metrics import METRICS, limits
from lithify.metrics.intervals import resamples


def drawn(n, seed, separation=2.0):
    g = np.random.default_rng(seed)
    y = (g.random(n) < 0.3).astype(int)
    return y, 1 / (1 + np.exp(-(separation * (2 * y - 1) + g.normal(size=n) * 1.5)))


def test_equal_rows_give_equal_bits():
    y, p = drawn(300, 0)
    assert metrics.measure(y, p) == metrics.measure(y, p)
    assert metrics.measure(y, p) != metrics.measure(y, p, seed=1)


def test_resamples_keep_the_rows_of_each_label():
    y = np.array([0] * 7 + [1] * 3 + [2])
    weights = np.concatenate(list(resamples(y, 0, 500)))
    assert weights.shape == (500, 11)
    for label, rows in ((0, 7), (1, 3), (2, 1)):
        assert (weights[:, y == label].sum(axis=1) == rows).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(11), abs=0.2)
    assert weights[:, 0].var() == pytest.approx(6 / 7, abs=0.2)


def test_blocks_do_not_change_the_draws(monkeypatch):
    y = np.array([0] * 20 + [1] * 10)
    whole = np.concatenate(list(resamples(y, 3, 100)))
    monkeypatch.setattr("lithify.metrics.intervals._BLOCK", 30 * 7)
    np.testing.assert_array_equal(whole, np.concatenate(list(resamples(y, 3, 100))))


def test_fewer_resamples_for_many_rows():
    y = np.zeros(50_000, dtype=np.int64)
    y[::2] = 1
    assert sum(len(block) for block in resamples(y, 0)) == 400


@pytest.mark.parametrize("separated", [True, False])
def test_no_errors_do_not_give_an_interval_of_no_width(separated):
    y = np.array([0] * 80 + [1] * 40)
    p = np.where((y == 1) == separated, 0.9, 0.1)
    for name, (_, low, high) in metrics.measure(y, p).items():
        if name not in ("log_loss", "brier", "calibration_error"):
            assert high > low, name


def test_no_errors_of_many_labels():
    y = np.repeat(np.arange(4), 10)
    measured = metrics.measure(y, np.eye(4)[y] * 0.9 + 0.025)
    for name in ("accuracy", "balanced_accuracy", "f1", "auc"):
        assert measured[name].value == 1.0
        assert 0.5 < measured[name].low < 1.0


def test_wilson_is_the_published_example():
    # Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), table I, method 3
    assert limits.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert limits.wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert limits.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert limits.wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert limits.wilson(0, 0) == (0.0, 1.0)


def test_auc_limits_mirror_each_other():
    low, high = limits.newcombe_auc(0.83, 40, 60)
    other_low, other_high = limits.newcombe_auc(0.17, 40, 60)
    assert (low, high) == pytest.approx((1 - other_high, 1 - other_low))
    assert low < 0.83 < high


def test_intervals_cover_the_truth():
    """Of 60 samples about 95 % must hold the figure of the whole; a wrong bootstrap misses far more."""
    whole = metrics.measure(*drawn(20_000, 99), metrics=METRICS)
    held = dict.fromkeys(whole, 0)
    for seed in range(60):
        measured = metrics.measure(*drawn(200, seed))
        for name, (_, low, high) in measured.items():
            held[name] += low <= whole[name].value <= high
    held.pop("calibration_error")  # noise is part of that figure, so it shrinks with rows
    held.pop("missed_at_1_per_1000")  # 140 ham cannot show it
    assert min(held.values()) >= 0.85 * 60, held


def test_calibration_error_interval_is_moved_back_by_its_bias():
    g = np.random.default_rng(0)
    p = g.random(400)
    y = (g.random(400) < p).astype(int)
    value, low, high = metrics.measure(y, p)["calibration_error"]
    assert low < value < high
    assert value - low > 0.2 * (high - low)


def test_very_many_rows_are_thinned_and_the_interval_shrunk(monkeypatch):
    y, p = drawn(4000, 3)
    whole = metrics.measure(y, p)
    monkeypatch.setattr("lithify.metrics.intervals.MOST_ROWS", 1000)
    thinned = metrics.measure(y, p)
    for name in ("auc", "log_loss", "brier", "missed_at_1_per_100"):
        assert thinned[name].value == whole[name].value
        width = whole[name].high - whole[name].low
        assert thinned[name].high - thinned[name].low == pytest.approx(width, rel=0.35), name


def test_thinning_keeps_a_rare_label(monkeypatch):
    monkeypatch.setattr("lithify.metrics.intervals.MOST_ROWS", 50)
    y = np.array([0] * 500 + [1] * 2)
    assert metrics.measure(y, np.linspace(0, 1, 502))["auc"].value == 1.0
