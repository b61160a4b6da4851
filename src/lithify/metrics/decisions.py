"""Metrics of the most probable label, whatever its probability."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import numerics
from lithify.metrics.base import Limits, metric
from lithify.metrics.limits import Z, mover, wilson
from lithify.metrics.sample import Sample
from lithify.metrics.weighted import across


def _accuracy_limits(sample: Sample) -> Limits:
    return wilson(float(sample.correct.sum()), float(sample.total[0]))


@metric("Accuracy", "higher", limits=_accuracy_limits, bootstrap=False)
def accuracy(sample: Sample) -> NDArray[np.float64]:
    """Share of rows whose most probable label is the true one. Interval: Wilson."""
    right: NDArray[np.float64] = sample.correct.sum(axis=1)
    return right / sample.total


def _recall_limits(sample: Sample) -> Limits:
    present = sample.labels
    right, rows = sample.correct[0, present], sample.actual[0, present]
    parts = [wilson(float(k), float(n)) for k, n in zip(right, rows, strict=True)]
    return mover([float(k / n) for k, n in zip(right, rows, strict=True)], parts)


@metric("Balanced accuracy", "higher", limits=_recall_limits, bootstrap=False)
def balanced_accuracy(sample: Sample) -> NDArray[np.float64]:
    """Mean over the labels that occur of the share of their rows that is found. Interval: MOVER of Wilson."""
    present = sample.labels
    return across(sample.correct[:, present] / sample.actual[:, present]) / len(present)


def _scored(sample: Sample) -> NDArray[np.int64]:
    """Labels whose F1 counts: of two the positive one, else all that occur or are predicted."""
    if sample.p.shape[1] == 2:
        return np.array([1])
    return np.union1d(sample.labels, sample.predicted)


def _f1_limits(sample: Sample) -> Limits:
    """Wilson for true positives among all that are positive or called so, carried over to F1.

    F1 = 2 q / (1 + q) with q = TP / (TP + FP + FN); the indirect Wilson interval of Lam 2023, arXiv:2309.14621.
    """
    points, parts = [], []
    for label in _scored(sample):
        right = float(sample.correct[0, label])
        low, high = wilson(right, float(sample.actual[0, label] + sample.called[0, label]) - right)
        points.append(float(_f1_of(sample, np.array([label]))[0, 0]))
        parts.append((2 * low / (1 + low), 2 * high / (1 + high)))
    return mover(points, parts)


def _f1_of(sample: Sample, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    both = sample.actual[:, labels] + sample.called[:, labels]
    return 2.0 * sample.correct[:, labels] / np.maximum(both, 1.0)


@metric("F1", "higher", limits=_f1_limits)
def f1(sample: Sample) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall: of the positive label, or averaged over more than two labels.

    Zero where a label neither occurs nor is predicted. Interval: hull of bootstrap and indirect Wilson.
    """
    labels = _scored(sample)
    return across(_f1_of(sample, labels)) / len(labels)


def _odds(sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Half the sum of the two log-odds of misclassification, and its variance. (R,) each"""
    wrong = sample.actual - sample.correct + 0.5
    right = sample.correct + 0.5
    return across(numerics.log(wrong / right)) / 2.0, across(1.0 / wrong + 1.0 / right) / 4.0


def _lam_limits(sample: Sample) -> Limits:
    middle, variance = _odds(sample)
    margin = Z * np.sqrt(variance)
    low, high = numerics.sigmoid(np.concatenate([middle - margin, middle + margin])) * 100.0
    return float(low), float(high)


@metric("LAM %", "lower", needs="two labels", unit="percent", limits=_lam_limits, bootstrap=False)
def lam_percent(sample: Sample) -> NDArray[np.float64]:
    """Logistic average misclassification of the TREC spam track, in percent.

    The mean on the scale of log-odds of the share of negatives misclassified and that of positives (Cormack, Lynam:
    TREC 2005 Spam Track Overview). Half a row is added to the wrong and to the right of either label, so that none
    wrong is not taken for never wrong; that correction also gives the interval (Gart, Zweifel 1967,
    doi:10.1093/biomet/54.1-2.181).
    """
    return numerics.sigmoid(_odds(sample)[0]) * 100.0


def confusion(y: Any, p: Any) -> NDArray[np.int64]:
    """Rows by true label (down) and most probable label (across): (C, C).

    >>> confusion([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]).tolist()
    [[1, 1], [1, 1]]
    """
    sample = Sample.of(y, p)
    size = sample.p.shape[1]
    return np.bincount(sample.y * size + sample.predicted, minlength=size * size).reshape(size, size)
