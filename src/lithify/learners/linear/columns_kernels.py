"""Kernels of the linear learner on columns. Loading this module loads nothing; see :mod:`lithify.kernels`.

Weights are (size, outputs): one for each number, one for each number that is missing, one for each code, one for each
word, and the bias. A number counts in units of its spread, and no more than ``LIMIT`` of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel

LIMIT = 8.0


@kernel
def moments(values: Any, rows: Any, weight: Any, mean: Any, inverse: Any) -> None:
    """Weighted mean and one over the standard deviation of each column, over the rows in which it is finite.

    Row by row, as the values lie in memory or in a file, and so twice from one end to the other.
    """
    columns = values.shape[1]
    counted, square = np.zeros(columns), np.zeros(columns)
    mean[:] = 0.0
    for row in rows:
        for j in range(columns):
            if np.isfinite(values[row, j]):
                mean[j] += weight[row] * values[row, j]
                counted[j] += weight[row]
    for j in range(columns):
        mean[j] = mean[j] / counted[j] if counted[j] > 0.0 else 0.0
    for row in rows:
        for j in range(columns):
            if np.isfinite(values[row, j]):
                square[j] += weight[row] * ((values[row, j] - mean[j]) * (values[row, j] - mean[j]))
    for j in range(columns):
        spread = np.sqrt(square[j] / counted[j]) if counted[j] > 0.0 else 0.0
        inverse[j] = 1.0 / spread if 1e-150 < spread < 1e150 else 0.0


@kernel
def scaled(value: Any, mean: Any, inverse: Any) -> Any:
    """A number in units of its spread."""
    z = (value - mean) * inverse
    if z > LIMIT:
        z = LIMIT
    if z < -LIMIT:
        z = -LIMIT
    return z if z == z else 0.0


@kernel
def scores(
    numbers: Any, codes: Any, words: Any, first: Any, mean: Any, inverse: Any, weights: Any, rows: Any, out: Any
) -> None:
    """``out`` (r, outputs) gets the scores of some rows."""
    k, m = numbers.shape[1], codes.shape[1]
    after = first[m]
    bias = weights.shape[0] - 1
    for i in range(len(rows)):
        row = rows[i]
        for c in range(weights.shape[1]):
            total = weights[bias, c]
            for j in range(k):
                value = numbers[row, j]
                if value == value:
                    total += scaled(value, mean[j], inverse[j]) * weights[j, c]
                else:
                    total += weights[k + j, c]
            for j in range(m):
                total += weights[first[j] + codes[row, j], c]
            for j in range(words.shape[1]):
                if words[row, j] != 0.0:
                    total += weights[after + j, c]
            out[i, c] = total


@kernel
def gradient(
    numbers: Any, codes: Any, words: Any, first: Any, mean: Any, inverse: Any, slope: Any, rows: Any, out: Any
) -> None:
    """Adds the slopes (r, outputs) of some rows to the gradient ``out`` of the weights."""
    k, m = numbers.shape[1], codes.shape[1]
    after = first[m]
    bias = out.shape[0] - 1
    for i in range(len(rows)):
        row = rows[i]
        for c in range(out.shape[1]):
            g = slope[i, c]
            out[bias, c] += g
            for j in range(k):
                value = numbers[row, j]
                if value == value:
                    out[j, c] += scaled(value, mean[j], inverse[j]) * g
                else:
                    out[k + j, c] += g
            for j in range(m):
                out[first[j] + codes[row, j], c] += g
            for j in range(words.shape[1]):
                if words[row, j] != 0.0:
                    out[after + j, c] += g
