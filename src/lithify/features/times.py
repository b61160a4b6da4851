"""The parts of a time: year, month, day of the week, hour; integer arithmetic, for one time as for many."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithify.data.grammar import EARLIEST, LATEST

PARTS: Final = ("year", "month", "weekday", "hour")
"""Monday is weekday 0; all are UTC."""


def parts(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) parts of (n,) seconds since 1970; NaN where a time is missing or outside of the years 1 to 9999.

    >>> parts(np.array([1e9])).tolist(), parts_of(1e9)
    ([[2001.0, 9.0, 6.0, 1.0]], [2001.0, 9.0, 6.0, 1.0])
    """
    known = (seconds >= EARLIEST) & (seconds <= LATEST)
    whole = np.floor(np.where(known, seconds, 0.0)).astype(np.int64)
    found = np.stack(_parts(whole), axis=1).astype(np.float64)
    found[~known] = np.nan
    return found


def parts_of(seconds: float) -> list[float]:
    """The parts of one time."""
    if not EARLIEST <= seconds <= LATEST:
        return [math.nan] * len(PARTS)
    return [float(part) for part in _parts(math.floor(seconds))]


def _parts(seconds: Any) -> tuple[Any, Any, Any, Any]:
    """Of whole seconds; days to dates after Hinnant, "chrono-compatible low-level date algorithms"."""
    days = seconds // 86400
    era, of_era = (days + 719468) // 146097, (days + 719468) % 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = ((5 * of_year + 2) // 153 + 2) % 12 + 1
    return year + 400 * era + (month <= 2), month, (days + 3) % 7, seconds % 86400 // 3600
