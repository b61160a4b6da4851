"""How well one field alone tells the target, on rows that were held out.

The field is cut into bins, once finely and once coarsely (the better one counts). Each bin predicts the mean of the
target over the rows of the other folds, and what is so predicted of each row is measured: the area under the ROC curve
for labels, the explained share of the variance of the ranks for values. Everything is a sum of whole numbers per bin
and fold, so the figures are the same on every machine.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
BINS = 256
ROWS_A_BIN = (20, 200)
"""Few rows find a narrow leak, many see a weak field without noise."""
LEAST_ROWS = 10
"""Rows that a label must have, and that others must have, for it to be told apart."""
LABELS = 20
"""Labels that are told apart, the most frequent."""


def bins(values: NDArray[np.float64], ordered: bool, rows: int = ROWS_A_BIN[0]) -> NDArray[np.int64]:
    """The bin of each value: 0 where missing, one for each value where there are few or where values have no order.

    >>> bins(np.array([3.0, np.nan, 1.0, 3.0]), True).tolist()
    [2, 0, 1, 2]
    """
    known = ~np.isnan(values)
    found = np.zeros(len(values), dtype=np.int64)
    distinct, code = np.unique(values[known], return_inverse=True)
    most = int(np.clip(known.sum() // rows, 2, BINS))
    if ordered and len(distinct) > most:
        ranked = np.sort(values[known])
        edges = np.unique(ranked[np.arange(1, most) * len(ranked) // most])
        code = np.searchsorted(edges, values[known], side="right")
    found[known] = 1 + code
    return found


def area(values: NDArray[np.float64], ordered: bool, y: NDArray[np.integer], fold: NDArray[np.int64]) -> float | None:
    """Area under the ROC curve that a field reaches alone; of several labels the mean, each against the rest.

    Parameters
    ----------
    values : (n,) float64
        NaN where missing.
    ordered : bool
        Whether the values have an order; else they are codes.
    y : (n,) int
        Codes of labels.
    fold : (n,) int64
        In [0, FOLDS).

    Returns
    -------
    float or None
        From 0 to 1, 0.5 for a field that says nothing; None where fewer than two labels have ``LEAST_ROWS`` rows.
    """
    return max((_area_of(bins(values, ordered, rows), y, fold) for rows in ROWS_A_BIN), key=lambda found: found or 0.0)


def _area_of(bin_: NDArray[np.int64], y: NDArray[np.integer], fold: NDArray[np.int64]) -> float | None:
    cell, cells = _cells(bin_, fold)
    classes = int(y.max(initial=0)) + 1
    counts = np.bincount(cell * classes + y, minlength=cells * classes).reshape(cells, classes)
    rows = counts.sum(axis=0)
    told = [c for c in np.argsort(-rows, kind="stable")[:LABELS] if LEAST_ROWS <= rows[c] <= len(y) - LEAST_ROWS]
    told = told[:1] if (rows > 0).sum() == 2 else told
    found = [_area(counts[:, c], counts.sum(axis=1) - counts[:, c]) for c in told]
    return sum(found) / len(found) if found else None


def explained(values: NDArray[np.float64], ordered: bool, y: NDArray[np.float64], fold: NDArray[np.int64]) -> float:
    """Share of the variance of the ranks of ``y`` that a field explains alone; negative where it misleads.

    Ranks, because a few extreme values must not decide. Parameters as for :func:`area`.
    """
    rank = ranks(y)
    return max(_explained_by(bins(values, ordered, rows), rank, fold) for rows in ROWS_A_BIN)


def _explained_by(bin_: NDArray[np.int64], rank: NDArray[np.float64], fold: NDArray[np.int64]) -> float:
    cell, cells = _cells(bin_, fold)
    total = np.bincount(cell, minlength=cells).astype(np.float64)
    held = np.bincount(cell, weights=rank, minlength=cells).astype(np.float64)
    others, rows = _rest(held), _rest(total)
    predicted = others / (rows + 1.0)
    whole = float((rank * rank).sum())
    off = whole - 2.0 * float((predicted * held).sum()) + float((predicted * predicted * total).sum())
    return 1.0 - off / whole if whole else 0.0


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Twice the distance of each rank from the middle: whole numbers, ties share one; 0 for what is missing.

    >>> ranks(np.array([10.0, 30.0, 20.0, 20.0])).tolist()
    [-3.0, 3.0, 0.0, 0.0]
    """
    known = ~np.isnan(values)
    _, code, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    found = np.zeros(len(values))
    found[known] = (2 * below + counts - known.sum())[code]
    return found


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's correlation of the rows where both are known; 0 where one of them never changes.

    >>> rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([3.0, 2.0, 1.0]))
    -1.0
    """
    both = ~np.isnan(a) & ~np.isnan(b)
    x, y = ranks(a[both]), ranks(b[both])
    size = float((x * x).sum()) * float((y * y).sum())
    return float((x * y).sum()) / math.sqrt(size) if size else 0.0


def _cells(bin_: NDArray[np.int64], fold: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Bin and fold of each row as one number, and how many such there are."""
    return bin_ * FOLDS + fold, (int(bin_.max(initial=0)) + 1) * FOLDS


def _rest(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each cell the sum over the same bin in the other folds."""
    table = cells.reshape(-1, FOLDS)
    rest: NDArray[np.float64] = (table.sum(axis=1, keepdims=True) - table).ravel()
    return rest


def _area(positive: NDArray[np.int64], negative: NDArray[np.int64]) -> float:
    """Area for rows that are scored by the share of positives in the same bin of the other folds, ties half."""
    p, n = positive.astype(np.float64), negative.astype(np.float64)
    fold = np.arange(len(p)) % FOLDS
    folds = np.stack([np.bincount(fold, weights=each, minlength=FOLDS) for each in (p, n)])
    base = (folds[0].sum() - folds[0]) / np.maximum(1.0, folds.sum() - folds.sum(axis=0))
    others = _rest(p)
    score = (others + base[fold]) / (others + _rest(n) + 1.0)
    _, at = np.unique(score, return_inverse=True)
    p, n = (np.bincount(at, weights=each).astype(np.float64) for each in (p, n))
    twice = float((p * (2.0 * (np.cumsum(n) - n) + n)).sum())
    return twice / (2.0 * float(p.sum()) * float(n.sum()))
