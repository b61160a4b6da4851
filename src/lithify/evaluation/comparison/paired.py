"""Differences of two models' figures on the same rows, with 95 % intervals.

Both models are measured on the same resamples, so what makes a row hard for both of them cancels out. An interval is
the hull of the percentiles of these paired resamples, widened for few rows (Hesterberg 2015, arXiv:1411.5279), and of
a closed form where there is one: the bootstrap knows the shape of the figures but gives [0, 0] where two models never
differ, and trusts a handful of rows on which they do too much; the closed form does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import numerics
from lithify.evaluation.comparison.binomial import two_sided
from lithify.metrics import Metric, Sample, Values
from lithify.metrics.base import Limits
from lithify.metrics.intervals import MOST_ROWS, resamples
from lithify.metrics.limits import Z, mover

Rows = Sample | Values
_SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Difference:
    """One figure of two models.

    Attributes
    ----------
    champion, challenger, difference : float
        The figures, and the challenger's less the champion's.
    low, high : float
        95 % interval of the difference.
    p : float
        Two-sided: how likely a difference at least this large is between equally good models.
    direction : "higher" or "lower"
        Which figures are better.
    title, unit : str
        As of a metric.
    """

    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    p: float
    direction: str
    title: str
    unit: str

    @property
    def gain(self) -> tuple[float, float, float]:
        """The difference and its interval, turned so that above zero the challenger is better."""
        if self.direction == "higher":
            return self.difference, self.low, self.high
        return -self.difference, -self.high, -self.low


def differences(
    champion: Rows, challenger: Rows, metrics: Sequence[Metric], labels: tuple[str, ...] = (), seed: int = 0
) -> dict[str, Difference]:
    """Every metric that the rows allow, by name, of two models.

    Parameters
    ----------
    champion, challenger : Sample or Values
        The same rows in the same order, with each model's predictions.
    metrics : sequence of Metric
    labels : tuple of str
        For titles; of two the positive one last.
    seed : int

    Notes
    -----
    Of more than 100,000 rows every k-th of each label is resampled, and distances from the difference are shrunk by the
    root of their share (Bickel, Götze, van Zwet 1997).

    Examples
    --------
    >>> from lithify.metrics import accuracy
    >>> y = np.array([0, 1] * 50)
    >>> a, b = Sample.of(y, np.where(y == 1, 0.9, 0.1)), Sample.of(y, np.where(np.arange(100) < 90, y, 1 - y))
    >>> found = differences(a, b, [accuracy])["accuracy"]
    >>> found.difference.__round__(9), found.high < 0, found.p < 0.01
    (-0.1, True, True)
    """
    fitting = [metric for metric in metrics if metric.fits(champion) and metric.fits(challenger)]
    some = _thinned(champion.strata)
    spread = _spread(champion.taken(some), challenger.taken(some), fitting, seed)
    shrink = math.sqrt(len(some) / len(champion.y))
    found = {}
    for metric in fitting:
        a, b = float(metric.function(champion)[0]), float(metric.function(challenger)[0])
        ends, p = _of_resamples(metric, spread[metric.name], b - a, shrink, len(champion.y))
        if metric.name in _CLOSED:
            ends += _CLOSED[metric.name](champion, challenger)
        if metric.name == "accuracy":
            p = two_sided(*discordant(champion, challenger))
        found[metric.name] = Difference(
            a, b, b - a, min(ends), max(ends), p, metric.direction, metric.titled(labels), metric.unit
        )
    return found


def of_shares(champion: NDArray[np.bool_], challenger: NDArray[np.bool_], direction: str, title: str) -> Difference:
    """The difference of two shares of the same rows, such as of ham that is lost; (n,) each, n at least 1."""
    only_a, only_b = int((champion & ~challenger).sum()), int((challenger & ~champion).sum())
    n = len(champion)
    a, b = float(champion.mean()), float(challenger.mean())
    low, high = bonett_price(only_a, only_b, n)
    gap = (only_b - only_a) / n
    return Difference(a, b, gap, min(low, gap), max(high, gap), two_sided(only_a, only_b), direction, title, "share")


def discordant(champion: Any, challenger: Any) -> tuple[int, int]:
    """How many rows the champion alone gets right, and how many the challenger alone."""
    a, b = champion.y == champion.predicted, challenger.y == challenger.predicted
    return int((a & ~b).sum()), int((b & ~a).sum())


def bonett_price(only_a: int, only_b: int, n: int) -> Limits:
    """95 % interval of the difference of two paired shares, b less a, by Wald after adding one row to either side.

    Bonett, Price 2012 (doi:10.3102/1076998611411915), recommended for all sizes by Fagerland, Lydersen, Laake 2014
    (doi:10.1002/sim.6148).

    >>> [round(end, 4) for end in bonett_price(0, 0, 1000)]
    [-0.0028, 0.0028]
    """
    a, b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    margin = Z * math.sqrt((a + b - (b - a) * (b - a)) / (n + 2))
    return max(b - a - margin, -1.0), min(b - a + margin, 1.0)


def mean_limits(gaps: NDArray[np.float64]) -> Limits:
    """95 % interval of a mean, by Student's t; infinite for a single row. ``gaps`` (n,)"""
    n = len(gaps)
    if n < 2:
        return -math.inf, math.inf
    unit = float(np.abs(gaps).max()) or 1.0  # so that no square overflows
    mean = math.fsum(gaps / unit) / n
    variance = math.fsum((gaps / unit - mean) ** 2) / (n - 1)
    margin = _t(n - 1) * math.sqrt(variance / n)
    return unit * (mean - margin), unit * (mean + margin)


def _t(freedom: int) -> float:
    """The 97.5 % point of Student's t, by the expansion of Cornish and Fisher; within 1 % from 5 degrees of freedom."""
    z3, z5, z7 = Z**3, Z**5, Z**7
    first, second = (z3 + Z) / 4.0, (5.0 * z5 + 16.0 * z3 + 3.0 * Z) / 96.0
    third = (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * Z) / 384.0
    return Z + first / freedom + second / freedom**2 + third / freedom**3


def _thinned(strata: NDArray[np.int64]) -> NDArray[np.int64]:
    """All rows, or of very many every k-th of each stratum."""
    step = math.ceil(len(strata) / MOST_ROWS)
    if step == 1:
        return np.arange(len(strata))
    parts = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    return np.sort(np.concatenate([rows[min(step // 2, len(rows) - 1) :: step] for rows in parts]))


def _spread(champion: Rows, challenger: Rows, metrics: Sequence[Metric], seed: int) -> dict[str, NDArray[np.float64]]:
    """By metric the differences under each resample, and last that of the rows themselves. (R + 1,)"""
    parts: dict[str, list[NDArray[np.float64]]] = {metric.name: [] for metric in metrics}
    for weights in resamples(champion.strata, seed) if metrics else ():
        a, b = champion.weighted(weights), challenger.weighted(weights)
        for metric in metrics:
            parts[metric.name].append(metric.function(b) - metric.function(a))
    for metric in metrics:
        parts[metric.name].append(metric.function(challenger) - metric.function(champion))
    return {name: np.concatenate(each) for name, each in parts.items()}


def _of_resamples(
    metric: Metric, spread: NDArray[np.float64], difference: float, shrink: float, rows: int
) -> tuple[list[float], float]:
    """The ends of the interval, the difference itself among them, and how likely it is by chance."""
    values, centre = spread[:-1], float(spread[-1])
    # a figure that noise pushes to one side is pushed twice in a resample
    shift = math.fsum(values) / len(values) - centre if metric.recentre else 0.0
    freedom = max(rows - 1, 1)
    wide = shrink * _t(freedom) / Z * math.sqrt(rows / freedom)
    drawn = difference + (values - shift - centre) * wide
    low, high = np.percentile(drawn, [2.5, 97.5])
    least = min(int((drawn <= 0.0).sum()), int((drawn >= 0.0).sum()))
    return [difference, float(low), float(high)], min(1.0, 2.0 * (least + 1) / (len(values) + 1))


def _accuracy(champion: Any, challenger: Any) -> Limits:
    return bonett_price(*discordant(champion, challenger), len(champion.y))


def _balanced(champion: Any, challenger: Any) -> Limits:
    """The mean over labels of the difference of each, by MOVER."""
    points, parts = [], []
    for label in champion.labels:
        mine = np.flatnonzero(champion.y == label)
        only_a, only_b = discordant(champion.taken(mine), challenger.taken(mine))
        points.append((only_b - only_a) / len(mine))
        low, high = bonett_price(only_a, only_b, len(mine))
        parts.append((min(low, points[-1]), max(high, points[-1])))
    return mover(points, parts)


def _log_losses(sample: Any) -> NDArray[np.float64]:
    truth = np.clip(sample.p[np.arange(len(sample.y)), sample.y], _SMALLEST, 1.0 - _SMALLEST)
    return -numerics.log(truth)


def _briers(sample: Any) -> NDArray[np.float64]:
    squared = (sample.p - np.eye(sample.p.shape[1])[sample.y]) ** 2
    result: NDArray[np.float64] = squared[:, 1] if sample.p.shape[1] == 2 else squared.sum(axis=1)
    return result


def _mean_of(each: Callable[[Any], NDArray[np.float64]]) -> Callable[[Any, Any], Limits]:
    return lambda champion, challenger: mean_limits(each(challenger) - each(champion))


def _absolute(values: Any) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.ldexp(np.abs(values.errors), values.exponent)
    return result


def _rmse(champion: Any, challenger: Any) -> Limits:
    """Of the mean squares, which is then divided by the sum of their roots."""
    a, b = _absolute(champion), _absolute(challenger)
    unit = float(max(a.max(), b.max()))
    if unit == 0.0:
        return 0.0, 0.0
    a, b = (a / unit) ** 2, (b / unit) ** 2
    roots = math.sqrt(float(a.mean())) + math.sqrt(float(b.mean()))
    low, high = mean_limits(b - a)
    return unit * low / roots, unit * high / roots


def _pinballs(values: Any) -> NDArray[np.float64]:
    off = np.ldexp(values.errors, values.exponent)
    result: NDArray[np.float64] = np.maximum(values.level * off, (values.level - 1.0) * off)
    return result


_CLOSED: dict[str, Callable[[Any, Any], Limits]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
    "log_loss": _mean_of(_log_losses),
    "brier": _mean_of(_briers),
    "rmse": _rmse,
    "mae": _mean_of(_absolute),
    "pinball_loss": _mean_of(_pinballs),
}
