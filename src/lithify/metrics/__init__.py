"""Figures of merit: pure functions of labels and probabilities, each with a direction, needs and an interval.

A metric is one decorated function of a :class:`~lithify.metrics.base.Sample` in ``decisions``, ``ranking`` or
``probabilities``, named in :data:`METRICS`. It is called with labels and probabilities and gives a number;
:func:`measure` adds the intervals.

>>> import numpy as np
>>> y, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
>>> accuracy(y, p), auc(y, p)
(0.5, 0.75)
"""

from __future__ import annotations

from lithify.metrics.base import Metric, Sample
from lithify.metrics.decisions import accuracy, balanced_accuracy, confusion, f1, lam_percent
from lithify.metrics.intervals import Measured, measure_all
from lithify.metrics.limits import wilson
from lithify.metrics.probabilities import brier, calibration_error, log_loss
from lithify.metrics.ranking import auc, missed_at_1_per_100, missed_at_1_per_1000, one_minus_roca_percent, roc

METRICS: tuple[Metric, ...] = (
    missed_at_1_per_1000,
    missed_at_1_per_100,
    one_minus_roca_percent,
    auc,
    lam_percent,
    accuracy,
    balanced_accuracy,
    f1,
    log_loss,
    brier,
    calibration_error,
)
"""All metrics, in the order in which they are shown."""


def measure(y: object, p: object, metrics: tuple[Metric, ...] = METRICS, seed: int = 0) -> dict[str, Measured]:
    """Every metric that these rows allow, with its 95 % interval; see :func:`~lithify.metrics.intervals.measure_all`.

    >>> measure([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])["accuracy"].value
    0.5
    """
    return measure_all(Sample.of(y, p), metrics, seed)


__all__ = [
    "METRICS",
    "Measured",
    "Metric",
    "Sample",
    "accuracy",
    "auc",
    "balanced_accuracy",
    "brier",
    "calibration_error",
    "confusion",
    "f1",
    "lam_percent",
    "log_loss",
    "measure",
    "missed_at_1_per_100",
    "missed_at_1_per_1000",
    "one_minus_roca_percent",
    "roc",
    "wilson",
]
