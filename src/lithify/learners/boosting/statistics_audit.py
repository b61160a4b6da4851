"""Whether means of labels that come from a file are sound: nothing is looked up in them before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify.errors import MalformedContainer
from lithify.learners.boosting.statistics import BLOCK, CODES, DISTINCT, KNOWN, NAMES, Statistics, length

_MOST = 32
"""Columns at most, whatever a file says."""


def audit(arrays: Mapping[str, NDArray[Any]], numbers: int, categories: int) -> Statistics | None:
    """:func:`statistics_of` arrays from a file; ``MalformedContainer`` unless they fit so many columns."""
    found = {name.removeprefix(f"{BLOCK}_"): array for name, array in arrays.items() if name.startswith(f"{BLOCK}_")}
    if not found:
        return None
    sound = found.keys() == NAMES.keys()
    sound = sound and all(found[name].dtype == dtype and found[name].ndim == 1 for name, dtype in NAMES.items())
    if not sound or not _fits(Statistics(**found), numbers, categories):
        raise MalformedContainer("The means of labels do not fit.")
    return Statistics(**found)


def _fits(one: Statistics, numbers: int, categories: int) -> bool:
    k = len(one.columns)
    if not 1 <= k <= _MOST or len(one.size) != k or len(one.first) != k + 1:
        return False
    columns, size, first = one.columns.tolist(), one.size.tolist(), one.first.tolist()
    if columns != sorted(set(columns)) or columns[0] < 0 or columns[-1] >= numbers + categories:
        return False
    if min(size) < KNOWN or max(size) > max(CODES, KNOWN + DISTINCT) or first[0] != 0 or first[-1] != len(one.values):
        return False
    for j, column in enumerate(columns):
        its = one.values[first[j] : first[j + 1]]
        if first[j] > first[j + 1] or len(its) != (size[j] - KNOWN if column < numbers else 0):
            return False
        if column < numbers and (not len(its) or not np.isfinite(its).all() or not (np.diff(its) > 0.0).all()):
            return False
    return len(one.table) == length(size) and bool(np.isfinite(one.table).all())
