"""Figures of predicted values: against scikit-learn, under resampling weights, and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from lithify import metrics
from lithify.errors import DataError
from lithify.metrics import METRICS, Values

OF_VALUES = [metric for metric in METRICS if metric.task == "regression"]
numbers = st.floats(-1e200, 1e200, allow_nan=False)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=30)


def rows(n, seed=0):
    g = np.random.default_rng(seed)
    y = np.round(g.normal(size=n) * 3.0 + 10.0, 2)
    return y, y + g.standard_t(4, size=n) * 0.5 + 0.1


REFERENCE = {
    "rmse": reference.root_mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r_squared": reference.r2_score,
    "pinball_loss": lambda y, p, sample_weight: reference.mean_pinball_loss(
        y, p, sample_weight=sample_weight, alpha=0.8
    ),
    "median_absolute_error": None,
}


def test_every_metric_of_values_has_a_reference():
    assert REFERENCE.keys() == {metric.name for metric in OF_VALUES}


@pytest.mark.parametrize("metric", OF_VALUES, ids=lambda metric: metric.name)
def test_against_scikit_learn(metric):
    y, p = rows(301)
    g = np.random.default_rng(1)
    weights = g.integers(0, 4, (5, 301)).astype(float)
    sample = Values.of(y, p, 0.8)
    for found, w in zip(metric.function(sample.weighted(weights)), weights, strict=True):
        if metric.name == "median_absolute_error":
            expected = np.median(np.repeat(np.abs(y - p), w.astype(int)))
        else:
            expected = REFERENCE[metric.name](y, p, sample_weight=w)
        assert found == pytest.approx(expected, rel=1e-12)
    assert metric(y, p, 0.8) == pytest.approx(metric.function(sample)[0])


def test_order_of_rows_does_not_matter_not_even_for_the_interval():
    y, p = rows(120)
    turned = np.random.default_rng(3).permutation(120)
    assert metrics.measure_values(y, p) == metrics.measure_values(y[turned], p[turned])


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_figures_are_finite_and_within_their_intervals(found):
    y, p = np.array([pair[0] for pair in found]), np.array([pair[1] for pair in found])
    for name, (value, low, high) in metrics.measure_values(y, p, level=0.5).items():
        if name != "r_squared" or np.ptp(y) > 1e-3 * np.abs(p).max():
            assert -math.inf < low <= value <= high < math.inf, name
            assert low >= 0.0 or name == "r_squared"


def test_perfect_and_useless_predictions():
    y, _ = rows(50)
    found = metrics.measure_values(y, y)
    assert (found["rmse"].value, found["r_squared"].value) == (0.0, 1.0)
    assert metrics.r_squared(y, np.full(50, y.mean())) == pytest.approx(0.0, abs=1e-12)
    assert metrics.measure_values(y, -y)["r_squared"].low < 0.0


def test_what_is_not_defined_is_left_out():
    found = metrics.measure_values([2.0, 2.0], [1.0, 3.0])
    assert "r_squared" not in found
    assert "pinball_loss" not in found
    assert "accuracy" not in found
    with pytest.raises(DataError, match="two values"):
        metrics.r_squared([2.0, 2.0], [1.0, 3.0])
    with pytest.raises(DataError, match="level of a quantile"):
        metrics.pinball_loss([1.0, 2.0], [1.0, 3.0])
    assert metrics.pinball_loss([1.0, 2.0], [0.0, 4.0], 0.9) == pytest.approx((0.9 + 0.2) / 2)


@pytest.mark.parametrize(
    ("y", "p", "level"),
    [
        ([], [], None),
        ([0.0], [0.0, 1.0], None),
        ([math.nan], [0.0], None),
        ([0.0], [math.inf], None),
        ([0.0], [0.0], 1),
    ],
)
def test_bad_input_is_refused(y, p, level):
    with pytest.raises(DataError):
        metrics.measure_values(y, p, level=level)


def test_intervals_cover_the_truth():
    """Of 60 samples about 95 % must hold the figure of the whole."""
    whole = metrics.measure_values(*rows(40_000, 99), level=0.8)
    held = dict.fromkeys(whole, 0)
    for seed in range(60):
        for name, (_, low, high) in metrics.measure_values(*rows(200, seed), level=0.8).items():
            held[name] += low <= whole[name].value <= high
    assert len(held) == len(OF_VALUES)
    assert min(held.values()) >= 0.85 * 60, held


def test_very_many_rows_are_thinned(monkeypatch):
    y, p = rows(4000)
    whole = metrics.measure_values(y, p)
    monkeypatch.setattr("lithify.metrics.intervals.MOST_ROWS", 1000)
    thinned = metrics.measure_values(y, p)
    for name in ("rmse", "mae", "r_squared"):
        assert thinned[name].value == whole[name].value
        width = whole[name].high - whole[name].low
        assert thinned[name].high - thinned[name].low == pytest.approx(width, rel=0.35), name


def test_titles_need_no_labels():
    assert next(metric.titled() for metric in OF_VALUES) == "Root mean squared error"
