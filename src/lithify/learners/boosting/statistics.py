"""Means of the label over the rows that share a category, or two of them, as number columns for trees.

A tree asks which set of categories a row is in. How far each category, or each two of them together, go with the label
is one number that puts them all in order (target statistics; Micci-Barreca 2001, doi:10.1145/507533.507538). A row must
not see its own label in it. So in training its means are over the rows that come before it in an order drawn by lot
(Prokhorenkova et al. 2018, "CatBoost", arXiv:1706.09516), another order for each member of the bag; the rows that a
member is judged by come last, and see the rows it learns from alone. What is sealed are means over all training rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Codes, Dense

BLOCK = "statistics"
NAMES = {"columns": np.int64, "size": np.int64, "first": np.int64, "values": np.float64, "table": np.float64}
"""What is sealed of :class:`Statistics`."""
DISTINCT, CODES = 64, 1024
"""Values of a number column and codes of a category at most."""
_KEYS = 4096
"""Codes of two columns together at most."""
_MISSING, _UNSEEN = 0, 1
KNOWN = 2
"""The first code of what was seen in training."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Which columns are looked at, and the mean that goes with each code of them and each two codes of two of them.

    Attributes
    ----------
    columns : (k,) int64
        Columns of the blocks ``numbers`` and ``categories``, counted through, ascending.
    size : (k,) int64
        Codes of each: 0 for a missing cell, 1 for what was not seen in training.
    first : (k + 1,) int64
        Column j has the values ``values[first[j]:first[j + 1]]``; none for a category.
    values : (v,) float64
        Of each number column, ascending; the code of the first is 2.
    table : (t,) float64
        The means: of each column by code, then of each two columns, in the order of :attr:`groups`.
    """

    columns: NDArray[np.int64]
    size: NDArray[np.int64]
    first: NDArray[np.int64]
    values: NDArray[np.float64]
    table: NDArray[np.float64]

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """What columns are made of: each column by itself, then every two that have few codes together."""
        return groups(self.size.tolist())

    @property
    def width(self) -> int:
        """How many columns are made."""
        return len(self.groups)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is sealed."""
        return {f"{BLOCK}_{name}": getattr(self, name) for name in NAMES}

    def block(self, blocks: Blocks) -> dict[str, Dense]:
        """The made columns of some rows, (n, width) float64."""
        return {BLOCK: Dense(self.table[self.keys(blocks)])}

    def keys(self, blocks: Blocks) -> NDArray[np.int64]:
        """(n, width) where in the table the means of some rows are."""
        codes = np.stack([self._codes(blocks, j) for j in range(len(self.columns))], axis=1)
        found = np.empty((len(codes), self.width), dtype=np.int64)
        begins = 0
        for at, group in enumerate(self.groups):
            key = codes[:, group[0]]
            for j in group[1:]:
                key = key * self.size[j] + codes[:, j]
            found[:, at] = begins + key
            begins += math.prod(self.size[list(group)].tolist())
        return found

    def shared(self, shares: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
        """What the made columns add, (width,), given back in equal parts to what they are made of, (columns,)."""
        back = np.zeros(columns)
        for group, share in zip(self.groups, shares.tolist(), strict=True):
            for j in group:
                back[self.columns[j]] += share / len(group)
        return back

    def _codes(self, blocks: Blocks, j: int) -> NDArray[np.int64]:
        """(n,) the codes of one column."""
        column, numbers = int(self.columns[j]), count_of(blocks, "numbers")
        if column >= numbers:
            found = cells_of(blocks, "categories")[:, column - numbers].astype(np.int64)
            return np.where(found < self.size[j], found, _UNSEEN)
        return coded(cells_of(blocks, "numbers")[:, column], self.values[self.first[j] : self.first[j + 1]])


def coded(cells: NDArray[Any], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Codes of numbers, (n,), given the ascending values that are known.

    >>> coded(np.array([3.0, np.nan, 1.0, 2.0]), np.array([1.0, 3.0])).tolist()
    [3, 0, 2, 1]
    """
    cells = cells.astype(np.float64)
    at = np.minimum(np.searchsorted(values, cells), len(values) - 1)
    return np.where(np.isnan(cells), _MISSING, np.where(values[at] == cells, at + KNOWN, _UNSEEN))


def groups(size: Sequence[int]) -> list[tuple[int, ...]]:
    """Every column by itself, and every two with few codes together, from how many codes each has.

    >>> groups([3, 4, 3000])
    [(0,), (1,), (2,), (0, 1)]
    """
    pairs = combinations(range(len(size)), 2)
    return [*((j,) for j in range(len(size))), *((i, j) for i, j in pairs if size[i] * size[j] <= _KEYS)]


def length(size: Sequence[int]) -> int:
    """How many means there are, from how many codes each column has.

    >>> length([3, 4, 3000])
    3019
    """
    return sum(math.prod(size[j] for j in group) for group in groups(size))


def statistics_of(arrays: Mapping[str, NDArray[Any]]) -> Statistics | None:
    """What was sealed; None where there are no statistics."""
    if f"{BLOCK}_columns" not in arrays:
        return None
    return Statistics(**{name: arrays[f"{BLOCK}_{name}"] for name in NAMES})


def cells_of(blocks: Blocks, name: str) -> NDArray[Any]:
    """(n, columns) what a block holds."""
    block = blocks[name]
    assert isinstance(block, Dense | Codes)
    return block.values


def count_of(blocks: Blocks, name: str) -> int:
    """How many columns a block has; none where it is not there."""
    return int(cells_of(blocks, name).shape[1]) if name in blocks else 0
