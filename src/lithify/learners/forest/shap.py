"""What each column adds to the raw scores of a row: Shapley values of a forest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.kernels import compiled
from lithify.learners.forest.forest import Forest
from lithify.learners.forest.nodes import nodes

KERNELS = "lithify.learners.forest.shap_kernels"
_POINTS = 64
"""Points of the quadrature at most: exact for 128 columns on the way to one leaf, and all but exact beyond."""


def contributions(forest: Forest, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each column adds to each raw score, (n, d + 1, K); last the score of a row of which nothing is known.

    They add up to the raw score, up to rounding. Lundberg et al. 2018 (arXiv:1802.03888), see
    :mod:`lithify.learners.forest.shap_kernels`.

    Parameters
    ----------
    rows : (n, d) float64
        As :func:`lithify.learners.forest.scoring.matrix` gives them.

    Raises
    ------
    ValueError
        The rows lack columns or are not float64.
    """
    if rows.dtype != np.float64 or rows.ndim != 2 or rows.shape[1] < forest.width:
        raise ValueError(f"expected float64 rows of {forest.width} columns, got {rows.dtype} {rows.shape}")
    found = np.zeros((len(rows), rows.shape[1] + 1, forest.outputs))
    *tables, base = forest.derive("shap", _tables)
    _, output, *walked = forest.derive("nodes", nodes)
    start, child, *rest = tables
    shares = np.zeros((len(rows), rows.shape[1], forest.outputs))
    compiled(KERNELS).add_shares(np.ascontiguousarray(rows), start, output, child, *walked, *rest, shares)
    found[:, :-1] = shares * forest.scale
    found[:, -1] = forest.bias + forest.scale * base
    return found


def _tables(forest: Forest) -> tuple[NDArray[Any], ...]:
    """What the kernel takes that is the same for all rows; last the means of the leaf values, by output."""
    sizes = np.diff(forest.start) - 1
    size = np.repeat(sizes, sizes)
    child = np.stack([np.where(side >= 0, side, size + ~side) for side in (forest.left, forest.right)], axis=1)
    tree = np.repeat(np.arange(len(forest)), sizes + 1)
    leaf = np.arange(len(forest.value)) - forest.start[tree] + sizes[tree] + 2 * forest.start[tree] - tree
    cover, share = np.zeros((2, len(forest.feature) + len(forest.value)))
    cover[leaf] = forest.cover
    before, depth = np.full(len(cover), -1, dtype=np.int64), np.zeros(len(forest), dtype=np.int64)
    start = forest.start.copy()
    compiled(KERNELS).spread(start, child, forest.feature.copy(), cover, before, share, depth)
    base, within = np.zeros(forest.outputs), np.bincount(tree, forest.cover, len(forest))
    np.add.at(base, forest.output[tree], forest.value * (forest.cover / within[tree]))
    return start, child, before, share, depth, *_quadrature(int(depth.max(initial=1))), base


def _quadrature(columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points and weights on 0 to 1, (q, q) each, those of m points in row m - 1; half as many as columns are exact."""
    most = min(_POINTS, max(1, (columns + 1) // 2))
    points, weights = np.zeros((2, most, most))
    for many in range(1, most + 1):
        place, weight = np.polynomial.legendre.leggauss(many)
        points[many - 1, :many], weights[many - 1, :many] = (place + 1) / 2, weight / 2
    return points, weights
