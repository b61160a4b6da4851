"""What a learner is given: blocks, targets, weights and row numbers; test rows are not in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithify.data.spill import release

BLOCKS = ("numbers", "categories", "words")
"""The blocks of columns that features make, in the order in which columns are numbered."""


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
    """A block of numbers: ``values`` (n, width) float32 or float64, NaN where there is none."""

    values: NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Codes:
    """A block of categories.

    Attributes
    ----------
    values : (n, width) int32
        Codes in [0, sizes[j]): 0 for a missing cell, 1 for a value that is rare or was never seen, 2 and more for the
        values that the features know.
    sizes : tuple of int
        How many codes each column has.
    """

    values: NDArray[np.int32]
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Pixels:
    """A block of images of one size, gathered when they are asked for: no more of them than that is in memory.

    Attributes
    ----------
    segments : tuple of (k, side, side, channels) uint8 arrays
        What is at hand, each in memory or in a mapped file.
    place : (n,) int64
        Where each row lies in the segments put end to end; -1 where it is not at hand.
    size : (side, side, channels)
    beyond : callable or None
        Makes (m, side, side, channels) images of some of the n rows that are not at hand; called from any thread.

    Examples
    --------
    >>> pixels = Pixels.of(np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1))
    >>> pixels.shape, pixels.take(np.array([2, 0]))[:, 0, 0, 0].tolist()
    ((3, 2, 2, 1), [8, 0])
    """

    segments: tuple[NDArray[np.uint8], ...]
    place: NDArray[np.int64]
    size: tuple[int, int, int]
    beyond: Callable[[NDArray[np.int64]], NDArray[np.uint8]] | None = None

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> Pixels:
        """Images (n, side, side, channels) that are in memory."""
        count, *size = images.shape
        return cls((images,), np.arange(count), (size[0], size[1], size[2]))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the whole block: (n, side, side, channels)."""
        return (len(self), *self.size)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Of every image: uint8."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.place)

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The images (m, side, side, channels) of some rows, in the order given, copied; may be called by threads."""
        place = self.place[rows]
        images = np.empty((len(place), *self.size), dtype=np.uint8)
        ends = self._ends
        segment = np.searchsorted(ends, place, side="right")
        segment[place < 0] = -1
        for number in np.unique(segment).tolist():
            at = np.flatnonzero(segment == number)
            if number >= 0:
                first = int(ends[number]) - len(self.segments[number])
                images[at] = self.segments[number][place[at] - first]
            elif self.beyond is not None:
                images[at] = self.beyond(np.asarray(rows)[at])
            else:
                raise IndexError("these rows are not at hand, and nothing can make them")
        return images

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([len(segment) for segment in self.segments], dtype=np.int64)


Block = Hashed | Dense | Codes | Pixels
Blocks = Mapping[str, Block]


@dataclass(frozen=True)
class TrainingData:
    """Everything a learner may see.

    Attributes
    ----------
    blocks : mapping of str to Block
        All of n rows: training rows and the rows that may stop training early.
    target : (n,) int32 or float64
        Codes of the labels; in regression the values.
    weight : (n,) float64
    train : (m,) int64
        Row numbers to learn from.
    stop : (k,) int64
        Row numbers to judge early stopping by; may be empty.
    classes : int
        How many labels there are; 0 in regression.
    group : (n,) int64
        Equal for rows that must stay together when training rows are parted into folds.
    seed : int
        Of all randomness.
    grains : int
        Into how many shares a step is cut; a power of two.
    scratch : Path or None
        Folder for arrays that are too large for memory; None keeps them in memory.
    """

    blocks: Blocks
    target: NDArray[np.int32] | NDArray[np.float64]
    weight: NDArray[np.float64]
    train: NDArray[np.int64]
    stop: NDArray[np.int64]
    classes: int
    group: NDArray[np.int64]
    seed: int
    grains: int
    scratch: Path | None = None

    @property
    def outputs(self) -> int:
        """Columns of an array of raw scores: one for each label, one in regression."""
        return max(1, self.classes)

    def only(self, train: NDArray[np.int64]) -> TrainingData:
        """The same data with other training rows and none to stop by: one fold."""
        return replace(self, train=train, stop=np.zeros(0, dtype=np.int64))


def take(blocks: Blocks, rows: NDArray[np.int64]) -> Blocks:
    """The blocks of some rows, copied; those of all rows are released."""
    return {name: _take(block, rows) for name, block in blocks.items()}


def _take(block: Block, rows: NDArray[np.int64]) -> Block:
    if isinstance(block, Pixels):
        return Pixels.of(block.take(rows))
    if not isinstance(block, Hashed):
        some: Block = Dense(block.values[rows]) if isinstance(block, Dense) else Codes(block.values[rows], block.sizes)
        release(block.values)
        return some
    lengths = block.start[rows + 1] - block.start[rows]
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    pieces = [block.index[block.start[row] : block.start[row + 1]] for row in rows]
    index = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint32)
    release(block.index)
    return Hashed(start, index, block.buckets)
