"""Tables for the kernels that score many rows; derived from a forest, never sealed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithify.kernels import compiled
from lithify.learners.forest.forest import CATEGORICAL, Forest
from lithify.learners.forest.kernels import ZERO_LEFT
from lithify.learners.forest.nodes import kinds
from lithify.learners.forest.quick_kernels import LEAVES, TOGETHER

KERNELS = "lithify.learners.forest.quick_kernels"
_EDGES = 253
"""Thresholds of a lane at most: with both ends and both places for missing values bins have 8 bits."""
_MOST = 1024
"""Leaves of a tree at most: with more it would be quicker to walk down."""
_ALL = np.uint8(255)
_NARROW = 256
"""Codes of a column that are looked at as bits; of more, a table tells sooner what each leaves."""
_TABLES = 2**25
"""Words in the tables of categorical nodes at most."""


def quick(forest: Forest) -> tuple[NDArray[Any], ...] | None:
    """What :func:`lithify.learners.forest.quick_kernels.add_trees` takes.

    None where a tree has more than 1,024 leaves, or the sets of the forest would need too much room.
    """
    sizes = np.diff(forest.start)
    if int(sizes.max(initial=1)) > _MOST:
        return None
    begin, middle = np.zeros((2, len(forest.feature)), dtype=np.int64)
    rank = np.zeros(len(forest.value), dtype=np.int64)
    compiled(KERNELS).ranges(forest.start.copy(), forest.left.copy(), forest.right.copy(), begin, middle, rank)
    part_start = _offsets(-(-sizes // LEAVES))
    parts = int(part_start[-1])
    clearing = _clearing(begin, middle, np.repeat(part_start[:-1], sizes - 1))
    sets = forest.flags[clearing.node] == CATEGORICAL
    codes = _codes(forest)
    narrow = codes[forest.feature[clearing.node]] <= _NARROW
    tables = _tables(forest, clearing.only(sets & ~narrow), parts, np.where(codes > _NARROW, codes, 0))
    if tables is None:
        return None
    lanes = _lanes(forest, clearing.only(~sets), parts)
    bits = _bits(forest, clearing.only(sets & narrow), parts)
    values = np.zeros(LEAVES * parts)
    values[np.repeat(LEAVES * part_start[:-1], sizes) + rank] = forest.value
    return (*lanes, *bits, *tables, forest.output.copy(), part_start, values)


class Clearing(NamedTuple):
    """What nodes clear when a row goes right, each a part of a tree at a time.

    Attributes
    ----------
    node : (P,) int64
    part : (P,) int64
        Of 8 leaves each, from left to right.
    mask : (P,) uint8
        The leaves of the part that stay.
    """

    node: NDArray[np.int64]
    part: NDArray[np.int64]
    mask: NDArray[np.uint8]

    def only(self, those: NDArray[np.bool_]) -> Clearing:
        """Some of them."""
        return Clearing(self.node[those], self.part[those], self.mask[those])


def _clearing(begin: NDArray[np.int64], middle: NDArray[np.int64], first: NDArray[np.int64]) -> Clearing:
    """Each node as often as its leaves ``begin`` to ``middle`` lie in a part; ``first`` the first part of its tree."""
    reaches = (middle - 1) // LEAVES - begin // LEAVES + 1
    node = np.repeat(np.arange(len(begin)), reaches)
    word = begin[node] // LEAVES + np.arange(len(node)) - _offsets(reaches)[node]
    low = np.maximum(begin[node] - word * LEAVES, 0)
    high = np.minimum(middle[node] - word * LEAVES, LEAVES)
    gone = ((1 << (high - low)) - 1) << low
    return Clearing(node, first[node] + word, (~gone & 255).astype(np.uint8))


def _lanes(forest: Forest, clearing: Clearing, parts: int) -> tuple[NDArray[Any], ...]:
    """The nodes with thresholds. A lane is a column, with zero missing or not, and 253 edges at most."""
    node, part, mask = clearing
    feature, kind, threshold = forest.feature[node], kinds(forest.flags)[node], forest.threshold[node]
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
    asked = ((2 * lane + (kind & 1)).astype(np.int32), (edge + 1).astype(np.uint8), mask[order])
    lanes = np.stack([feature, kind >= ZERO_LEFT], axis=1)[fresh_lane].astype(np.int32)
    return lanes, edges, *_filled_up(part[order], parts, asked, (0, 255, _ALL))


def _bits(forest: Forest, clearing: Clearing, parts: int) -> tuple[NDArray[Any], ...]:
    """The nodes with sets of few codes. A lane is eight codes of a column, and one more for all that no set knows."""
    node, part, mask = clearing
    feature = forest.feature[node]
    number = (np.cumsum(forest.flags == CATEGORICAL) - 1)[node]
    flat = forest.set_bits.astype("<u4").view(np.uint8)
    begin, end = 4 * forest.set_start[number], 4 * forest.set_start[number + 1]
    columns, found, lane = [], [], 0
    for column in np.unique(feature):
        some = np.flatnonzero(feature == column)
        at = begin[some, None] + np.arange(int((end - begin)[some].max()) + 1)
        stays = np.where(at < end[some, None], flat[np.minimum(at, len(flat) - 1)], 0) if len(flat) else 0 * at
        known = np.flatnonzero(np.unpackbits(np.bitwise_or.reduce(stays, axis=0).astype(np.uint8), bitorder="little"))
        size = int(known[-1]) + 1 if len(known) else 0
        gone = ~stays[:, : size // 8 + 1].astype(np.uint8)
        gone[:, -1] &= (2 << size % 8) - 1
        which, eight = np.nonzero(gone)
        found.append((some[which], lane + eight, gone[which, eight]))
        columns.append((column, size, lane))
        lane += size // 8 + 1
    nodes, lanes, gone = (np.concatenate(of) for of in zip(*found, strict=True)) if found else np.zeros((3, 0), int)
    asked = (lanes.astype(np.int32), gone.astype(np.uint8), mask[nodes])
    return np.array(columns, np.int32).reshape(-1, 3), *_filled_up(part[nodes], parts, asked, (0, 0, _ALL))


def _filled_up(
    part: NDArray[np.int64], parts: int, asked: tuple[NDArray[Any], ...], nothing: tuple[Any, ...]
) -> tuple[NDArray[Any], ...]:
    """Where each part begins, and what is asked there: part by part, each filled up with what clears ``nothing``."""
    used = np.bincount(part, minlength=parts)
    start = _offsets(-(-used // TOGETHER) * TOGETHER)
    to = np.empty(len(part), dtype=np.int64)
    order = np.argsort(part, kind="stable")
    to[order] = np.arange(len(part)) + (start[:-1] - _offsets(used)[:-1])[part[order]]
    out = [np.full(start[-1], of, values.dtype) for values, of in zip(asked, nothing, strict=True)]
    for values, its in zip(asked, out, strict=True):
        its[to] = values
    return start, *out


def _codes(forest: Forest) -> NDArray[np.int64]:
    """How many codes the sets of each column know, (width,)."""
    codes = np.zeros(forest.width, dtype=np.int64)
    np.maximum.at(codes, forest.feature[forest.flags == CATEGORICAL], 32 * np.diff(forest.set_start))
    return codes


def _tables(
    forest: Forest, clearing: Clearing, parts: int, codes: NDArray[np.int64]
) -> tuple[NDArray[Any], ...] | None:
    """The nodes with sets: for each part of a tree and column of codes, the leaves that each code can end in.

    The last word of each is for codes that are in no set. None where they need too much room.
    """
    node, part, mask = clearing
    pairs, pair = np.unique(part * forest.width + forest.feature[node], return_inverse=True)
    column = np.flatnonzero(codes)
    size = codes[pairs % max(1, forest.width)]
    begin = _offsets(size + 1)
    if begin[-1] > _TABLES:
        return None
    table_mask = np.full(begin[-1], _ALL)
    number = (np.cumsum(forest.flags == CATEGORICAL) - 1)[node]
    sets = (forest.set_start[number], forest.set_start[number + 1], forest.set_bits.copy())
    compiled(KERNELS).fill(begin[:-1][pair], size[pair], mask, *sets, table_mask)
    which = np.searchsorted(column, pairs % max(1, forest.width))
    columns = np.stack([column, codes[column]], axis=1).astype(np.int32)
    table_start = np.searchsorted(pairs, np.arange(parts + 1) * forest.width)
    return columns, table_start, np.stack([which, begin[:-1]], axis=1), table_mask


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each is the first or other than the one before."""
    return np.concatenate([np.ones(min(1, len(values)), dtype=np.bool_), values[1:] != values[:-1]])


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
