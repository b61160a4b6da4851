"""Rows whose label or value is probably wrong, from predictions by models that have not seen them.

Labels: confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068). A label's threshold is the mean
probability that rows given it have of it; a row counts as confidently another label when that one's probability is at
least its threshold. Values: residuals in units of the spread of rows with like predictions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPREADS = 20
LEAST_ROWS = 50
"""Rows of a slice of predictions at least, for its spread to be known."""
_NORMAL = 1.4826
"""The standard deviation of a normal distribution in units of its median absolute deviation."""


@dataclass(frozen=True)
class Doubt:
    """What confident learning says of n rows.

    Attributes
    ----------
    suspects : (k,) int64
        Rows that are confidently another label, the least believed first.
    believed : (n,) float64
        Probability of the given label.
    predicted : (n,) int64
        The most probable label.
    share : float
        Estimated share of rows with a wrong label; rows that are only hard to tell count too.
    joint : (classes, classes) float64
        Estimated share of rows by given (first) and true label.
    """

    suspects: NDArray[np.int64]
    believed: NDArray[np.float64]
    predicted: NDArray[np.int64]
    share: float
    joint: NDArray[np.float64]


def doubt(p: NDArray[np.float64], y: NDArray[np.integer]) -> Doubt:
    """Confident learning on probabilities (n, classes) of rows by models that have not seen them, and labels (n,).

    >>> p = np.array([[0.9, 0.1]] * 9 + [[0.1, 0.9]] * 11)
    >>> found = doubt(p, np.array([0] * 10 + [1] * 10))
    >>> found.suspects.tolist(), round(found.share, 3)
    ([9], 0.05)
    """
    rows, classes = p.shape
    given = np.bincount(y, minlength=classes)
    believed = p[np.arange(rows), y]
    threshold = np.bincount(y, weights=believed, minlength=classes) / np.maximum(1, given)
    threshold[given == 0] = np.inf
    confident = np.where(p >= threshold - 1e-12, p, -1.0)
    at, sure = confident.argmax(axis=1), confident.max(axis=1) >= 0.0
    counts = np.bincount(y[sure] * classes + at[sure], minlength=classes * classes)
    joint = counts.reshape(classes, classes).astype(np.float64)
    bare = joint.sum(axis=1) == 0
    joint[bare, bare] = 1.0
    joint *= (given / joint.sum(axis=1))[:, None] / max(1, rows)
    off = np.flatnonzero(sure & (at != y))
    # by the margin of the best other label, which tells rows apart where the given one has all but nothing
    other = p.copy()
    other[np.arange(rows), y] = -1.0
    margin = believed - other.max(axis=1)
    suspects = off[np.argsort(margin[off], kind="stable")]
    return Doubt(suspects, believed, p.argmax(axis=1), float(joint.sum() - np.trace(joint)), joint)


def standardised(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Residuals (n,) in units of their spread among rows with like predictions.

    The rows are cut into slices by what was predicted of them; the spread is the median absolute deviation of the
    residuals of a slice, at least a tenth of that of all rows.

    >>> y = np.array([1.0, -1.0] * 50)
    >>> y[7] = 40.0
    >>> standardised(y, np.zeros(100)).round(1)[6:8].tolist()
    [0.7, 27.0]
    """
    residual = y - predicted
    slices = int(np.clip(len(y) // LEAST_ROWS, 1, SPREADS))
    at = np.empty(len(y), dtype=np.int64)
    at[np.argsort(predicted, kind="stable")] = np.arange(len(y)) * slices // max(1, len(y))
    least = 0.1 * _spread(residual)
    spread = np.array([max(_spread(residual[at == one]), least) for one in range(slices)])
    return residual / np.where(spread > 0.0, spread, np.inf)[at]


def _spread(residual: NDArray[np.float64]) -> float:
    return _NORMAL * float(np.median(np.abs(residual - np.median(residual)))) if len(residual) else 0.0
