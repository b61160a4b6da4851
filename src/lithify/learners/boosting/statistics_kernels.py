"""The kernel of :mod:`lithify.learners.boosting.statistics`; see :mod:`lithify.kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np

from lithify.kernels import kernel


@kernel
def means_before(
    keys: Any, order: Any, group: Any, learned: int, target: Any, cost: Any, smoothing: float, table: Any, out: Any
) -> None:
    """Means of the label by key, and for each row those over the rows that come before its group.

    Parameters
    ----------
    keys : (m, s) int64
        Places in the table, s for each row.
    order : (m,) int64
        Rows in the order in which they come; those of a group side by side. The first ``learned`` are counted.
    group, target, cost : (m,)
    smoothing : float
        Rows of the mean of all that are added to each key.
    table : (t,) float64
        Written: the means over all that are counted.
    out : (m, s) float64
        Written: see above.
    """
    total = weight = 0.0
    for at in range(learned):
        total += cost[order[at]] * target[order[at]]
        weight += cost[order[at]]
    mean = total / weight if weight > 0.0 else 0.0
    sums, weights = np.zeros(len(table)), np.zeros(len(table))
    begins = 0
    for at in range(len(order)):
        row = order[at]
        for s in range(keys.shape[1]):
            key = keys[row, s]
            out[row, s] = (sums[key] + smoothing * mean) / (weights[key] + smoothing)
        if at + 1 < len(order) and group[order[at + 1]] == group[row]:
            continue
        for since in range(begins, min(at + 1, learned)):
            its = order[since]
            for s in range(keys.shape[1]):
                sums[keys[its, s]] += cost[its] * target[its]
                weights[keys[its, s]] += cost[its]
        begins = at + 1
    for key in range(len(table)):
        table[key] = (sums[key] + smoothing * mean) / (weights[key] + smoothing)
