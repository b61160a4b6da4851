"""Cost-complexity pruning: which branches of a tree are worth their leaves (Breiman et al. 1984, chapters 3 and 8.5).

The cost of a tree is its impurity, per unit of weight, and ``alpha`` for each leaf. As ``alpha`` grows, the branch that
gains least per leaf is cut first: the weakest link. So there is one sequence of ever smaller trees, and which of them
is kept is judged on rows that other trees of the same kind, the fold trees, have not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def cuts(left: NDArray[np.int32], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """From which ``alpha`` on each node is a leaf, (n,) float64; 0 for what is one already.

    Parameters
    ----------
    left : (n,) int32
        Left child of each node, the right one follows it, both after their parent; 0 for a leaf.
    gain : (n,) float64
        What each split lowers the impurity of the whole by.

    Examples
    --------
    >>> cuts(np.array([1, 3, 0, 0, 0]), np.array([0.5, 0.125, 0.0, 0.0, 0.0])).tolist()
    [0.5, 0.125, 0.0, 0.0, 0.0]
    """
    inner = left > 0
    found = np.zeros(len(left))
    while inner[0]:
        leaves, total = _branches(left, gain, inner)
        share = np.full(len(left), np.inf)
        share[inner] = total[inner] / (leaves[inner] - 1)
        weakest = int(np.argmin(share))  # of equal ones the first, which holds the others that lie below it
        alpha = max(float(share[weakest]), float(found.max()))
        below = [weakest]
        while below:
            node = below.pop()
            if inner[node]:
                inner[node] = False
                found[node] = alpha
                below += [int(left[node]), int(left[node]) + 1]
    return found


def _branches(
    left: NDArray[np.int32], gain: NDArray[np.float64], inner: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Leaves below each node, and what all splits from it downwards gain."""
    leaves, total = np.ones(len(left), dtype=np.int64), np.where(inner, gain, 0.0)
    for node in np.flatnonzero(inner)[::-1].tolist():
        child = int(left[node])
        leaves[node] = leaves[child] + leaves[child + 1]
        total[node] += total[child] + total[child + 1]
    return leaves, total


def alphas(cut: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the sequence of trees changes, rising, from 0: the whole tree.

    >>> alphas(np.array([0.5, 0.125, 0.0, 0.0, 0.0])).tolist()
    [0.0, 0.125, 0.5]
    """
    return np.unique(np.append(cut, 0.0))


def between(alpha: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each tree of a sequence an ``alpha`` inside of its range: the geometric mean; infinity for the last."""
    return np.append(np.sqrt(alpha[:-1]) * np.sqrt(alpha[1:]), np.inf)


def ends(left: NDArray[np.int32], cut: NDArray[np.float64], alpha: float) -> NDArray[np.bool_]:
    """Whether each node is a leaf of the tree as it is pruned at ``alpha``, (n,) bool.

    >>> ends(np.array([1, 3, 0, 0, 0]), np.array([0.5, 0.125, 0.0, 0.0, 0.0]), 0.25).tolist()
    [False, True, True, False, False]
    """
    inner = np.flatnonzero(left > 0)
    above = np.full(len(left), np.inf)  # a node below a cut is cut at the same alpha at the latest
    above[left[inner]] = cut[inner]
    above[left[inner] + 1] = cut[inner]
    above[0] = np.inf
    first = np.array(above > alpha)
    first[0] = True
    return np.asarray(first & ((left == 0) | (cut <= alpha)))


@dataclass(frozen=True)
class Choice:
    """What cross-validation found.

    Attributes
    ----------
    alpha : float
        Of the tree that is kept.
    inside : float
        The ``alpha`` at which the fold trees stand for it.
    loss : float
        Mean loss of the fold trees on rows they have not seen.
    """

    alpha: float
    inside: float
    loss: float


def choose(
    alpha: NDArray[np.float64], loss: NDArray[np.float64], weight: NDArray[np.float64], one_standard_error: bool
) -> Choice:
    """The tree of the sequence with the least loss, of equal ones the smallest.

    Parameters
    ----------
    alpha : (a,) float64
        The sequence.
    loss : (folds, a) float64
        Summed loss of each fold's held-out rows.
    weight : (folds,) float64
        Their weight.
    one_standard_error : bool
        The smallest tree whose mean loss is within one standard error of the least instead, the error being that of
        the mean over folds.
    """
    held = weight > 0
    shares = loss[held] / weight[held, None]
    mean = loss[held].sum(axis=0) / weight[held].sum()
    best = int(np.flatnonzero(mean == mean.min())[-1])
    if one_standard_error and held.sum() > 1:
        error = shares[:, best].std(ddof=1) / np.sqrt(float(held.sum()))
        best = int(np.flatnonzero(mean <= mean[best] + error)[-1])
    return Choice(float(alpha[best]), float(between(alpha)[best]), float(mean[best]))
