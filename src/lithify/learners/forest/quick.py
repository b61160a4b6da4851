"""Tables for the kernels that score many rows; derived from a forest, never sealed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.kernels import compiled
from lithify.learners.forest.forest import CATEGORICAL, Forest
from lithify.learners.forest.kernels import ZERO_LEFT
from lithify.learners.forest.nodes import kinds
from lithify.learners.forest.quick_kernels import LOWEST_32, LOWEST_64, TOGETHER

KERNELS = "lithify.learners.forest.quick_kernels"
_EDGES = 253
"""Thresholds of a lane at most: with both ends and both places for missing values bins have 8 bits."""
_TABLES = 2**23
"""Words in the tables of categorical nodes at most."""


def quick(forest: Forest) -> tuple[NDArray[Any], ...] | None:
    """What :func:`lithify.learners.forest.quick_kernels.add_trees` takes.

    None where a tree has more than 64 leaves, or the sets of the forest would need too much room.
    """
    sizes = np.diff(forest.start)
    most = int(sizes.max(initial=1))
    tree = np.repeat(np.arange(len(forest)), sizes - 1)
    codes = _codes(forest)
    if most > 64 or len(_pairs(forest, tree)[0]) * (int(codes.max(initial=0)) + 1) > _TABLES:
        return None
    dtype = np.uint32 if most <= 32 else np.uint64
    begin, middle = np.zeros((2, len(forest.feature)), dtype=np.int64)
    rank = np.zeros(len(forest.value), dtype=np.int64)
    compiled(KERNELS).ranges(forest.start.copy(), forest.left.copy(), forest.right.copy(), begin, middle, rank)
    one = np.uint64(1)
    below = (one << (middle - begin).astype(np.uint64)) - one
    mask = (~(below << begin.astype(np.uint64))).astype(dtype)
    tables = (*_lanes(forest, tree, mask), *_tables(forest, tree, mask, codes))
    return (*tables, forest.output.copy(), _values(forest, rank, most))


def _lanes(forest: Forest, tree: NDArray[np.int64], mask: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """The nodes with thresholds. A lane is a column, with zero missing or not, and 253 edges at most."""
    at = np.flatnonzero(forest.flags != CATEGORICAL)
    feature, kind, threshold = forest.feature[at], kinds(forest.flags)[at], forest.threshold[at]
    order = np.lexsort((threshold, kind >= ZERO_LEFT, feature))
    feature, kind, threshold = feature[order], kind[order], threshold[order]
    fresh_column = _changes(feature) | _changes(kind >= ZERO_LEFT)
    fresh = fresh_column | _changes(threshold)
    place = np.cumsum(fresh) - 1
    place -= np.maximum.accumulate(np.where(fresh_column, place, 0))
    fresh_lane = fresh & (place % _EDGES == 0)
    lane, edge = np.cumsum(fresh_lane) - 1, place % _EDGES
    edges = np.full((int(fresh_lane.sum()), 256), np.inf)
    edges[lane, edge] = threshold
    used = np.bincount(tree[at], minlength=len(forest))
    start = _offsets(-(-used // TOGETHER) * TOGETHER)
    to = (start[tree[at]] + np.arange(len(at)) - _offsets(used)[tree[at]])[order]
    node_lane, node_edge = np.zeros(start[-1], np.int32), np.full(start[-1], 255, np.uint8)
    node_mask = np.full(start[-1], ~mask.dtype.type(0), mask.dtype)
    node_lane[to], node_edge[to], node_mask[to] = 2 * lane + (kind & 1), edge + 1, mask[at][order]
    lanes = np.stack([feature, kind >= ZERO_LEFT], axis=1)[fresh_lane].astype(np.int32)
    return lanes, edges, start, node_lane, node_edge, node_mask


def _codes(forest: Forest) -> NDArray[np.int64]:
    """How many codes the sets of each column know, (width,)."""
    codes = np.zeros(forest.width, dtype=np.int64)
    np.maximum.at(codes, forest.feature[forest.flags == CATEGORICAL], 32 * np.diff(forest.set_start))
    return codes


def _pairs(forest: Forest, tree: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The trees and columns that meet at a categorical node, as one number each; and the number of each such node."""
    sets = forest.flags == CATEGORICAL
    return np.unique(tree[sets] * forest.width + forest.feature[sets], return_inverse=True)


def _tables(
    forest: Forest, tree: NDArray[np.int64], mask: NDArray[Any], codes: NDArray[np.int64]
) -> tuple[NDArray[Any], ...]:
    """The nodes with sets: for each tree and column of codes, the leaves that each code can end in.

    The last word of each is for codes that are in no set.
    """
    pairs, pair = _pairs(forest, tree)
    column = np.flatnonzero(codes)
    size = codes[pairs % max(1, forest.width)]
    begin = _offsets(size + 1)
    table_mask = np.full(begin[-1], ~mask.dtype.type(0), mask.dtype)
    masks = mask[forest.flags == CATEGORICAL]
    sets = (forest.set_start.copy(), forest.set_bits.copy())
    compiled(KERNELS).fill(begin[:-1][pair], size[pair], masks, *sets, table_mask)
    which = np.searchsorted(column, pairs % max(1, forest.width))
    columns = np.stack([column, codes[column]], axis=1).astype(np.int32)
    table_start = np.searchsorted(pairs, np.arange(len(forest) + 1) * forest.width)
    return columns, table_start, np.stack([which, begin[:-1]], axis=1), table_mask


def _values(forest: Forest, rank: NDArray[np.int64], most: int) -> NDArray[np.float64]:
    """Leaf values (T, 32 or 64) where the kernel looks for them."""
    many, number, shift = (32, LOWEST_32, 27) if most <= 32 else (64, LOWEST_64, 58)
    places = np.array([((number << power) % 2**many) >> shift for power in range(many)])
    values = np.zeros((len(forest), many))
    values[np.repeat(np.arange(len(forest)), np.diff(forest.start)), places[rank]] = forest.value
    return values


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each is the first or other than the one before."""
    return np.concatenate([np.ones(min(1, len(values)), dtype=np.bool_), values[1:] != values[:-1]])


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
