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

from lithify import rng
from lithify.data.batches import Blocks, Codes, Dense, TrainingData
from lithify.data.spill import release
from lithify.errors import MalformedContainer
from lithify.kernels import compiled

BLOCK = "statistics"
_KERNELS = "lithify.learners.boosting.statistics_kernels"
_READ = ("numbers", "categories")
_NAMES = {"columns": np.int64, "size": np.int64, "first": np.int64, "values": np.float64, "table": np.float64}
_DISTINCT, _CODES, _KEYS = 64, 1024, 4096
"""Values of a number column, codes of a category, and codes of two columns together, at most."""
_MOST = 32
"""Columns at most, whatever a file says."""
_MOST_CELLS = 1 << 25
"""Rows times made columns at most."""
_MISSING, _UNSEEN, _KNOWN = 0, 1, 2
_SMOOTHING = 10.0
"""Rows of the mean of all that are added to those of a category."""


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
        return {f"{BLOCK}_{name}": getattr(self, name) for name in _NAMES}

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
        column, numbers = int(self.columns[j]), _width(blocks, "numbers")
        if column >= numbers:
            found = _block(blocks, "categories")[:, column - numbers].astype(np.int64)
            return np.where(found < self.size[j], found, _UNSEEN)
        return coded(_block(blocks, "numbers")[:, column], self.values[self.first[j] : self.first[j + 1]])


def coded(cells: NDArray[Any], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Codes of numbers, (n,), given the ascending values that are known.

    >>> coded(np.array([3.0, np.nan, 1.0, 2.0]), np.array([1.0, 3.0])).tolist()
    [3, 0, 2, 1]
    """
    cells = cells.astype(np.float64)
    at = np.minimum(np.searchsorted(values, cells), len(values) - 1)
    return np.where(np.isnan(cells), _MISSING, np.where(values[at] == cells, at + _KNOWN, _UNSEEN))


def groups(size: Sequence[int]) -> list[tuple[int, ...]]:
    """Every column by itself, and every two with few codes together, from how many codes each has.

    >>> groups([3, 4, 3000])
    [(0,), (1,), (2,), (0, 1)]
    """
    pairs = combinations(range(len(size)), 2)
    return [*((j,) for j in range(len(size))), *((i, j) for i, j in pairs if size[i] * size[j] <= _KEYS)]


def fit(data: TrainingData, target: NDArray[Any], cost: NDArray[np.float64], most: int) -> Statistics | None:
    """The statistics of the columns that tell most of the label, by the means of all training rows; None without any.

    Parameters
    ----------
    data : TrainingData
    target, cost : (m,) arrays
        Of the training rows: 0 and 1 for two labels.
    most : int
        Columns at most.
    """
    found = _candidates(data, target, cost)
    found = sorted(sorted(found, key=lambda each: (-each[0], each[1]))[:most], key=lambda each: each[1])
    while found and len(groups([size for _, _, size, _ in found])) * len(data.train) > _MOST_CELLS:
        found.remove(min(found, key=lambda each: (each[0], -each[1])))
    if not found:
        return None
    size = np.array([size for _, _, size, _ in found], dtype=np.int64)
    values = [values for _, _, _, values in found]
    empty = Statistics(
        columns=np.array([column for _, column, _, _ in found], dtype=np.int64),
        size=size,
        first=np.cumsum([0, *map(len, values)], dtype=np.int64),
        values=np.concatenate(values),
        table=np.zeros(_length(size.tolist())),
    )
    return _learned(empty, data, target, cost, np.ones(len(target), dtype=np.bool_), 0)[0]


def judging(
    every: Statistics, data: TrainingData, target: NDArray[Any], cost: NDArray[np.float64], learned: NDArray[np.bool_]
) -> Statistics:
    """The same columns with the means of some training rows, those of ``learned``, (m,)."""
    return _learned(every, data, target, cost, learned, 0)[0]


def training(
    every: Statistics,
    data: TrainingData,
    target: NDArray[Any],
    cost: NDArray[np.float64],
    learned: NDArray[np.bool_],
    member: int,
) -> dict[str, Dense]:
    """The made columns that a member is trained with: no row sees its own label, nor those of its group."""
    values = np.zeros((len(next(iter(data.blocks.values()))), every.width))
    values[data.train] = _learned(every, data, target, cost, learned, member)[1]
    return {BLOCK: Dense(values)}


def statistics_of(arrays: Mapping[str, NDArray[Any]]) -> Statistics | None:
    """What was sealed; None where there are no statistics."""
    if f"{BLOCK}_columns" not in arrays:
        return None
    return Statistics(**{name: arrays[f"{BLOCK}_{name}"] for name in _NAMES})


def audit(arrays: Mapping[str, NDArray[Any]], numbers: int, categories: int) -> Statistics | None:
    """:func:`statistics_of` arrays from a file; ``MalformedContainer`` unless they fit so many columns."""
    found = {name.removeprefix(f"{BLOCK}_"): array for name, array in arrays.items() if name.startswith(f"{BLOCK}_")}
    if not found:
        return None
    sound = found.keys() == _NAMES.keys()
    sound = sound and all(found[name].dtype == dtype and found[name].ndim == 1 for name, dtype in _NAMES.items())
    if not sound or not _fits(Statistics(**found), numbers, categories):
        raise MalformedContainer("The means of labels do not fit.")
    return Statistics(**found)


def _fits(one: Statistics, numbers: int, categories: int) -> bool:
    k = len(one.columns)
    if not 1 <= k <= _MOST or len(one.size) != k or len(one.first) != k + 1:
        return False
    columns, size, first = one.columns.tolist(), one.size.tolist(), one.first.tolist()
    if columns != sorted(set(columns)) or columns[0] < 0 or columns[-1] >= numbers + categories:
        return False
    if (
        min(size) < _KNOWN
        or max(size) > max(_CODES, _KNOWN + _DISTINCT)
        or first[0] != 0
        or first[-1] != len(one.values)
    ):
        return False
    for j, column in enumerate(columns):
        its = one.values[first[j] : first[j + 1]]
        if first[j] > first[j + 1] or len(its) != (size[j] - _KNOWN if column < numbers else 0):
            return False
        if column < numbers and (not len(its) or not np.isfinite(its).all() or not (np.diff(its) > 0.0).all()):
            return False
    return len(one.table) == _length(size) and bool(np.isfinite(one.table).all())


def _length(size: list[int]) -> int:
    return sum(math.prod(size[j] for j in group) for group in groups(size))


def _candidates(
    data: TrainingData, target: NDArray[Any], cost: NDArray[np.float64]
) -> list[tuple[float, int, int, NDArray[np.float64]]]:
    """What each column with few codes tells of the label, its number, how many codes it has, and its known values."""
    found: list[tuple[float, int, int, NDArray[np.float64]]] = []
    mean = math.fsum(cost * target) / max(1e-300, math.fsum(cost))
    numbers = _width(data.blocks, "numbers")
    for column in range(numbers):
        cells = _block(data.blocks, "numbers")[data.train, column]
        release(_block(data.blocks, "numbers"))
        values = np.unique(cells[np.isfinite(cells)]).astype(np.float64)
        if _KNOWN <= len(values) <= _DISTINCT:
            told = _told(coded(cells, values), _KNOWN + len(values), target - mean, cost)
            found.append((told, column, _KNOWN + len(values), values))
    block = data.blocks.get("categories")
    for j, size in enumerate(block.sizes if isinstance(block, Codes) else ()):
        if _KNOWN < size <= _CODES:
            told = _told(_block(data.blocks, "categories")[data.train, j], size, target - mean, cost)
            found.append((told, numbers + j, size, np.zeros(0)))
    return [each for each in found if each[0] > 0.0]


def _told(codes: NDArray[Any], size: int, off: NDArray[np.float64], cost: NDArray[np.float64]) -> float:
    """By how much the smoothed means of a column's codes lower the squared error of the mean of all."""
    sums = np.bincount(codes, cost * off, size)
    return math.fsum(sums**2 / (np.bincount(codes, cost, size) + _SMOOTHING))


def _learned(
    every: Statistics,
    data: TrainingData,
    target: NDArray[Any],
    cost: NDArray[np.float64],
    learned: NDArray[np.bool_],
    member: int,
) -> tuple[Statistics, NDArray[np.float64]]:
    """The means of the learned rows, and the columns (m, width) of every training row by those before it."""
    group = data.group[data.train]
    lot = rng.bits(rng.key(data.seed, "statistics", member), group)
    order = np.lexsort((group, lot, ~learned))  # rows of a group side by side, those that are learned from first
    made = np.empty((len(order), every.width))
    keys = every.keys({name: _of(data.blocks[name], data.train) for name in _READ if name in data.blocks})
    table = np.empty(len(every.table))
    before = compiled(_KERNELS).means_before
    before(keys, order, group, int(learned.sum()), target.astype(np.float64), cost, _SMOOTHING, table, made)
    return Statistics(every.columns, every.size, every.first, every.values, table), made


def _of(block: Any, rows: NDArray[np.int64]) -> Any:
    return Codes(block.values[rows], block.sizes) if isinstance(block, Codes) else Dense(block.values[rows])


def _block(blocks: Blocks, name: str) -> NDArray[Any]:
    block = blocks[name]
    assert isinstance(block, Dense | Codes)
    return block.values


def _width(blocks: Blocks, name: str) -> int:
    return int(_block(blocks, name).shape[1]) if name in blocks else 0
