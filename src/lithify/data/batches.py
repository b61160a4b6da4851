"""What a learner is given: blocks, targets, weights and row numbers; test rows are not in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hashed:
    """A sparse block of binary features: which of ``buckets`` hash buckets each row holds.

    Attributes
    ----------
    start : (n + 1,) int64
        Row ``i`` owns ``index[start[i]:start[i + 1]]``.
    index : (nnz,) uint32
        Bucket numbers, distinct within a row.
    buckets : int
    """

    start: NDArray[np.int64]
    index: NDArray[np.uint32]
    buckets: int

    def __len__(self) -> int:
        return len(self.start) - 1


@dataclass(frozen=True)
class Dense:
    """A block of numbers, ``values`` (n, width) float32."""

    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)


Block = Hashed | Dense
Blocks = Mapping[str, Block]


@dataclass(frozen=True)
class TrainingData:
    """Everything a learner may see.

    Attributes
    ----------
    blocks : mapping of str to Block
        All of n rows: training rows and the rows that may stop training early.
    target : (n,) int32
        Codes of the labels.
    weight : (n,) float64
    train : (m,) int64
        Row numbers to learn from.
    stop : (k,) int64
        Row numbers to judge early stopping by; may be empty.
    classes : int
        How many labels there are.
    seed : int
        Of all randomness.
    grains : int
        Into how many shares a step is cut; a power of two.
    scratch : Path or None
        Folder for arrays that are too large for memory; None keeps them in memory.
    """

    blocks: Blocks
    target: NDArray[np.int32]
    weight: NDArray[np.float64]
    train: NDArray[np.int64]
    stop: NDArray[np.int64]
    classes: int
    seed: int
    grains: int
    scratch: Path | None = None

    def only(self, train: NDArray[np.int64]) -> TrainingData:
        """The same data with other training rows and none to stop by: one fold."""
        return replace(self, train=train, stop=np.zeros(0, dtype=np.int64))
