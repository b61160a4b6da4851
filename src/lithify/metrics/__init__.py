"""Figures of merit: pure functions of arrays, each with the task it is for, a direction, needs and an interval.

A metric is one decorated function, named in :data:`METRICS`: of a :class:`~lithify.metrics.sample.Sample` in
``decisions``, ``ranking`` or ``probabilities``, of :class:`~lithify.metrics.values.Values` in ``regression``. It is
called with labels and probabilities, or with values and predictions, and gives a number; :func:`measure` and
:func:`measure_values` add the intervals.

>>> import numpy as np
>>> y, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
>>> accuracy(y, p), auc(y, p)
(0.5, 0.75)
>>> rmse([1.0, 2.0, 4.0], [1.0, 2.0, 1.0]), median_absolute_error([1.0, 2.0, 4.0], [1.0, 2.0, 1.0])
(1.7320508075688772, 0.0)
"""

from __future__ import annotations

from lithify.metrics.base import Metric
from lithify.metrics.decisions import accuracy, balanced_accuracy, confusion, f1, lam_percent
from lithify.metrics.intervals import Measured, measure_all
from lithify.metrics.limits import wilson
from lithify.metrics.probabilities import brier, calibration_error, log_loss
from lithify.metrics.ranking import auc, missed_at_1_per_100, missed_at_1_per_1000, one_minus_roca_percent, roc
from lithify.metrics.regression import mae, median_absolute_error, pinball_loss, r_squared, rmse
from lithify.metrics.sample import Sample
from lithify.metrics.values import Values

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
    rmse,
    mae,
    median_absolute_error,
    r_squared,
    pinball_loss,
)
"""All metrics of both tasks, in the order in which they are shown."""
FILTERING: tuple[Metric, ...] = (missed_at_1_per_1000, missed_at_1_per_100, one_minus_roca_percent, lam_percent)
"""Those that say how well a filter sorts out mail or text, and mean nothing to a reader of a table or of pictures."""


def of_kind(kind: str) -> tuple[Metric, ...]:
    """The metrics for rows of a kind: ``mail``, ``text``, ``table`` or ``image``.

    >>> [metric.name for metric in of_kind("table") if metric.task == "classification"]
    ['auc', 'accuracy', 'balanced_accuracy', 'f1', 'log_loss', 'brier', 'calibration_error']
    """
    return tuple(metric for metric in METRICS if kind in ("mail", "text") or metric not in FILTERING)


def measure(y: object, p: object, metrics: tuple[Metric, ...] = METRICS, seed: int = 0) -> dict[str, Measured]:
    """Every metric that these rows allow, with its 95 % interval; see :func:`~lithify.metrics.intervals.measure_all`.

    >>> measure([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])["accuracy"].value
    0.5
    """
    return measure_all(Sample.of(y, p), metrics, seed)


def measure_values(
    y: object,
    predicted: object,
    metrics: tuple[Metric, ...] = METRICS,
    seed: int = 0,
    level: float | None = None,
) -> dict[str, Measured]:
    """Every metric of regression that these rows allow, with its 95 % interval.

    Parameters
    ----------
    y, predicted : (n,) float64
    metrics : tuple of Metric
    seed : int
    level : float, optional
        Of the quantile that was learned.

    Examples
    --------
    >>> measure_values([1.0, 2.0, 4.0], [1.0, 2.0, 1.0])["mae"].value
    1.0
    """
    return measure_all(Values.of(y, predicted, level), metrics, seed)


__all__ = [
    "FILTERING",
    "METRICS",
    "Measured",
    "Metric",
    "Sample",
    "Values",
    "accuracy",
    "auc",
    "balanced_accuracy",
    "brier",
    "calibration_error",
    "confusion",
    "f1",
    "lam_percent",
    "log_loss",
    "mae",
    "measure",
    "measure_values",
    "median_absolute_error",
    "missed_at_1_per_100",
    "missed_at_1_per_1000",
    "of_kind",
    "one_minus_roca_percent",
    "pinball_loss",
    "r_squared",
    "rmse",
    "roc",
    "wilson",
]
