"""Kernels that find the best split of a node. See :mod:`lithify.learners.tree.kernels` for the arrays.

A sheet (bins, 2 + outputs) int64 holds for each bin of a column the rows of the node, their weight, and their weight by
class or the sum of their values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

_log = kernel(peer("lithify.numerics").log_scalar)

COLUMN, CUT, THRESHOLD, MISSING, CHOSEN, GAIN, LEFT, DEPTH, SUMS, SIZE = range(10)
BINS = 256
PRESENT = 1.7014118346046923e38
"""Threshold of a split into present and missing, 2**127: numbers above it count as missing there."""
RIVALS = 16
"""Of so many classes at most, the most frequent, are the orders of a category's values tried."""
_NOISE = 1e-12

GINI, ENTROPY, SQUARES = range(3)


@kernel
def count(sums: Any, unit: int, target: int, criterion: int) -> None:
    """Adds one row to the sums of a node or a bin."""
    sums[0] += 1
    sums[1] += unit
    if criterion == SQUARES:
        sums[2] += target
    else:
        sums[2 + target] += unit


@kernel
def purity(sums: Any, criterion: int) -> float:
    """What a split raises the sum of: the weight times one less the impurity, up to a constant of the rows.

    Squares: S^2 / W. Gini: sum of W_k^2 / W. Entropy: sum of W_k log W_k, less W log W.
    """
    weight = float(sums[1])
    if weight <= 0.0:
        return 0.0
    total = 0.0
    for k in range(2, len(sums)):
        value = float(sums[k])
        if criterion != ENTROPY:
            total += value * value
        elif value > 0.0:
            total += value * _log(value)
    return total - weight * _log(weight) if criterion == ENTROPY else total / weight


@kernel
def _move(sums: Any, left: Any, right: Any) -> None:
    """Takes what a bin holds from the right side to the left."""
    for k in range(len(sums)):
        left[k] += sums[k]
        right[k] -= sums[k]


@kernel
def _improvement(left: Any, right: Any, whole: Any, limits: Any) -> float:
    """Gain of a split; 0 where a side is too small, or where what is gained is no more than rounding."""
    if left[0] < limits[2] or right[0] < limits[2]:
        return 0.0
    sides = purity(left, limits[4]) + purity(right, limits[4])
    gain = sides - purity(whole, limits[4])
    noise = _NOISE * (sides if limits[4] == SQUARES else float(whole[1]))
    return gain if gain > noise else 0.0


@kernel
def try_number(tree: Any, table: Any, node: int, column: int, sheet: Any, limits: Any) -> None:
    """Every cut between neighbouring bins that hold rows, missing cells on the right, then on the left."""
    whole = tree[SUMS][node]
    lost = sheet[0][0] > 0
    for side in range(2 if lost else 1):
        left, right = np.zeros(len(whole), dtype=np.int64), whole.copy()
        if side == 1:
            _move(sheet[0], left, right)
        before = 0
        for here in range(1, len(sheet)):
            if sheet[here, 0] == 0:
                continue
            if before > 0:
                gain = _improvement(left, right, whole, limits)
                if gain > tree[GAIN][node]:
                    heavier = 2 * left[1] >= whole[1]
                    _take(tree, node, column, gain)
                    tree[CUT][node] = before
                    tree[THRESHOLD][node] = between(table[4][column, before], table[3][column, here])
                    tree[MISSING][node] = side == 1 if lost else heavier
            _move(sheet[here], left, right)
            before = here
        if side == 0 and lost and before > 0:
            gain = _improvement(left, right, whole, limits)
            if gain > tree[GAIN][node]:
                _take(tree, node, column, gain)
                tree[CUT][node], tree[THRESHOLD][node], tree[MISSING][node] = BINS, PRESENT, 0


@kernel
def between(low: float, high: float) -> float:
    """A number from ``low`` up to, but not, ``high``: halfway, if there is one."""
    middle = low * 0.5 + high * 0.5
    return middle if low <= middle < high else low


@kernel
def _take(tree: Any, node: int, column: int, gain: float) -> None:
    tree[COLUMN][node], tree[GAIN][node] = column, gain
    for at in range(BINS):
        tree[CHOSEN][node, at] = 0
    tree[CUT][node], tree[THRESHOLD][node], tree[MISSING][node] = 0, 0.0, 0


@kernel
def try_category(tree: Any, node: int, column: int, sheet: Any, limits: Any) -> None:
    """Cuts of the values in the order of their mean (Breiman et al. 1984, section 4.2.2), or of a class's share."""
    whole = tree[SUMS][node]
    outputs = len(whole) - 2
    if outputs <= 2:
        _try_order(tree, node, column, sheet, limits, outputs - 1)
        return
    tried = np.zeros(outputs, dtype=np.uint8)
    for _ in range(min(outputs, RIVALS)):
        most = -1
        for k in range(outputs):
            if tried[k] == 0 and whole[2 + k] > 0 and (most < 0 or whole[2 + k] > whole[2 + most]):
                most = k
        if most < 0:
            break
        tried[most] = 1
        _try_order(tree, node, column, sheet, limits, most)


@kernel
def _try_order(tree: Any, node: int, column: int, sheet: Any, limits: Any, output: int) -> None:
    whole = tree[SUMS][node]
    order, ranked = _ranked(sheet, output)
    left, right = np.zeros(len(whole), dtype=np.int64), whole.copy()
    for i in range(ranked - 1):
        _move(sheet[order[i]], left, right)
        gain = _improvement(left, right, whole, limits)
        if gain > tree[GAIN][node]:
            heavier = 2 * left[1] >= whole[1]
            _take(tree, node, column, gain)
            for at in range(len(sheet)):
                tree[CHOSEN][node, at] = sheet[at, 0] == 0 and heavier
            for at in range(i + 1):
                tree[CHOSEN][node, order[at]] = 1


@kernel
def _ranked(sheet: Any, output: int) -> Any:
    """Bins that hold rows, by their mean of one output, equal ones by number; and how many there are."""
    order = np.zeros(len(sheet), dtype=np.int64)
    mean = np.zeros(len(sheet), dtype=np.float64)
    count = 0
    for here in range(len(sheet)):
        if sheet[here, 0] > 0:
            value = float(sheet[here, 2 + output]) / float(sheet[here, 1])
            at = count
            while at > 0 and mean[at - 1] > value:
                order[at], mean[at] = order[at - 1], mean[at - 1]
                at -= 1
            order[at], mean[at] = here, value
            count += 1
    return order, count
