"""Where a model is worst: rows parted by the values of their fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.evaluation.fields import FieldCells
from lithify.evaluation.parts import FEWEST, Parts, parts_of
from lithify.metrics.limits import Z

SHOWN = 12
ALPHA = 0.05
"""How likely any slice at all is marked as worse, were all equally good."""


@dataclass(frozen=True)
class Slice:
    """The rows with one value of one field.

    Attributes
    ----------
    field, value : str
    rows : int
    error, low, high : float
        Share of rows with the wrong label, or root mean squared error; with its 95 % interval.
    worse : bool
        Whether it is worse than the other rows even when as many slices as these are looked at (Bonferroni).
    """

    field: str
    value: str
    rows: int
    error: float
    low: float
    high: float
    worse: bool


@dataclass(frozen=True)
class Slices:
    """The worst slices.

    Attributes
    ----------
    looked_at : int
        Slices with enough rows, in all.
    error : float
        Of all rows.
    worst : tuple of Slice
        Of those above the other rows the ones marked worse, then those with the highest lower ends of their intervals.
    unit : "share" or "value"
    """

    looked_at: int
    error: float
    worst: tuple[Slice, ...]
    unit: str


@dataclass(frozen=True)
class _Part:
    field: int
    code: int
    name: str
    low: float
    distance: float


def slices(columns: Sequence[FieldCells], missed: NDArray[np.float64], unit: str, fewest: int = FEWEST) -> Slices:
    """The worst slices by all fields.

    Parameters
    ----------
    columns : sequence of FieldCells
        Each of n rows.
    missed : (n,) float64
        Unit "share": 1 for a row with the wrong label, else 0. Unit "value": true minus predicted value.
    unit : "share" or "value"
    fewest : int
        Rows that a slice must have, and that must be outside of it.
    """
    parted = [parts_of(cells, fewest) for cells in columns]
    squared = missed * missed  # of a 0 and a 1 the same
    found = [part for field, parts in enumerate(parted) for part in _looked_at(field, parts, squared, unit, fewest)]
    bar = NormalDist().inv_cdf(1.0 - ALPHA / max(len(found), 1))
    found.sort(key=lambda part: (part.distance <= bar, -part.low, columns[part.field].field.name, part.name))
    worst = []
    for part in [part for part in found if part.distance > 0.0][:SHOWN]:
        own = missed[parted[part.field].codes == part.code]
        error, low, high = _measured(own, unit)
        name = columns[part.field].field.name
        worst.append(Slice(name, part.name, len(own), error, low, high, part.distance > bar))
    return Slices(len(found), _error(missed, unit), tuple(worst), unit)


def _looked_at(field: int, parts: Parts, squared: NDArray[np.float64], unit: str, fewest: int) -> list[_Part]:
    """The slices of one field, measured quickly, but for those that hold nearly all rows."""
    unit_of = float(squared.max()) or 1.0  # so that no square of it overflows
    rows, first, second = (
        _sums(parts, values) for values in (np.ones(len(squared)), squared / unit_of, (squared / unit_of) ** 2)
    )
    distances = _distances(rows, first, second, unit)
    found = []
    for code, name in enumerate(parts.names):
        if len(squared) - rows[code] < fewest:
            continue
        n, mean = float(rows[code]), float(first[code] / rows[code])
        if unit == "share":
            low = metrics.wilson(float(first[code] * unit_of), n)[0]
        else:
            low = unit_of * (mean - Z * math.sqrt(max(float(second[code]) / n - mean * mean, 0.0) / n))
        found.append(_Part(field, code, name, low, float(distances[code])))
    return found


def _sums(parts: Parts, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of each part, and last that of the rows in none."""
    names = len(parts.names)
    added = np.bincount(np.where(parts.codes < 0, names, parts.codes), values, names + 1)
    return added.astype(np.float64)


def _distances(
    rows: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64], unit: str
) -> NDArray[np.float64]:
    """By how many standard errors the mean of each part is above that of all other rows.

    Means of values by their own variances (Welch 1947). Shares by the variance of all rows together (the score test):
    few rows without an error have no variance of their own, and yet say little.
    """
    others = [total.sum() - total for total in (rows, first, second)]
    n, m = np.maximum(rows, 1.0), np.maximum(others[0], 1.0)
    gap = first / n - others[1] / m
    variance = (
        np.maximum(second / n - (first / n) ** 2, 0.0) / n + np.maximum(others[2] / m - (others[1] / m) ** 2, 0.0) / m
    )
    if unit == "share":
        share = first.sum() / rows.sum()
        variance = share * (1.0 - share) * (1.0 / n + 1.0 / m)
    known = (others[0] > 0) & (variance > 0.0)
    return np.where(known, gap / np.sqrt(np.where(known, variance, 1.0)), 0.0)


def _error(missed: NDArray[np.float64], unit: str) -> float:
    mean = float((missed * missed).mean())
    return mean if unit == "share" else math.sqrt(mean)


def _measured(own: NDArray[np.float64], unit: str) -> tuple[float, float, float]:
    """The figure of one slice with its interval."""
    if unit == "share":
        return _error(own, unit), *metrics.wilson(float(own.sum()), len(own))
    return metrics.measure_values(own, np.zeros(len(own)), (metrics.rmse,))["rmse"]
