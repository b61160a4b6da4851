"""Kernels of the linear learner. Loading this module loads nothing; see :mod:`lithify.kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel


@kernel
def count(start: Any, index: Any, rows: Any, found: Any) -> None:
    """Adds to ``found`` in how many of the rows each bucket occurs."""
    for row in rows:
        for j in range(start[row], start[row + 1]):
            found[index[j]] += 1


@kernel
def compact(start: Any, index: Any, rows: Any, column: Any) -> Any:
    """The rows with buckets renumbered by ``column``, those with -1 left out, and 1 / sqrt of each row's full size."""
    total = 0
    for row in rows:
        total += start[row + 1] - start[row]
    first = np.zeros(len(rows) + 1, dtype=np.int64)
    columns = np.empty(total, dtype=np.int32)
    scale = np.empty(len(rows), dtype=np.float64)
    n = 0
    for i in range(len(rows)):
        row = rows[i]
        for j in range(start[row], start[row + 1]):
            k = column[index[j]]
            if k >= 0:
                columns[n] = k
                n += 1
        first[i + 1] = n
        scale[i] = 1.0 / np.sqrt(float(max(1, start[row + 1] - start[row])))
    return first, columns[:n].copy(), scale


@kernel
def binary_grain(
    first: Any, columns: Any, scale: Any, sign: Any, cost: Any, weights: Any, lo: int, hi: int, gradient: Any
) -> float:
    """Squared hinge loss of rows ``lo`` to ``hi`` and its gradient; the last weight is the bias.

    The loss of a row is ``cost * max(0, 1 - sign * score)**2``.
    """
    bias = len(weights) - 1
    loss = 0.0
    for row in range(lo, hi):
        a, b = 0.0, 0.0
        j = first[row]
        end = first[row + 1]
        while j + 1 < end:
            a += weights[columns[j]]
            b += weights[columns[j + 1]]
            j += 2
        if j < end:
            a += weights[columns[j]]
        margin = 1.0 - sign[row] * ((a + b) * scale[row] + weights[bias])
        if margin > 0.0:
            loss += cost[row] * margin * margin
            slope = -2.0 * cost[row] * margin * sign[row]
            gradient[bias] += slope
            slope *= scale[row]
            for j in range(first[row], end):
                gradient[columns[j]] += slope
    return loss


@kernel
def classes_grain(
    first: Any, columns: Any, scale: Any, target: Any, cost: Any, weights: Any, lo: int, hi: int, gradient: Any
) -> float:
    """One against the rest for every class at once; ``weights`` and ``gradient`` are (columns + 1, classes)."""
    classes = weights.shape[1]
    bias = len(weights) - 1
    score = np.empty(classes, dtype=np.float64)
    loss = 0.0
    for row in range(lo, hi):
        score[:] = 0.0
        for j in range(first[row], first[row + 1]):
            for c in range(classes):
                score[c] += weights[columns[j], c]
        some = False
        for c in range(classes):
            sign = 1.0 if target[row] == c else -1.0
            margin = 1.0 - sign * (score[c] * scale[row] + weights[bias, c])
            score[c] = 0.0
            if margin > 0.0:
                some = True
                loss += cost[row] * margin * margin
                slope = -2.0 * cost[row] * margin * sign
                gradient[bias, c] += slope
                score[c] = slope * scale[row]
        if some:
            for j in range(first[row], first[row + 1]):
                for c in range(classes):
                    gradient[columns[j], c] += score[c]
    return loss


@kernel
def dot(a: Any, b: Any) -> float:
    """Inner product in one fixed order: eight running sums, then a tree."""
    s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    n = len(a) // 8 * 8
    for i in range(0, n, 8):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
        s4 += a[i + 4] * b[i + 4]
        s5 += a[i + 5] * b[i + 5]
        s6 += a[i + 6] * b[i + 6]
        s7 += a[i + 7] * b[i + 7]
    for i in range(n, len(a)):
        s0 += a[i] * b[i]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@kernel
def add_scaled(a: Any, factor: float, b: Any) -> None:
    """``a += factor * b`` in place."""
    for i in range(len(a)):
        a[i] += factor * b[i]


@kernel
def score_rows(start: Any, index: Any, weights: Any, bias: Any, out: Any) -> None:
    """Raw scores with integer weights (buckets, columns): an exact sum, one division, one addition."""
    columns = weights.shape[1]
    for row in range(len(start) - 1):
        root = np.sqrt(float(max(1, start[row + 1] - start[row])))
        for c in range(columns):
            total = np.int64(0)
            for j in range(start[row], start[row + 1]):
                total += np.int64(weights[index[j], c])
            out[row, c] = float(total) / root + bias[c]
