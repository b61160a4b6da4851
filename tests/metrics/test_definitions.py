"""Figures that scikit-learn does not have, against the plainest possible code; and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithify import metrics
from lithify.errors import DataError
from lithify.metrics import METRICS

OF_LABELS = [metric for metric in METRICS if metric.task == "classification"]

binary = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=1, max_size=40
)


def logit(x):
    return math.log(x / (1 - x))


def test_lam_is_the_mean_of_log_odds():
    y = [0] * 100 + [1] * 50
    p = [0.9] * 3 + [0.1] * 97 + [0.1] * 7 + [0.9] * 43
    expected = 100 / (1 + math.exp(-(logit(3.5 / 101) + logit(7.5 / 51)) / 2))
    assert metrics.lam_percent(y, p) == pytest.approx(expected)


def test_lam_of_no_errors_is_not_zero():
    measured = metrics.measure([0] * 100 + [1] * 50, [0.1] * 100 + [0.9] * 50)["lam_percent"]
    assert 0 < measured.low < measured.value < measured.high < 20


def test_calibration_error_by_hand():
    p = np.array([0.1] * 10 + [0.8] * 10)
    y = np.array([1] * 3 + [0] * 7 + [1] * 5 + [0] * 5)
    assert metrics.calibration_error(y, p) == pytest.approx((abs(0.1 - 0.3) + abs(0.8 - 0.5)) / 2)


def test_calibration_error_of_many_labels_is_that_of_the_top_label():
    p = np.array([[0.6, 0.3, 0.1]] * 10)
    y = np.array([0] * 4 + [1] * 6)
    assert metrics.calibration_error(y, p) == pytest.approx(0.2)


def test_equal_mass_bins():
    g = np.random.default_rng(0)
    p = g.random(1500)
    y = (g.random(1500) < p**2).astype(int)
    order = np.argsort(p)
    expected = np.mean([abs(p[part].mean() - y[part].mean()) for part in np.array_split(order, 15)])
    assert metrics.calibration_error(y, p) == pytest.approx(expected)


def test_missed_counts_a_tie_with_a_lost_ham_as_missed():
    y = np.array([0] * 99 + [0] + [1, 1, 1, 1])
    p = np.array([0.1] * 99 + [0.8] + [0.8, 0.9, 0.95, 0.05])
    assert metrics.missed_at_1_per_1000(y, p) == 0.5
    assert metrics.missed_at_1_per_100(y, p) == 0.25


def test_a_probability_of_one_half_counts_as_positive():
    assert metrics.confusion([0, 1], [0.5, 0.5]).tolist() == [[0, 1], [0, 1]]


@settings(max_examples=60, deadline=None)
@given(binary)
def test_order_of_rows_does_not_matter(found):
    y, p = np.array([row[0] for row in found]), np.array([row[1] for row in found])
    turned = np.arange(len(y))[::-1]
    for metric in OF_LABELS:
        if metric.needs == "rows" or len(set(y.tolist())) == 2:
            assert metric(y, p) == metric(y[turned], p[turned]), metric.name


@settings(max_examples=60, deadline=None)
@given(binary)
def test_metrics_are_finite_and_within_their_intervals(found):
    measured = metrics.measure([row[0] for row in found], [row[1] for row in found])
    for name, (value, low, high) in measured.items():
        assert 0.0 <= low <= value <= high < math.inf, name


def test_one_label_only_leaves_out_what_needs_two():
    measured = metrics.measure([0, 0, 0], [0.1, 0.2, 0.7])
    assert "accuracy" in measured
    assert not {"auc", "lam_percent", "missed_at_1_per_100", "one_minus_roca_percent"} & measured.keys()
    with pytest.raises(DataError, match="two labels"):
        metrics.one_minus_roca_percent([0, 0], [0.1, 0.2])


@pytest.mark.parametrize(
    ("y", "p"),
    [([], []), ([0], [0.1, 0.2]), ([2], [0.5]), ([-1], [0.5]), ([0], [math.nan]), ([0], [1.5]), ([0], [[1.0]])],
)
def test_bad_input_is_refused(y, p):
    with pytest.raises(DataError):
        metrics.accuracy(y, p)


def test_titles_name_the_labels():
    assert metrics.missed_at_1_per_1000.titled(("ham", "spam")) == "Spam missed at 0.1 % ham loss"


def test_every_metric_is_documented_and_named_once():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert len(metric.__doc__ or "") > 40
        assert getattr(metrics, metric.name) is metric
