"""Kernels of boosting: slopes, curvatures and losses of raw scores; see :mod:`lithify.kernels`.

``raw`` is (r, outputs) float64, two labels having one output. LightGBM takes slopes and curvatures as float32, class
after class. Sums run from the first row to the last, so that their bits are the same everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel, peer

_numerics = peer("lithify.numerics")  # its source is part of what compiled kernels are kept by
_exp = _numerics.compiled().exp
_log = _numerics.compiled().log
_log1pexp = _numerics.compiled().log1pexp


@kernel
def two_labels(raw: Any, target: Any, cost: Any, slope: Any, curve: Any) -> None:
    """Of the logistic loss."""
    for i in range(len(target)):
        if cost[i] == 0.0:
            slope[i] = curve[i] = 0.0
            continue
        e = _exp(-abs(raw[i, 0]))
        p = (e if raw[i, 0] < 0.0 else 1.0) / (1.0 + e)
        slope[i] = cost[i] * (p - target[i])
        curve[i] = cost[i] * p * (1.0 - p)


@kernel
def more_labels(raw: Any, target: Any, cost: Any, slope: Any, curve: Any) -> None:
    """Of the multinomial logistic loss; curvatures times C / (C - 1), after Friedman (2001)."""
    rows, classes = raw.shape
    factor = classes / (classes - 1.0)
    p = np.empty(classes)
    slope[:] = 0.0
    curve[:] = 0.0
    for i in range(rows):
        if cost[i] == 0.0:
            continue
        top = raw[i].max()
        total = 0.0
        for k in range(classes):
            p[k] = _exp(raw[i, k] - top)
            total += p[k]
        for k in range(classes):
            share = p[k] / total
            at = k * rows + i
            slope[at] = cost[i] * (share - (1.0 if target[i] == k else 0.0))
            curve[at] = cost[i] * factor * share * (1.0 - share)


@kernel
def squared(raw: Any, target: Any, cost: Any, slope: Any, curve: Any) -> None:
    """Of half the squared error."""
    for i in range(len(target)):
        slope[i] = cost[i] * (raw[i, 0] - target[i])
        curve[i] = cost[i]


@kernel
def tilted(raw: Any, target: Any, cost: Any, level: float, slope: Any, curve: Any) -> None:
    """Of the pinball loss, which has no curvature: 1 stands in for it."""
    for i in range(len(target)):
        slope[i] = cost[i] * (1.0 - level if raw[i, 0] > target[i] else -level)
        curve[i] = cost[i]


@kernel
def two_labels_loss(raw: Any, target: Any, cost: Any, rows: Any) -> float:
    """Sum of the logistic loss over some rows."""
    total = 0.0
    for i in rows:
        total += cost[i] * _log1pexp(-raw[i, 0] if target[i] == 1 else raw[i, 0])
    return total


@kernel
def more_labels_loss(raw: Any, target: Any, cost: Any, rows: Any) -> float:
    """Sum of the multinomial logistic loss over some rows."""
    total = 0.0
    for i in rows:
        top = raw[i].max()
        inner = 0.0
        for k in range(raw.shape[1]):
            inner += _exp(raw[i, k] - top)
        total += cost[i] * (_log(inner) + top - raw[i, target[i]])
    return total


@kernel
def squared_loss(raw: Any, target: Any, cost: Any, rows: Any) -> float:
    """Sum of the squared error over some rows."""
    total = 0.0
    for i in rows:
        total += cost[i] * (raw[i, 0] - target[i]) * (raw[i, 0] - target[i])
    return total


@kernel
def tilted_loss(raw: Any, target: Any, cost: Any, level: float, rows: Any) -> float:
    """Sum of the pinball loss over some rows."""
    total = 0.0
    for i in rows:
        off = target[i] - raw[i, 0]
        total += cost[i] * (level * off if off > 0.0 else (level - 1.0) * off)
    return total


@kernel
def class_costs(target: Any, cost: Any, classes: int) -> Any:
    """Sum of the costs of each class."""
    totals = np.zeros(classes)
    for i in range(len(target)):
        totals[target[i]] += cost[i]
    return totals


@kernel
def moments(target: Any, cost: Any) -> Any:
    """Weighted mean and variance, in two passes."""
    weight = 0.0
    mean = 0.0
    for i in range(len(target)):
        weight += cost[i]
        mean += cost[i] * target[i]
    mean /= weight
    spread = 0.0
    for i in range(len(target)):
        spread += cost[i] * (target[i] - mean) * (target[i] - mean)
    return mean, spread / weight


@kernel
def total(values: Any) -> float:
    """Sum from first to last."""
    found = 0.0
    for value in values:
        found += value
    return found


@kernel
def leaf_quantiles(order: Any, leaf: Any, off: Any, cost: Any, level: float, out: Any) -> None:
    """Weighted quantile of ``off`` in each leaf; ``order`` sorts rows by ``off``.

    The smallest value at which the weights up to it reach ``level`` of the leaf's; leaves without weight stay as they
    are.
    """
    weight = np.zeros(len(out))
    reached = np.zeros(len(out))
    open_ = np.ones(len(out), dtype=np.bool_)
    for i in order:  # in the same order as below, so that both sums end at the same bits
        weight[leaf[i]] += cost[i]
    for i in order:
        at = leaf[i]
        reached[at] += cost[i]
        if open_[at] and cost[i] > 0.0 and reached[at] >= level * weight[at]:
            out[at] = off[i]
            open_[at] = False
