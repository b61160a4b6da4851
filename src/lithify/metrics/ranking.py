"""Metrics of the order of scores: they need no cut-off and no calibration."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithify.metrics.base import Limits, Metric, metric
from lithify.metrics.limits import mover, newcombe_auc, wilson
from lithify.metrics.sample import Curve, Sample
from lithify.metrics.weighted import across


def _area(curve: Curve) -> NDArray[np.float64]:
    """Area under the ROC curve by trapezes, which count a tie as half; sums of whole numbers, hence exact. (R,)"""
    steps = np.diff(curve.negatives, axis=1, prepend=0.0)
    heights = curve.positives.copy()
    heights[:, 1:] += curve.positives[:, :-1]
    twice = np.einsum("rg,rg->r", steps, heights)
    result: NDArray[np.float64] = twice / (2.0 * curve.negatives[:, -1] * curve.positives[:, -1])
    return result


def _areas(sample: Sample) -> NDArray[np.float64]:
    """One area for two labels, else one for each label that occurs against the rest. (R, 1 or number of labels)"""
    if sample.p.shape[1] == 2:
        return _area(sample.curve)[:, None]
    return np.stack([_area_against_rest(sample, int(label)) for label in sample.labels], axis=1)


def _area_against_rest(sample: Sample, label: int) -> NDArray[np.float64]:
    """As :func:`_area` of the curve of a label, to the same bits; only the rest is cumulated. (R,)"""
    scores, positive = sample.p[:, label], np.flatnonzero(sample.y == label)
    rest = np.flatnonzero(sample.y != label)
    rest = rest[np.argsort(scores[rest], kind="stable")]
    below = np.zeros((len(sample.weights), len(rest) + 1))
    np.cumsum(sample.weights[:, rest], axis=1, out=below[:, 1:])
    lower, same = (below[:, np.searchsorted(scores[rest], scores[positive], side)] for side in ("left", "right"))
    weights = sample.weights[:, positive]
    twice = np.einsum("rg,rg->r", weights, lower + same)
    result: NDArray[np.float64] = twice / (2.0 * below[:, -1] * weights.sum(axis=1))
    return result


def _auc_limits(sample: Sample) -> Limits:
    points = [float(area) for area in _areas(sample)[0]]
    labels = [1] if sample.p.shape[1] == 2 else list(sample.labels)
    rows = [float(sample.actual[0, label]) for label in labels]
    total = float(sample.total[0])
    return mover(points, [newcombe_auc(a, total - n, n) for a, n in zip(points, rows, strict=True)])


@metric("AUC", "higher", needs="contrast", limits=_auc_limits)
def auc(sample: Sample) -> NDArray[np.float64]:
    """Probability that a positive row scores above a negative one, a tie counting half.

    With more than two labels: the mean over the labels that occur, each against the rest. Interval: hull of bootstrap
    and Newcombe's score interval.
    """
    areas = _areas(sample)
    result: NDArray[np.float64] = across(areas) / areas.shape[1]
    return result


def _roca_limits(sample: Sample) -> Limits:
    low, high = _auc_limits(sample)
    return 100.0 * (1.0 - high), 100.0 * (1.0 - low)


@metric("(1-ROCA) %", "lower", needs="two labels", unit="percent", limits=_roca_limits)
def one_minus_roca_percent(sample: Sample) -> NDArray[np.float64]:
    """Area above the ROC curve in percent, the headline figure of the TREC spam track. Interval: as for AUC."""
    return 100.0 * (1.0 - _area(sample.curve))


def _missed(sample: Sample, loss: float) -> NDArray[np.float64]:
    curve = sample.curve
    allowed = curve.negatives <= loss * curve.negatives[:, -1:]
    last = np.count_nonzero(allowed, axis=1)
    found = np.where(last > 0, curve.positives[np.arange(len(last)), last - 1], 0.0)
    result: NDArray[np.float64] = 1.0 - found / curve.positives[:, -1]
    return result


def _missed_at(name: str, loss: float) -> Metric:
    """The metric for one stated loss."""

    def limits(sample: Sample) -> Limits:
        positives = float(sample.actual[0, 1])
        return wilson(round(float(_missed(sample, loss)[0]) * positives), positives)

    def missed(sample: Sample) -> NDArray[np.float64]:
        """Share of positives at or below the cut-off that loses at most the stated share of negatives.

        The cut-off is the best one on the measured rows themselves, with hindsight; what a sealed cut-off does is
        counted apart. Below 1 / loss negatives it is above each of them. The bootstrap of such an extreme is too
        narrow, so the interval also covers Wilson's at that cut-off.
        """
        return _missed(sample, loss)

    missed.__name__ = name
    title = f"{{positive}} missed at {100 * loss:g} % {{negative}} loss"
    return metric(title, "lower", needs="two labels", limits=limits)(missed)


missed_at_1_per_1000 = _missed_at("missed_at_1_per_1000", 0.001)
missed_at_1_per_100 = _missed_at("missed_at_1_per_100", 0.01)


class Roc(NamedTuple):
    """A ROC curve, from nothing called positive to everything; arrays of one length."""

    threshold: NDArray[np.float64]
    false_positive: NDArray[np.float64]
    true_positive: NDArray[np.float64]


def roc(y: Any, p: Any, label: int = 1) -> Roc:
    """Share of negatives and of positives at or above each threshold, ``label`` against the rest.

    >>> roc([0, 1], [0.2, 0.7]).true_positive.tolist()
    [0.0, 1.0, 1.0]
    """
    sample = Sample.of(y, p)
    curve = sample.curve_of(label)
    negatives, positives = curve.negatives[0], curve.positives[0]
    scores = np.unique(sample.p[:, label])[::-1]
    return Roc(
        np.append(np.inf, scores),
        np.append(0.0, negatives / max(negatives[-1], 1.0)),
        np.append(0.0, positives / max(positives[-1], 1.0)),
    )
