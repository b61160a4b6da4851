"""Fields that tell when a row was made, or on which side it is: what a model learns of them does not last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Gap:
    """Where a field begins or ends to be filled in.

    Attributes
    ----------
    time : int
        The first row after the gap, seconds UTC.
    before, after : float
        Share of rows in which the field is missing, before and after.
    """

    time: int
    before: float
    after: float


def outside(values: NDArray[np.float64], later: NDArray[np.float64], ordered: bool) -> float:
    """Share of the later values that no earlier row reaches: beyond its range, or of codes never seen.

    >>> outside(np.array([1.0, 5.0]), np.array([3.0, 9.0]), True)
    0.5
    """
    known, new = values[~np.isnan(values)], later[~np.isnan(later)]
    if not len(known) or not len(new):
        return 0.0
    beyond = (new < known.min()) | (new > known.max()) if ordered else ~np.isin(new, known)
    return float(beyond.mean())


def gap(missing: NDArray[np.bool_], time: NDArray[np.int64], least: float = 0.01) -> Gap | None:
    """The point in time before and after which the share of missing cells differs most.

    Parameters
    ----------
    missing : (n,) bool
    time : (n,) int64
    least : float
        Share of the rows that must lie on either side.

    Returns
    -------
    Gap or None
        None where all or no cells are missing, or all rows have one time.
    """
    n = len(time)
    if not n or missing.all() or not missing.any():
        return None
    order = np.argsort(time, kind="stable")
    ordered, gone = time[order], np.cumsum(missing[order])
    cut = np.flatnonzero(ordered[1:] > ordered[:-1]) + 1
    cut = cut[(cut >= max(1, least * n)) & (cut <= n - max(1, least * n))]
    if not len(cut):
        return None
    before, after = gone[cut - 1] / cut, (gone[-1] - gone[cut - 1]) / (n - cut)
    best = int(np.abs(before - after).argmax())
    return Gap(int(ordered[cut[best]]), float(before[best]), float(after[best]))
