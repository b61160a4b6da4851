"""Dense and categorical blocks as columns of at most 256 bins, which is what a tree is grown on.

A tree's columns are numbered through the blocks ``numbers``, ``categories`` and ``words``, in this order. Bin 0 holds
missing cells. A number column with at most 255 different values has one bin for each, so that every split that the
training rows allow can be found; with more, its bins hold about equally many rows. A category has one bin for each
code; with more than 256 codes, the rarest share bin 1 with what was never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import BLOCKS, Blocks, Codes, Dense
from lithify.data.spill import release
from lithify.errors import Unsupported
from lithify.learners.tree.kernels import BINS


@dataclass(frozen=True)
class Table:
    """Training rows in bins.

    Attributes
    ----------
    bins : (columns, m) uint8
    count : (columns,) int32
        How many bins each column has, that of missing cells included.
    category : (columns,) uint8
        1 where bins have no order.
    low, high : (columns, 256) float64
        Smallest and largest value in a bin of numbers.
    codes : tuple of (size,) uint8 arrays
        For each column the bin of each code; empty for numbers.
    """

    bins: NDArray[np.uint8]
    count: NDArray[np.int32]
    category: NDArray[np.uint8]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    codes: tuple[NDArray[np.uint8], ...]

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What the kernels read."""
        return self.bins, self.count, self.category, self.low, self.high


def table(blocks: Blocks, rows: NDArray[np.int64]) -> Table:
    """Some rows of the blocks in bins made from these rows.

    Raises ``Unsupported`` unless every block is a dense or categorical one that a tree knows.

    >>> made = table({"numbers": Dense(np.array([[3.0], [1.0], [np.nan], [3.0]]))}, np.arange(4))
    >>> made.bins.tolist(), made.count.tolist()
    ([[2, 1, 0, 2]], [3])
    """
    width = columns(blocks)
    made = Table(
        bins=np.empty((width, len(rows)), dtype=np.uint8),
        count=np.empty(width, dtype=np.int32),
        category=np.zeros(width, dtype=np.uint8),
        low=np.zeros((width, BINS)),
        high=np.zeros((width, BINS)),
        codes=(),
    )
    codes: list[NDArray[np.uint8]] = []
    for name in BLOCKS:
        block = blocks.get(name)
        for j in range(0 if block is None else block.values.shape[1]):  # type: ignore[union-attr]
            at = len(codes)
            if isinstance(block, Codes):
                made.category[at] = 1
                codes.append(_codes(block.values[rows, j], block.sizes[j]))
                made.bins[at], made.count[at] = codes[at][block.values[rows, j]], int(codes[at].max()) + 1
            elif isinstance(block, Dense):
                codes.append(np.zeros(0, dtype=np.uint8))
                values = block.values[rows, j].astype(np.float64)
                made.bins[at], made.count[at] = _numbers(values, made.low[at], made.high[at])
            release(block.values)  # type: ignore[union-attr]
    return Table(**{**vars(made), "codes": tuple(codes)})


def columns(blocks: Blocks) -> int:
    """How many columns the blocks have together; ``Unsupported`` where a tree cannot read them."""
    wrong = [n for n, block in blocks.items() if n not in BLOCKS or not isinstance(block, Dense | Codes)]
    if wrong or not blocks:
        raise Unsupported(
            "A tree reads columns of numbers, categories and words.",
            expected=", ".join(BLOCKS),
            found=", ".join(sorted(blocks)) or "no blocks",
        )
    return sum(block.values.shape[1] for block in blocks.values() if isinstance(block, Dense | Codes))


def parts(blocks: Blocks, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """One value for each column of a tree, block by block."""
    found, at = {}, 0
    for name in BLOCKS:
        block = blocks.get(name)
        if isinstance(block, Dense | Codes):
            found[name] = values[at : at + block.values.shape[1]]
            at += block.values.shape[1]
    return found


def _numbers(
    values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], int]:
    """Bins of one column and how many there are; writes what they range over."""
    given = np.isfinite(values)
    known, times = np.unique(values[given], return_counts=True)
    if not len(known):
        return np.zeros(len(values), dtype=np.uint8), 1
    most = BINS - 1
    before = np.cumsum(times) - times
    ranked = np.arange(len(known)) if len(known) <= most else before * most // times.sum()
    first = np.flatnonzero(np.diff(ranked, prepend=-1))
    low[1 : len(first) + 1] = known[first]
    high[1 : len(first) + 1] = known[np.append(first[1:], len(known)) - 1]
    found = np.searchsorted(known[first], values, side="right")
    return np.where(given, found, 0).astype(np.uint8), len(first) + 1


def _codes(values: NDArray[np.int32], size: int) -> NDArray[np.uint8]:
    """The bin of each code: itself, or where there are too many its rank by how often it occurs."""
    if size <= BINS:
        return np.arange(max(2, size), dtype=np.uint8)
    often = np.bincount(values, minlength=size)
    often[:2] = -1
    kept = np.argsort(-often, kind="stable")[: BINS - 2]
    made = np.ones(size, dtype=np.uint8)
    made[0] = 0
    made[np.sort(kept)] = np.arange(2, BINS)
    return made
