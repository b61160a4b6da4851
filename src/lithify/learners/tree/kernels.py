"""Kernels that grow one decision tree over columns cut into bins. See :mod:`lithify.learners.tree.tree`.

A tree that grows is a tuple of arrays with room for all nodes it may come to:

====  ================  ========  ===================================================================================
 at   name              dtype     meaning
====  ================  ========  ===================================================================================
 0    column            int32     what the node is, or would be, split by; -1 where nothing is worth a split
 1    cut               int32     of a number: the last bin that goes left
 2    threshold         float64   of a number: values up to it go left
 3    missing           uint8     whether a missing number goes left
 4    chosen            uint8     of a category: (nodes, 256), whether a bin goes left
 5    gain              float64   what the split lowers the impurity by, in units of weight; 0 where there is none
 6    left              int32     the left child, the right one follows it; 0 for a leaf
 7    depth             int32
 8    sums              int64     (nodes, 2 + outputs): rows, weight, and weight by class or the sum of the values
 9    size              int64     (1,): how many nodes there are; 0 before the first
====  ================  ========  ===================================================================================

All sums are of whole numbers (weights and values in fixed point), so they are exact in any order. Bin 0 of a column is
its missing cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

s = peer("lithify.learners.tree.split_kernels")

BINS, PRESENT, GINI, ENTROPY, SQUARES = s.BINS, s.PRESENT, s.GINI, s.ENTROPY, s.SQUARES
COLUMN, CUT, THRESHOLD, MISSING, CHOSEN = s.COLUMN, s.CUT, s.THRESHOLD, s.MISSING, s.CHOSEN
GAIN, LEFT, DEPTH, SUMS, SIZE = s.GAIN, s.LEFT, s.DEPTH, s.SUMS, s.SIZE


@kernel
def grow(tree: Any, table: Any, target: Any, units: Any, rows: Any, limits: Any) -> None:
    """Splits leaves, the one with the largest gain first, until a limit is met; writes into ``tree``.

    Parameters
    ----------
    tree : tuple of arrays
        See the module.
    table : tuple of arrays
        ``bins`` (columns, m) uint8, ``count`` (columns,) int32 bins of each column, ``category`` (columns,) uint8
        whether its bins have no order, ``low`` and ``high`` (columns, 256) float64 smallest and largest value of a bin.
    target : (m,) int64
        Class codes; in regression values times weight in fixed point.
    units : (m,) int64
        Weights in fixed point, positive.
    rows : (k,) int64
        Rows to learn from.
    limits : (5,) int64
        Leaves at most, depth at most, rows of a leaf at least, splits made by this call at most, criterion.
    """
    left, gain, size = tree[LEFT], tree[GAIN], tree[SIZE]
    order = rows.copy()
    begin = np.zeros(len(left) + 1, dtype=np.int64)
    end = np.zeros(len(left) + 1, dtype=np.int64)
    if size[0] == 0:
        _add_leaf(tree, table, target, units, order, limits, 0)
        end[0] = len(rows)
    else:
        arrange(tree, table, rows, order, begin, end)
    for _ in range(limits[3]):
        best = next_leaf(left, gain, size[0])
        if best < 0 or (size[0] + 1) // 2 >= limits[0]:
            break
        middle = _divide(tree, table, order, begin[best], end[best], best)
        child = size[0]
        left[best] = child
        begin[child], end[child] = begin[best], middle
        begin[child + 1], end[child + 1] = middle, end[best]
        for node in range(child, child + 2):
            _add_leaf(tree, table, target, units, order[begin[node] : end[node]], limits, tree[DEPTH][best] + 1)


@kernel
def next_leaf(left: Any, gain: Any, size: int) -> int:
    """The leaf with the largest gain, the first of equal ones; -1 where no leaf has any."""
    best = -1
    for node in range(size):
        if left[node] == 0 and gain[node] > 0.0 and (best < 0 or gain[node] > gain[best]):
            best = node
    return best


@kernel
def leaf_of(tree: Any, table: Any, row: int) -> int:
    """The leaf that a row falls into."""
    node = 0
    while tree[LEFT][node] > 0:
        node = tree[LEFT][node] + (0 if _goes_left(tree, table, node, row) else 1)
    return node


@kernel
def leaves_of(tree: Any, table: Any, rows: Any) -> Any:
    """The leaf of each row, (k,) int64."""
    found = np.empty(len(rows), dtype=np.int64)
    for i in range(len(rows)):
        found[i] = leaf_of(tree, table, rows[i])
    return found


@kernel
def arrange(tree: Any, table: Any, rows: Any, order: Any, begin: Any, end: Any) -> None:
    """Writes the rows leaf by leaf into ``order``, each leaf's in the order they have, and where each leaf's stand."""
    leaf = leaves_of(tree, table, rows)
    for i in range(len(rows)):
        end[leaf[i]] += 1
    at = 0
    for node in range(tree[SIZE][0]):
        begin[node] = at
        at += end[node]
        end[node] = begin[node]
    for i in range(len(rows)):
        order[end[leaf[i]]] = rows[i]
        end[leaf[i]] += 1


@kernel
def _goes_left(tree: Any, table: Any, node: int, row: int) -> bool:
    column = tree[COLUMN][node]
    found = table[0][column, row]
    if table[2][column] != 0:
        return bool(tree[CHOSEN][node, found] != 0)
    return bool(tree[MISSING][node] != 0) if found == 0 else bool(found <= tree[CUT][node])


@kernel
def _divide(tree: Any, table: Any, order: Any, begin: int, end: int, node: int) -> int:
    """Puts the rows of a node that go left first, all in the order they had; returns where the others begin."""
    others = np.empty(end - begin, dtype=np.int64)
    at, rest = begin, 0
    for i in range(begin, end):
        row = order[i]
        if _goes_left(tree, table, node, row):
            order[at] = row
            at += 1
        else:
            others[rest] = row
            rest += 1
    for i in range(rest):
        order[at + i] = others[i]
    return at


@kernel
def _add_leaf(tree: Any, table: Any, target: Any, units: Any, rows: Any, limits: Any, depth: int) -> None:
    """Appends a leaf that holds these rows, with the best split it could have."""
    node = tree[SIZE][0]
    tree[SIZE][0] = node + 1
    tree[COLUMN][node], tree[LEFT][node], tree[DEPTH][node], tree[GAIN][node] = -1, 0, depth, 0.0
    sums = tree[SUMS][node]
    for k in range(len(sums)):
        sums[k] = 0
    some_units, some_target = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64)
    for i in range(len(rows)):
        some_units[i], some_target[i] = units[rows[i]], target[rows[i]]
        s.count(sums, some_units[i], some_target[i], limits[4])
    if depth >= limits[1] or len(rows) < 2 * limits[2]:
        return
    sheet = np.zeros((BINS, len(sums)), dtype=np.int64)
    for column in range(len(table[1])):
        width = table[1][column]
        for at in range(width):
            for k in range(len(sums)):
                sheet[at, k] = 0
        bins = table[0][column]
        for i in range(len(rows)):
            s.count(sheet[bins[rows[i]]], some_units[i], some_target[i], limits[4])
        if table[2][column] != 0:
            s.try_category(tree, node, column, sheet[:width], limits)
        else:
            s.try_number(tree, table, node, column, sheet[:width], limits)
