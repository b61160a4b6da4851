"""Proves a forest from a file sound before any kernel walks it: kernels do not check bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithify.errors import MalformedContainer
from lithify.learners.forest.forest import CATEGORICAL, DEFAULT_LEFT, DTYPES, ZERO_IS_MISSING, Forest

_MOST = 2**30
"""Nodes and leaves are numbered in 32 bits."""

_LARGEST = 2**17
"""Leaves of a tree: no learner grows larger ones, and what explaining takes stays small."""


def audit(forest: Forest, columns: int, outputs: int) -> None:
    """Raises ``MalformedContainer`` unless every array is sound and fits ``columns`` and ``outputs``.

    Afterwards each tree is one: its nodes and leaves are all reached from its root, each by one way; columns, outputs
    and sets are where they are said to be; all numbers are finite, and every leaf covers something.
    """
    _need(_shaped(forest, outputs), "arrays of the right types and lengths")
    _need(_within(forest.output, outputs), "outputs that are there")
    _need(_within(forest.feature, columns), f"columns below {columns}")
    _need(_trees(forest), "nodes and leaves that form trees")
    _need(_flagged(forest), "flags that are known, and a set for each categorical node")
    _need(not np.isnan(forest.threshold).any(), "thresholds that are numbers")
    numbers = (forest.gain, forest.value, forest.cover, forest.scale, forest.bias)
    _need(all(bool(np.isfinite(array).all()) for array in numbers), "finite numbers")
    _need(bool(((forest.cover >= 2.0**-60) & (forest.cover <= 2.0**60)).all()), "leaves that cover rows")


def audit_depth(forest: Forest, most: int) -> None:
    """Raises ``MalformedContainer`` if some way down a tree that passed :func:`audit` asks more than ``most`` times."""
    sizes = np.diff(forest.start) - 1
    root = forest.start[:-1] - np.arange(len(forest))
    first, reached = np.repeat(root, sizes), root[sizes > 0]
    for _ in range(most):
        child = np.concatenate([forest.left[reached], forest.right[reached]])
        reached = (np.tile(first[reached], 2) + child)[child >= 0]
    _need(not len(reached), f"trees of at most {most} questions to a leaf")


def _need(sound: bool, expected: str) -> None:
    if not sound:
        raise MalformedContainer("The forest is damaged.", expected=expected)


def _shaped(forest: Forest, outputs: int) -> bool:
    """Whether types and lengths agree, and offsets begin at zero, rise and end where the array does."""
    arrays = forest.arrays()
    if any(array.dtype != DTYPES[name] or array.ndim != 1 for name, array in arrays.items()):
        return False
    trees, leaves, words = len(forest.output), len(forest.value), len(forest.set_bits)
    lengths = dict.fromkeys(DTYPES, leaves - trees) | {"start": trees + 1, "output": trees, "value": leaves}
    lengths |= {"cover": leaves, "scale": outputs, "bias": outputs, "set_bits": words}
    lengths["set_start"] = max(1, len(forest.set_start))
    if leaves < trees or max(leaves, words) > _MOST or {name: len(array) for name, array in arrays.items()} != lengths:
        return False
    large = np.diff(forest.start).max(initial=1) > _LARGEST
    return not large and _rises(forest.start, leaves) and _rises(forest.set_start, words)


def _rises(start: NDArray[np.int64], end: int) -> bool:
    return bool(start[0] == 0 and start[-1] == end and (start[1:] > start[:-1]).all())


def _within(numbers: NDArray[np.int32], limit: int) -> bool:
    return bool(((numbers >= 0) & (numbers < limit)).all())


def _trees(forest: Forest) -> bool:
    """Whether every node but the roots, and every leaf of a tree with nodes, is the child of one node before it."""
    sizes = np.diff(forest.start) - 1
    first = np.repeat(forest.start[:-1] - np.arange(len(forest)), sizes)
    size, own = np.repeat(sizes, sizes), np.arange(len(first)) - first
    nodes, leaves = np.zeros(len(first), dtype=np.int64), np.zeros(len(forest.value), dtype=np.int64)
    for child in (forest.left.astype(np.int64), forest.right.astype(np.int64)):
        if not (((child < 0) | (child > own)) & (child < size) & (~child <= size)).all():
            return False
        inner = child >= 0
        np.add.at(nodes, (first + child)[inner], 1)
        np.add.at(leaves, (np.repeat(forest.start[:-1], sizes) + ~child)[~inner], 1)
    return bool((nodes == (own > 0)).all() and (leaves == np.repeat(sizes > 0, sizes + 1)).all())


def _flagged(forest: Forest) -> bool:
    sets = forest.flags == CATEGORICAL
    known = sets | (forest.flags & ~np.uint8(DEFAULT_LEFT | ZERO_IS_MISSING) == 0)
    return bool(
        known.all() and np.count_nonzero(sets) == len(forest.set_start) - 1 and not forest.threshold[sets].any()
    )
