"""Scores rows with a forest: the blocks of a row as one row of numbers, and the kernel that is fastest for so many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import BLOCKS, Blocks, Codes, Dense
from lithify.errors import Unsupported
from lithify.kernels import compiled, fitting
from lithify.learners.forest.forest import Forest
from lithify.learners.forest.nodes import KERNELS, nodes
from lithify.learners.forest.quick import KERNELS as QUICK_KERNELS
from lithify.learners.forest.quick import quick

MANY = 32
"""From so many rows on a whole block of rows costs less than row by row."""

READ = (*BLOCKS, "pairs", "statistics")
"""The columns of trees are those of these blocks, in this order; a block may be absent."""


def matrix(blocks: Blocks) -> NDArray[np.float64]:
    """The blocks side by side, (n, d) float64 in C order; codes become floats.

    Raises
    ------
    Unsupported
        There is a block that trees do not read.
    """
    parts = [blocks[name] for name in READ if name in blocks]
    if len(parts) != len(blocks) or not all(isinstance(part, Dense | Codes) for part in parts):
        raise Unsupported("Trees read columns.", expected=", ".join(READ), found=", ".join(blocks))
    values = [part.values for part in parts if isinstance(part, Dense | Codes)]
    if len(values) == 1:
        return np.ascontiguousarray(values[0], dtype=np.float64)
    side_by_side = np.concatenate(values, axis=1, dtype=np.float64) if values else np.zeros((0, 0))
    return np.ascontiguousarray(side_by_side)


def score(forest: Forest, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raw scores (n, K) of rows (n, d) as :func:`matrix` gives them; the same bits however many rows there are."""
    totals = np.zeros((len(rows), forest.outputs))
    add_trees(forest, rows, totals)
    totals *= forest.scale
    totals += forest.bias
    return totals


def add_trees(forest: Forest, rows: NDArray[np.float64], totals: NDArray[np.float64]) -> None:
    """Adds the leaf values of all trees to ``totals`` (n, K) in place, in the order of the trees; no scale, no bias.

    Trees added in several goes give the bits of all of them added at once.

    Raises
    ------
    ValueError
        The rows lack columns, or either array is not float64 in C order: kernels do not check.
    """
    _check(rows, len(rows), forest.width)
    _check(totals, len(rows), forest.outputs)
    if len(rows) >= MANY and (tables := forest.derive("quick", quick)):
        compiled(QUICK_KERNELS).add_trees(rows, *tables, totals)
    else:
        fitting(KERNELS, len(rows)).add_trees(rows, *forest.derive("nodes", nodes), totals)


def _check(array: NDArray[np.float64], rows: int, columns: int) -> None:
    sound = array.dtype == np.float64 and array.flags.c_contiguous and array.ndim == 2
    if not sound or len(array) != rows or array.shape[1] < columns:
        raise ValueError(f"expected {rows} rows of {columns} float64 in C order, got {array.dtype} {array.shape}")
