"""Learning :class:`~lithify.learners.boosting.statistics.Statistics`: which columns, and their means of the label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import rng
from lithify.data.batches import Codes, Dense, TrainingData
from lithify.data.spill import release
from lithify.kernels import compiled
from lithify.learners.boosting.statistics import (
    BLOCK,
    CODES,
    DISTINCT,
    KNOWN,
    Statistics,
    cells_of,
    coded,
    count_of,
    groups,
    length,
)

_KERNELS = "lithify.learners.boosting.statistics_kernels"
_READ = ("numbers", "categories")
_MOST_CELLS = 1 << 25
"""Rows times made columns at most."""
_SMOOTHING = 10.0
"""Rows of the mean of all that are added to those of a category."""


@dataclass(frozen=True)
class _Candidate:
    """A column with few codes: how much it tells of the label, its number, its codes, and the values it can have."""

    told: float
    column: int
    size: int
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Training rows, (m,), with the label that means are taken of and what each row weighs in them.

    Attributes
    ----------
    data : TrainingData
    target, cost : (m,)
        Of the training rows: 0 and 1 for two labels.
    """

    data: TrainingData
    target: NDArray[Any]
    cost: NDArray[np.float64]

    def fit(self, most: int) -> Statistics | None:
        """Of the ``most`` columns that tell most of the label, by the means of all rows; None where none tells any."""
        found = sorted(self._candidates(), key=lambda each: (-each.told, each.column))[:most]
        while found and len(groups([each.size for each in found])) * len(self.target) > _MOST_CELLS:
            del found[-1]
        if not found:
            return None
        found.sort(key=lambda each: each.column)
        size = [each.size for each in found]
        columns = Statistics(
            columns=np.array([each.column for each in found], dtype=np.int64),
            size=np.array(size, dtype=np.int64),
            first=np.cumsum([0, *(len(each.values) for each in found)], dtype=np.int64),
            values=np.concatenate([each.values for each in found]),
            table=np.zeros(length(size)),
        )
        return self.judging(columns, np.ones(len(self.target), dtype=np.bool_))

    def judging(self, columns: Statistics, learned: NDArray[np.bool_]) -> Statistics:
        """The same columns with the means of some rows, those of ``learned``, (m,)."""
        return self._means(columns, learned, 0)[0]

    def training(self, columns: Statistics, learned: NDArray[np.bool_], member: int) -> dict[str, Dense]:
        """The made columns that a member is trained with: no row sees its own label, nor those of its group."""
        values = np.zeros((len(next(iter(self.data.blocks.values()))), columns.width))
        values[self.data.train] = self._means(columns, learned, member)[1]
        return {BLOCK: Dense(values)}

    def _candidates(self) -> list[_Candidate]:
        """The columns of few codes that tell anything."""
        found: list[_Candidate] = []
        blocks, train = self.data.blocks, self.data.train
        numbers = count_of(blocks, "numbers")
        for column in range(numbers):
            cells = cells_of(blocks, "numbers")[train, column]
            release(cells_of(blocks, "numbers"))
            values = np.unique(cells[np.isfinite(cells)]).astype(np.float64)
            if KNOWN <= len(values) <= DISTINCT:
                size = KNOWN + len(values)
                found.append(_Candidate(self._told(coded(cells, values), size), column, size, values))
        block = blocks.get("categories")
        for j, size in enumerate(block.sizes if isinstance(block, Codes) else ()):
            if KNOWN < size <= CODES:
                told = self._told(cells_of(blocks, "categories")[train, j], size)
                found.append(_Candidate(told, numbers + j, size, np.zeros(0)))
        return [each for each in found if each.told > 0.0]

    def _told(self, codes: NDArray[Any], size: int) -> float:
        """By how much the smoothed means of a column's codes lower the squared error of the mean of all."""
        mean = math.fsum(self.cost * self.target) / max(1e-300, math.fsum(self.cost))
        sums = np.bincount(codes, self.cost * (self.target - mean), size)
        return math.fsum(sums**2 / (np.bincount(codes, self.cost, size) + _SMOOTHING))

    def _means(
        self, columns: Statistics, learned: NDArray[np.bool_], member: int
    ) -> tuple[Statistics, NDArray[np.float64]]:
        """The means of the learned rows, and for every row, (m, width), those of the rows before it."""
        data = self.data
        group = data.group[data.train]
        lot = rng.bits(rng.key(data.seed, "statistics", member), group)
        order = np.lexsort((group, lot, ~learned))  # rows of a group side by side, those that are learned from first
        made = np.empty((len(order), columns.width))
        keys = columns.keys({name: _of(data.blocks[name], data.train) for name in _READ if name in data.blocks})
        table = np.empty(len(columns.table))
        before = compiled(_KERNELS).means_before
        learning = int(learned.sum())
        before(keys, order, group, learning, self.target.astype(np.float64), self.cost, _SMOOTHING, table, made)
        return Statistics(columns.columns, columns.size, columns.first, columns.values, table), made


def _of(block: Any, rows: NDArray[np.int64]) -> Any:
    return Codes(block.values[rows], block.sizes) if isinstance(block, Codes) else Dense(block.values[rows])
