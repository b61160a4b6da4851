"""Sums whose bits do not depend on the machine that adds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def weighted_sum(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of real columns under whole-number weights, to the same bits everywhere.

    Values are first rounded to a power of two so small that no bit that matters is lost and so large that every partial
    sum is exact: the result has the same bits on every machine, in whatever order a BLAS adds.

    Parameters
    ----------
    weights : (R, n) float64
    values : (n, k) or (n,) float64

    Returns
    -------
    (R, k) or (R,) float64

    Examples
    --------
    >>> weighted_sum(np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([0.1, 0.2])).round(9).tolist()
    [0.3, 0.2]
    """
    largest = float(np.abs(values).max(initial=0.0)) * float(weights.sum(axis=1).max())
    shift = 52 - math.frexp(largest)[1]
    whole = np.rint(np.ldexp(values, shift))
    return np.ldexp(weights @ whole, -shift)


def across(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of real columns (R, k), from the first to the last and not in an order of NumPy's choosing. (R,)"""
    total: NDArray[np.float64] = columns[:, 0]
    for column in range(1, columns.shape[1]):
        total = total + columns[:, column]
    return total
