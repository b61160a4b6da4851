"""Reference statistics sealed into a model, for drift tests on its outputs. Counts only, nothing row-level."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 20


def profile(probabilities: NDArray[np.float64]) -> dict[str, Any]:
    """How a model's probabilities were spread over rows it had not learned from.

    Parameters
    ----------
    probabilities : (n, labels) float64

    Returns
    -------
    dict
        ``rows``; ``predicted``, rows by most probable label; ``histograms``, for each label the counts of its
        probability in 20 equal bins of [0, 1].

    Examples
    --------
    >>> profile(np.array([[0.9, 0.1], [0.2, 0.8]]))["predicted"]
    [1, 1]
    """
    n, labels = probabilities.shape
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    return {
        "rows": n,
        "predicted": np.bincount(probabilities.argmax(axis=1), minlength=labels).tolist() if n else [0] * labels,
        "histograms": [np.bincount(bins[:, label], minlength=BINS).tolist() for label in range(labels)],
    }


def profile_values(values: NDArray[np.float64]) -> dict[str, Any]:
    """How the values that a regression predicts were spread over rows it had not learned from.

    Parameters
    ----------
    values : (n,) float64

    Returns
    -------
    dict
        ``rows``; ``edges``, 19 of them, between bins of about equal counts, ascending, none of them a value of a row;
        ``histogram``, rows in each bin:
        a value that is an edge belongs to the bin above.

    Examples
    --------
    >>> profile_values(np.arange(40.0))["histogram"]
    [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    """
    ordered = np.unique(values) if len(values) else np.zeros(1)
    ranked = np.sort(values) if len(values) else ordered
    edges = [_below(ordered, float(ranked[len(ranked) * part // BINS])) for part in range(1, BINS)]
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=BINS)
    return {"rows": len(values), "edges": edges, "histogram": counts.tolist()}


def short(value: float, low: float, high: float) -> float:
    """The value with as few digits as keep it between the two.

    >>> short(0.1234, 0.11, 0.13)
    0.12
    """
    rounded = (float(f"{value:.{digits}g}") for digits in range(1, 17))
    return next((short for short in rounded if low < short < high), float(value))


def _below(ordered: NDArray[np.float64], value: float) -> float:
    """A short number between a value and the next smaller one; below the smallest, one that is a little smaller."""
    at = int(np.searchsorted(ordered, value))
    low = float(ordered[at - 1]) if at else value - max(1.0, abs(value))
    return short(low / 2 + value / 2, low, value)
