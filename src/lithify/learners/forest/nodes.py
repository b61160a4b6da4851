"""Tables for the kernels that walk trees; derived from a forest, never sealed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.learners.forest.forest import CATEGORICAL, DEFAULT_LEFT, ZERO_IS_MISSING, Forest
from lithify.learners.forest.kernels import NAN_RIGHT, SETS, ZERO_LEFT

KERNELS = "lithify.learners.forest.kernels"


def nodes(forest: Forest) -> tuple[NDArray[Any], ...]:
    """What :func:`lithify.learners.forest.kernels.add_trees` takes: nodes and leaves numbered over all trees.

    All are copies: numba compiles once more for arrays that cannot be written to, as those of a file are.
    """
    inner, sizes = len(forest.feature), np.diff(forest.start) - 1
    first, leaves = forest.start[:-1] - np.arange(len(forest)), forest.start[:-1] + inner
    node = np.zeros((inner + len(forest.value), 4), dtype=np.int32)
    node[:, 1:3] = np.arange(len(node))[:, None]
    node[:inner, 0], node[:inner, 3] = forest.feature, kinds(forest.flags)
    for column, child in ((1, forest.left), (2, forest.right)):
        node[:inner, column] = np.where(child >= 0, child + np.repeat(first, sizes), np.repeat(leaves, sizes) + ~child)
    root = np.where(sizes > 0, first, leaves).astype(np.int32)
    number = np.concatenate([forest.threshold, forest.value])
    return root, forest.output.copy(), node, number, forest.set_start.copy(), forest.set_bits.copy()


def kinds(flags: NDArray[np.uint8]) -> NDArray[np.int32]:
    """What the kernels call each node: where a missing value goes, or which set decides."""
    sets = flags == CATEGORICAL
    numbers = np.where(flags & DEFAULT_LEFT, 0, NAN_RIGHT) + np.where(flags & ZERO_IS_MISSING, ZERO_LEFT, 0)
    return np.where(sets, SETS + np.cumsum(sets) - 1, numbers).astype(np.int32)
