"""Sums and differences of pairs of number columns, for trees, whose splits see one column at a time.

A boundary that runs across two columns, such as a coast line across longitude and latitude, takes a staircase of splits
along each of them and few along their sums and differences (Rodriguez, Kuncheva, Alonso 2006, "Rotation Forest",
doi:10.1109/TPAMI.2006.211, turn the columns for the same reason). Numbers are first brought to one scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import Blocks, Dense, TrainingData
from lithify.data.spill import Spill, release
from lithify.errors import MalformedContainer
from lithify.kernels import compiled

BLOCK, NUMBERS = "pairs", "numbers"
FACTORS = ((1.0, 1.0), (1.0, -1.0), (2.0, 1.0), (1.0, 2.0), (2.0, -1.0), (1.0, -2.0))
_NAMES = ("columns", "mean", "inverse")
_SUMS = "lithify.learners.linear.columns_kernels"
_PIECE_ROWS = 65536
_DISTINCT = 10
_MOST = 32
"""Columns that are paired at most, whatever a file says."""
_SAMPLE = 4096


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which columns are paired, and how they are brought to one scale.

    Attributes
    ----------
    columns : (p,) int64
        Columns of the block ``numbers``, ascending.
    mean, inverse : (p,) float64
        A number counts as ``(x - mean) * inverse``.
    """

    columns: NDArray[np.int64]
    mean: NDArray[np.float64]
    inverse: NDArray[np.float64]

    @property
    def width(self) -> int:
        """How many columns are made."""
        return made_of(len(self.columns))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is sealed."""
        return {f"{BLOCK}_{name}": getattr(self, name) for name in _NAMES}

    def derived(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(n, width) float64 from the numbers (n, k); NaN where one of the two is missing.

        >>> Pairs(np.array([0, 1]), np.zeros(2), np.ones(2)).derived(np.array([[1.0, 2.0]])).tolist()
        [[3.0, -1.0, 4.0, 5.0, 0.0, -3.0]]
        """
        with np.errstate(over="ignore", invalid="ignore"):
            z = (values[:, self.columns].astype(np.float64) - self.mean) * self.inverse
            made = [a * z[:, i] + b * z[:, j] for i, j in combinations(range(len(self.columns)), 2) for a, b in FACTORS]
        return np.stack(made, axis=1)

    def block(self, blocks: Blocks) -> dict[str, Dense]:
        """The made columns of some rows."""
        return {BLOCK: Dense(self.derived(_numbers(blocks)))}

    def shared(self, shares: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
        """What the made columns add, (width,), given back in halves to the columns they are made of, (columns,)."""
        back = np.zeros(columns)
        pairs = [pair for pair in combinations(self.columns.tolist(), 2) for _ in FACTORS]
        for (a, b), share in zip(pairs, shares.tolist(), strict=True):
            back[a] += 0.5 * share
            back[b] += 0.5 * share
        return back


def made_of(columns: int) -> int:
    """How many columns are made of so many.

    >>> made_of(0), made_of(3)
    (0, 18)
    """
    return len(FACTORS) * columns * (columns - 1) // 2


def pairs_of(arrays: Mapping[str, NDArray[Any]]) -> Pairs | None:
    """What was sealed; None where there are no pairs."""
    if f"{BLOCK}_columns" not in arrays:
        return None
    return Pairs(*(arrays[f"{BLOCK}_{name}"] for name in _NAMES))


def audit(arrays: Mapping[str, NDArray[Any]], numbers: int) -> Pairs | None:
    """:func:`pairs_of` arrays from a file; ``MalformedContainer`` unless they fit so many number columns."""
    found = [name for name in arrays if name.startswith(f"{BLOCK}_")]
    if not found:
        return None
    forms = {"columns": np.int64, "mean": np.float64, "inverse": np.float64}
    sound = set(found) == {f"{BLOCK}_{name}" for name in forms}
    sound = sound and all(arrays[f"{BLOCK}_{name}"].dtype == dtype for name, dtype in forms.items())
    if sound:
        columns, mean, inverse = (arrays[f"{BLOCK}_{name}"] for name in _NAMES)
        sound = columns.ndim == 1 and columns.shape == mean.shape == inverse.shape and 2 <= len(columns) <= _MOST
        sound = sound and columns[0] >= 0 and columns[-1] < numbers and bool((np.diff(columns) > 0).all())
        sound = sound and bool(np.isfinite(mean).all() and np.isfinite(inverse).all())
    if not sound:
        raise MalformedContainer("The pairs of columns do not fit.")
    return Pairs(columns, mean, inverse)


def check(columns: Any, data: TrainingData) -> list[int]:
    """Columns from a checkpoint; ``MalformedContainer`` unless they are number columns of these data, or none."""
    width = _numbers(data.blocks).shape[1] if NUMBERS in data.blocks else 0
    sound = type(columns) is list and all(type(column) is int and 0 <= column < width for column in columns)
    if not sound or columns != sorted(set(columns)) or len(columns) == 1 or len(columns) > _MOST:
        raise MalformedContainer("The pairs of columns in the checkpoint do not fit.")
    return list(columns)


def promising(data: TrainingData, gain: NDArray[np.float64], most: int) -> list[int]:
    """The number columns that gain most, ascending; none where fewer than two take many values.

    Parameters
    ----------
    data : TrainingData
    gain : (columns,) float64
        How much each column counts; those of the numbers come first.
    most : int
        How many columns at most.
    """
    if NUMBERS not in data.blocks:
        return []
    numbers = _numbers(data.blocks)
    sample = numbers[data.train[:: max(1, len(data.train) // _SAMPLE)]]
    many = [j for j in range(sample.shape[1]) if _values(sample[:, j]) >= _DISTINCT and gain[j] > 0.0]
    columns = sorted(sorted(many, key=lambda j: (-gain[j], j))[:most])
    return columns if len(columns) > 1 else []


def of_columns(data: TrainingData, columns: Sequence[int]) -> Pairs:
    """The pairs of some number columns, on the scale of the training rows."""
    numbers = _numbers(data.blocks)
    mean, inverse = np.zeros(len(columns)), np.zeros(len(columns))
    for at, column in enumerate(columns):
        one = np.ascontiguousarray(numbers[data.train, column], dtype=np.float64)[:, None]
        every = np.arange(len(one))
        compiled(_SUMS).moments(one, every, np.ones(len(one)), mean[at : at + 1], inverse[at : at + 1])
        release(numbers)
    return Pairs(np.array(columns, dtype=np.int64), mean, inverse)


def with_pairs(data: TrainingData, pairs: Pairs) -> TrainingData:
    """The same data with a block of the pairs, in a file where it is large."""
    values = _numbers(data.blocks)
    made = Spill(data.scratch)
    for at in range(0, len(values), _PIECE_ROWS):
        made.append(pairs.derived(values[at : at + _PIECE_ROWS]))
        release(values)
    return replace(data, blocks={**data.blocks, BLOCK: Dense(made.whole())})


def _numbers(blocks: Blocks) -> NDArray[np.floating[Any]]:
    block = blocks[NUMBERS]
    assert isinstance(block, Dense)
    return block.values


def _values(column: NDArray[np.floating[Any]]) -> int:
    return len(np.unique(column[np.isfinite(column)]))
