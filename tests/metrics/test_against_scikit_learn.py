"""Every figure, and every figure under resampling weights, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from lithify import metrics
from lithify.metrics import Sample


def rows(n, labels=2, seed=0, ties=True):
    g = np.random.default_rng(seed)
    y = np.append(np.arange(labels), g.integers(0, labels, n - labels))
    raw = 2.0 * np.eye(labels)[y] + g.normal(size=(n, labels))
    raw = np.round(raw, 1) if ties else raw
    p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    return y, p


def ovr(y, p, w):
    kinds = range(p.shape[1])
    return np.mean([reference.roc_auc_score(y == k, p[:, k], sample_weight=w) for k in kinds])


def missed(loss):
    def of(y, p, w):
        fpr, tpr, _ = reference.roc_curve(y, p[:, 1], sample_weight=w, drop_intermediate=False)
        return 1.0 - tpr[fpr <= loss].max()

    return of


BINARY = {
    "accuracy": lambda y, p, w: reference.accuracy_score(y, p[:, 1] >= p[:, 0], sample_weight=w),
    "balanced_accuracy": lambda y, p, w: reference.balanced_accuracy_score(y, p[:, 1] >= p[:, 0], sample_weight=w),
    "f1": lambda y, p, w: reference.f1_score(y, p[:, 1] >= p[:, 0], sample_weight=w),
    "auc": lambda y, p, w: reference.roc_auc_score(y, p[:, 1], sample_weight=w),
    "one_minus_roca_percent": lambda y, p, w: 100 * (1 - reference.roc_auc_score(y, p[:, 1], sample_weight=w)),
    "missed_at_1_per_100": missed(0.01),
    "missed_at_1_per_1000": missed(0.001),
    "log_loss": lambda y, p, w: reference.log_loss(y, p, sample_weight=w),
    "brier": lambda y, p, w: reference.brier_score_loss(y, p[:, 1], sample_weight=w),
}
MANY = {
    "accuracy": lambda y, p, w: reference.accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: reference.balanced_accuracy_score(y, p.argmax(1), sample_weight=w),
    "f1": lambda y, p, w: reference.f1_score(y, p.argmax(1), average="macro", sample_weight=w),
    "auc": ovr,
    "log_loss": lambda y, p, w: reference.log_loss(y, p, sample_weight=w),
    "brier": lambda y, p, w: np.average(((p - np.eye(p.shape[1])[y]) ** 2).sum(1), weights=w),
}
BY_NAME = {metric.name: metric for metric in metrics.METRICS}


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("name", BINARY)
def test_two_labels(name, ties):
    for seed, n in ((0, 2), (1, 37), (2, 900)):
        y, p = rows(n, seed=seed, ties=ties)
        assert BY_NAME[name](y, p) == pytest.approx(BINARY[name](y, p, None), abs=1e-9)


@pytest.mark.parametrize("name", MANY)
def test_more_labels(name):
    for labels, seed in ((3, 0), (7, 1)):
        y, p = rows(400, labels, seed)
        assert BY_NAME[name](y, p) == pytest.approx(MANY[name](y, p, None), abs=1e-9)


@pytest.mark.parametrize("labels", [2, 4])
def test_under_weights(labels):
    y, p = rows(300, labels)
    weights = np.random.default_rng(5).integers(0, 4, size=(6, len(y))).astype(float)
    for name, function in (BINARY if labels == 2 else MANY).items():
        found = BY_NAME[name].function(Sample.of(y, p).weighted(weights))
        expected = [function(y, p, w) for w in weights]
        np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=name)


def test_confusion():
    y, p = rows(300, 4)
    np.testing.assert_array_equal(metrics.confusion(y, p), reference.confusion_matrix(y, p.argmax(1)))


def test_roc():
    y, p = rows(300)
    found = metrics.roc(y, p)
    expected = reference.roc_curve(y, p[:, 1], drop_intermediate=False)
    for mine, theirs in zip((found.false_positive, found.true_positive, found.threshold), expected, strict=True):
        np.testing.assert_allclose(mine, theirs)
