"""Metrics of predicted values."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lithify.metrics.base import Limits, metric
from lithify.metrics.limits import Z
from lithify.metrics.values import Values


def _of_mean(sample: Values, each: NDArray[np.float64]) -> Limits:
    """Normal interval of the mean of one figure for each row, in the unit of the figures."""
    rows = len(each)
    mean = float(sample.mean(each)[0])
    variance = float(sample.mean((each - mean) * (each - mean))[0]) / max(rows - 1, 1)
    margin = Z * math.sqrt(variance)
    return max(mean - margin, 0.0), mean + margin


def _scaled(each: Callable[[Values], NDArray[np.float64]]) -> Callable[[Values], Limits]:
    """Limits of the mean of ``each``, which is in units of ``2 ** exponent``."""

    def limits(sample: Values) -> Limits:
        low, high = _of_mean(sample, each(sample))
        return math.ldexp(low, sample.exponent), math.ldexp(high, sample.exponent)

    return limits


def _squared(sample: Values) -> NDArray[np.float64]:
    result: NDArray[np.float64] = sample.errors * sample.errors
    return result


def _absolute(sample: Values) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.abs(sample.errors)
    return result


def _pinball(sample: Values) -> NDArray[np.float64]:
    level = sample.level
    assert level is not None
    return np.maximum(level * sample.errors, (level - 1.0) * sample.errors)


def _rmse_limits(sample: Values) -> Limits:
    low, high = _of_mean(sample, _squared(sample))
    return math.ldexp(math.sqrt(low), sample.exponent), math.ldexp(math.sqrt(high), sample.exponent)


@metric("Root mean squared error", "lower", unit="value", limits=_rmse_limits, task="regression")
def rmse(sample: Values) -> NDArray[np.float64]:
    """Root of the mean squared error, in the unit of what is predicted.

    Interval: hull of bootstrap and the normal interval of the mean square.
    """
    return np.ldexp(np.sqrt(sample.mean(_squared(sample))), sample.exponent)


@metric("Mean absolute error", "lower", unit="value", limits=_scaled(_absolute), task="regression")
def mae(sample: Values) -> NDArray[np.float64]:
    """Mean distance of the prediction from the value. Interval: hull of bootstrap and the normal interval."""
    return np.ldexp(sample.mean(_absolute(sample)), sample.exponent)


def _median_limits(sample: Values) -> Limits:
    """Order statistics around the median, by the normal approximation of the binomial distribution of their rank."""
    sizes = np.sort(np.abs(sample.errors))
    rows = len(sizes)
    margin = Z * math.sqrt(rows) / 2.0
    low, high = max(math.floor(rows / 2.0 - margin), 0), min(math.ceil(rows / 2.0 + margin), rows - 1)
    return math.ldexp(float(sizes[low]), sample.exponent), math.ldexp(float(sizes[high]), sample.exponent)


@metric("Median absolute error", "lower", unit="value", limits=_median_limits, bootstrap=False, task="regression")
def median_absolute_error(sample: Values) -> NDArray[np.float64]:
    """Half of the rows are predicted at least this closely. Interval: order statistics, free of any distribution."""
    sizes = np.abs(sample.errors)
    order = np.argsort(sizes, kind="stable")
    reached = np.cumsum(sample.weights[:, order], axis=1)
    half = (sample.total / 2.0)[:, None]
    lower, upper = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
    middle: NDArray[np.float64] = (sizes[order[lower]] + sizes[order[upper]]) / 2.0
    return np.ldexp(middle, sample.exponent)


@metric("R²", "higher", needs="contrast", unit="number", task="regression", lowest=-math.inf)
def r_squared(sample: Values) -> NDArray[np.float64]:
    """Share of the variance of the values that the predictions explain; 0 for always predicting their mean.

    Below 0 for predictions worse than that. Interval: bootstrap.
    """
    y = np.ldexp(sample.y, -sample.exponent)
    centred = y - math.fsum(y) / len(y)
    mean = sample.mean(centred)
    spread = np.maximum(sample.mean(centred * centred) - mean * mean, 0.0)
    missed = sample.mean(_squared(sample))
    flat = spread == 0.0  # a resample may hold one value only
    return np.where(flat, 0.0, 1.0 - missed / np.where(flat, 1.0, spread))


@metric("Mean pinball loss", "lower", needs="level", unit="value", limits=_scaled(_pinball), task="regression")
def pinball_loss(sample: Values) -> NDArray[np.float64]:
    """What a predicted quantile is held to: an error counts ``level`` times above it and ``1 - level`` times below.

    Its mean is smallest for the true quantile (Koenker, Bassett 1978, doi:10.2307/1913643). Interval: hull of bootstrap
    and the normal interval.
    """
    return np.ldexp(sample.mean(_pinball(sample)), sample.exponent)
