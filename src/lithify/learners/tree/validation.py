"""How far a tree may be pruned, judged on rows that the trees of the folds have not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lithify import numerics
from lithify.kernels import compiled
from lithify.learners.tree import growing as tree_growing
from lithify.learners.tree import pruning as tree_pruning
from lithify.learners.tree import sealing as tree_sealing
from lithify.learners.tree.growing import Growing, Problem
from lithify.learners.tree.kernels import LEFT, SUMS
from lithify.learners.tree.pruning import Choice

KERNELS = "lithify.learners.tree.kernels"


def cuts(growing: Growing, problem: Problem) -> NDArray[np.float64]:
    """From which ``alpha`` on each node of a grown tree is a leaf."""
    nodes = tree_growing.size(growing)
    return tree_pruning.cuts(growing[LEFT][:nodes], tree_sealing.gains(growing, problem))


def choose(
    trees: Sequence[Growing], cut: Sequence[NDArray[np.float64]], problem: Problem, one_standard_error: bool
) -> Choice:
    """Which of the pruned trees of the last one to keep, by the log loss or squared error of the others.

    Parameters
    ----------
    trees : sequence
        Tree ``f`` was grown without fold ``f``; the last with all rows.
    cut : sequence of (nodes,) float64
        See :func:`cuts`.
    """
    alpha = tree_pruning.alphas(cut[-1])
    inside = tree_pruning.between(alpha)
    found = [_losses(tree, each, problem, fold, inside) for fold, (tree, each) in enumerate(_pairs(trees, cut))]
    loss = np.array([loss for loss, _ in found])
    weight = np.array([weight for _, weight in found])
    return tree_pruning.choose(alpha, loss, weight, one_standard_error)


def _pairs(trees: Sequence[Growing], cut: Sequence[NDArray[np.float64]]) -> list[tuple[Growing, NDArray[np.float64]]]:
    return list(zip(trees[:-1], cut[:-1], strict=True))


def _losses(
    growing: Growing, cut: NDArray[np.float64], problem: Problem, fold: int, alpha: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Summed loss of a fold's rows at each ``alpha``, and their weight."""
    rows = problem.held(fold)
    nodes = tree_growing.size(growing)
    left = growing[LEFT][:nodes]
    leaf = compiled(KERNELS).leaves_of(growing, problem.table.arrays, rows)
    loss = _node_losses(growing, problem, rows, leaf)
    ends = [tree_pruning.ends(left, cut, each) for each in alpha.tolist()]
    return np.array([_total(loss[some]) for some in ends]), float(
        problem.targets.units[rows].sum()
    ) / problem.targets.unit


def _node_losses(
    growing: Growing, problem: Problem, rows: NDArray[np.int64], leaf: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What the rows below each node would lose if it were a leaf."""
    targets, nodes = problem.targets, tree_growing.size(growing)
    sums, left = growing[SUMS][:nodes], growing[LEFT][:nodes]
    weight = targets.units[rows] / targets.unit
    if targets.classes:
        code = leaf * targets.classes + targets.target[rows]
        by_class = np.bincount(code, weights=weight, minlength=nodes * targets.classes).reshape(nodes, -1)
        terms = -numerics.log(tree_sealing.shares(sums))
        return _added(_upwards(by_class.astype(np.float64), left) * terms)
    value = targets.values[rows]
    with np.errstate(over="ignore", invalid="ignore"):
        kinds = (weight, weight * value, weight * value * value)
        held = _upwards(np.stack([np.bincount(leaf, weights=w, minlength=nodes) for w in kinds], axis=1), left)
        mean = targets.means(sums) - targets.centre
        return np.nan_to_num(held[:, 2] - 2.0 * mean * held[:, 1] + mean * mean * held[:, 0], nan=np.inf)


def _upwards(held: NDArray[np.float64], left: NDArray[np.int32]) -> NDArray[np.float64]:
    """Sums over all leaves below each node, from sums of the leaves."""
    for node in np.flatnonzero(left > 0)[::-1].tolist():
        held[node] = held[left[node]] + held[left[node] + 1]
    return held


def _added(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row sums, from the first column to the last."""
    total = terms[:, 0]
    for column in range(1, terms.shape[1]):
        total = total + terms[:, column]
    return total


def _total(values: NDArray[np.float64]) -> float:
    """A sum from the first to the last."""
    return float(np.cumsum(values)[-1])
