"""From a grown tree to the forest that is sealed: pruned, with codes instead of bins and scores instead of sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import numerics
from lithify.learners.forest import forest as forests
from lithify.learners.forest.forest import CATEGORICAL, DEFAULT_LEFT, Forest
from lithify.learners.tree import growing as tree_growing
from lithify.learners.tree import pruning as tree_pruning
from lithify.learners.tree.growing import Growing, Problem
from lithify.learners.tree.kernels import CHOSEN, COLUMN, GAIN, LEFT, MISSING, SUMS, THRESHOLD


def shares(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """Class shares of nodes, (n, classes), from their sums (n, 2 + classes): rows, weight, weight by class.

    Laplace's rule: every node is taken to hold one more row of each class, with the mean weight of the first node's.
    """
    rows = max(1, int(sums[0, 0]))
    more = max(1.0, float(sums[0, 1])) / rows
    return np.asarray((sums[:, 2:] + more) / (sums[:, 1:2] + more * (sums.shape[1] - 2)))


def scores(sums: NDArray[np.int64], problem: Problem) -> NDArray[np.float64]:
    """Raw scores of nodes (n, outputs): logarithms of class shares, of two classes one log odds; or mean values."""
    if not problem.targets.classes:
        return problem.targets.means(sums)[:, None]
    logs = numerics.log(shares(sums))
    return logs[:, 1:] - logs[:, :1] if logs.shape[1] == 2 else logs


def gains(growing: Growing, problem: Problem) -> NDArray[np.float64]:
    """What each split lowers the impurity of all rows by, per unit of weight: (n,) float64, 0 for leaves."""
    nodes = tree_growing.size(growing)
    ratio = 1.0 if problem.targets.classes else problem.targets.unit / problem.targets.scale
    weight = max(1.0, float(growing[SUMS][0, 1]))
    with np.errstate(over="ignore"):  # squares of values beyond 1e154 are as large as a number can be
        found = np.minimum(growing[GAIN][:nodes] / weight * ratio * ratio, np.finfo(np.float64).max)
    return np.where(growing[LEFT][:nodes] > 0, found, 0.0)


def forest(growing: Growing, problem: Problem, cut: NDArray[np.float64], alpha: float) -> Forest:
    """The tree pruned at ``alpha``: one tree for each raw score, all of the same shape."""
    nodes = tree_growing.size(growing)
    left = growing[LEFT][:nodes]
    leaf = np.flatnonzero(tree_pruning.ends(left, cut, alpha))
    inner = np.flatnonzero((left > 0) & (cut > alpha))
    number = np.empty(nodes, dtype=np.int32)
    number[inner], number[leaf] = np.arange(len(inner)), ~np.arange(len(leaf))
    sets = [_words(growing, problem, node) for node in inner.tolist()]
    value = scores(growing[SUMS][:nodes], problem)[leaf]
    outputs = value.shape[1]
    flags = [_flags(growing, problem, node) for node in inner.tolist()]
    lengths = [len(words) for words, flag in zip(sets, flags, strict=True) if flag == CATEGORICAL] * outputs
    once: dict[str, Any] = {
        "feature": growing[COLUMN][inner],
        "threshold": np.where(np.array(flags, dtype=np.uint8) == CATEGORICAL, 0.0, growing[THRESHOLD][inner]),
        "left": number[left[inner]],
        "right": number[left[inner] + 1],
        "flags": np.array(flags, dtype=np.uint8),
        "gain": gains(growing, problem)[inner],
        "cover": np.maximum(growing[SUMS][leaf, 0], 1).astype(np.float64),
        "set_bits": np.concatenate([np.zeros(0, dtype=np.uint32), *sets]),
    }
    return Forest(
        **{name: np.tile(array, outputs) for name, array in once.items()},
        start=np.arange(outputs + 1, dtype=np.int64) * len(leaf),
        output=np.arange(outputs, dtype=np.int32),
        value=np.ascontiguousarray(value.T).reshape(-1),
        set_start=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        scale=np.ones(outputs),
        bias=np.zeros(outputs),
    )


def abreast(members: Sequence[Forest]) -> Forest:
    """Forests side by side: the outputs of the first, then those of the second, and so on."""
    one = [replace(member, scale=np.ones(1), bias=np.zeros(1)) for member in members]
    whole, outputs = forests.concatenate(one), sum(member.outputs for member in members)
    return replace(whole, output=np.arange(outputs, dtype=np.int32), scale=np.ones(outputs), bias=np.zeros(outputs))


def _flags(growing: Growing, problem: Problem, node: int) -> int:
    if problem.table.category[growing[COLUMN][node]]:
        return CATEGORICAL
    return DEFAULT_LEFT if growing[MISSING][node] else 0


def _words(growing: Growing, problem: Problem, node: int) -> NDArray[np.uint32]:
    """The codes that go left at a node, as bits; no words for a number."""
    column = int(growing[COLUMN][node])
    if not problem.table.category[column]:
        return np.zeros(0, dtype=np.uint32)
    codes = growing[CHOSEN][node][problem.table.codes[column]]
    room = np.zeros(-(-len(codes) // 32) * 32, dtype=np.uint8)
    room[: len(codes)] = codes
    return np.packbits(room, bitorder="little").view("<u4").astype(np.uint32)
