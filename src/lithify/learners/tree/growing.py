"""The state of decision trees that grow: arrays by name, as :mod:`lithify.learners.tree.kernels` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import TrainingData
from lithify.errors import MalformedContainer
from lithify.learners.folds import fold_of
from lithify.learners.tree import columns as tree_columns
from lithify.learners.tree import targets as tree_targets
from lithify.learners.tree.columns import Table
from lithify.learners.tree.kernels import BINS, CHOSEN, COLUMN, DEPTH, GAIN, LEFT, SIZE, SUMS
from lithify.learners.tree.targets import Targets

NAMES = ("column", "cut", "threshold", "missing", "chosen", "gain", "left", "depth", "sums", "size")
Growing = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Problem:
    """Training rows as a tree takes them; derived from the data alone, so never part of the state.

    Attributes
    ----------
    data : TrainingData
    table : Table
    targets : Targets
    fold : (m,) int64
        Fold of each row of ``targets``.
    """

    data: TrainingData
    table: Table
    targets: Targets
    fold: NDArray[np.int64]

    def rows(self, tree: int) -> NDArray[np.int64]:
        """Rows a tree learns from: those of all folds but its own."""
        return np.flatnonzero(self.fold != tree)

    def held(self, tree: int) -> NDArray[np.int64]:
        """Rows of a tree's own fold."""
        return np.flatnonzero(self.fold == tree)


def problem(data: TrainingData, balanced: bool, folds: int) -> Problem:
    """Bins, targets and folds of the training rows."""
    targets = tree_targets.targets(data, balanced)
    rows = data.train[targets.rows]
    fold = fold_of(data.group[rows], max(1, folds), data.seed)
    if not folds:
        fold = np.full(len(rows), -1, dtype=np.int64)
    return Problem(data, tree_columns.table(data.blocks, rows), targets, fold)


def seedling(leaves: int, classes: int) -> Growing:
    """A tree without nodes, with room for so many leaves."""
    room = 2 * leaves - 1
    shapes: tuple[tuple[Any, tuple[int, ...]], ...] = (
        (np.int32, (room,)), (np.int32, (room,)), (np.float64, (room,)), (np.uint8, (room,)), (np.uint8, (room, BINS)),
        (np.float64, (room,)), (np.int32, (room,)), (np.int32, (room,)), (np.int64, (room, 2 + max(1, classes))),
        (np.int64, (1,)),
    )  # fmt: skip
    return tuple(np.zeros(shape, dtype=dtype) for dtype, shape in shapes)


def named(tree: int, growing: Growing) -> dict[str, NDArray[Any]]:
    """The arrays of a tree as a state holds them."""
    return {f"{tree}/{name}": array for name, array in zip(NAMES, growing, strict=True)}


def of(arrays: Mapping[str, NDArray[Any]], tree: int) -> Growing:
    """The arrays of a tree out of a state."""
    return tuple(arrays[f"{tree}/{name}"] for name in NAMES)


def size(growing: Growing) -> int:
    """How many nodes a tree has."""
    return int(growing[SIZE][0])


def closed(growing: Growing) -> bool:
    """Whether a tree is grown: it has all leaves there is room for, or no leaf is worth a split."""
    nodes = size(growing)
    leaf = growing[LEFT][:nodes] == 0
    return nodes == len(growing[LEFT]) or (nodes > 0 and not bool((growing[GAIN][:nodes][leaf] > 0).any()))


def admit(growing: Growing, table: Table) -> None:
    """Raises ``MalformedContainer`` unless kernels can walk a tree and go on with it; shapes have been looked at."""
    nodes, room = size(growing), len(growing[LEFT])
    if not (0 <= nodes <= room and (nodes == 0 or nodes % 2 == 1)):
        raise MalformedContainer("A tree in the checkpoint has an impossible number of nodes.", found=str(nodes))
    left, column, gain = growing[LEFT][:nodes], growing[COLUMN][:nodes], growing[GAIN][:nodes]
    inner = np.flatnonzero(left > 0)
    children = np.sort(np.concatenate([left[inner], left[inner] + 1]))
    split = (left > 0) | (gain > 0)
    holds = (
        bool((left >= 0).all())
        and np.array_equal(children, np.arange(1, nodes))
        and bool((left[inner] > inner).all())
        and bool(((column >= 0) & (column < len(table.count)))[split].all())
        and bool(np.isfinite(gain).all() and (growing[DEPTH] >= 0).all() and (growing[SUMS][:, :2] >= 0).all())
        and bool((growing[CHOSEN] <= 1).all())
    )
    if not holds:
        raise MalformedContainer("A tree in the checkpoint is not one.")
