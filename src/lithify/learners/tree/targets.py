"""Targets and weights of training rows as whole numbers, so that every sum of them is exact in any order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.data.batches import TrainingData

_EXACT = 52
_WIDEST = 61
_FINEST = 40


@dataclass(frozen=True)
class Targets:
    """What the rows of a tree are to say; rows without weight are left out.

    Attributes
    ----------
    rows : (m,) int64
        Positions in ``data.train``.
    units : (m,) int64
        Weights times ``unit``, rounded; positive.
    target : (m,) int64
        Class codes; in regression ``(value - centre) * weight * scale``, rounded.
    unit, scale : float
        Powers of two. Weights that are multiples of 1 / ``unit`` and values that are multiples of 1 / ``scale`` are
        held exactly. ``scale`` leaves at least 40 bits for the largest distance from the centre in a million rows.
    centre : float
        The lower median of the values; 0 for classes.
    classes : int
        0 in regression.
    """

    rows: NDArray[np.int64]
    units: NDArray[np.int64]
    target: NDArray[np.int64]
    unit: float
    scale: float
    centre: float
    classes: int

    @property
    def values(self) -> NDArray[np.float64]:
        """In regression: values less the centre."""
        return (self.target / self.scale) / (self.units / self.unit)

    def means(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean value of nodes from their sums (n, 3): rows, weight, weighted values; the centre where there is none."""
        weight = sums[:, 1] / self.unit
        return self.centre + np.where(weight > 0, (sums[:, 2] / self.scale) / np.where(weight > 0, weight, 1.0), 0.0)


def targets(data: TrainingData, balanced: bool) -> Targets:
    """The training rows of some data; ``balanced`` gives every class the same weight in total."""
    weight = data.weight[data.train]
    found = data.target[data.train]
    if data.classes and balanced:
        total = np.bincount(found, weights=weight, minlength=data.classes)
        held = np.maximum(total, np.finfo(float).tiny)
        weight = weight * (total.sum() / (np.count_nonzero(total) * held))[found]
    unit = _unit(weight)
    units = np.rint(weight * unit).astype(np.int64)
    rows = np.flatnonzero(units > 0)
    units, found = units[rows], found[rows]
    if data.classes or not len(rows):
        return Targets(rows, units, found.astype(np.int64), unit, 1.0, 0.0, data.classes)
    centre = float(np.partition(found, (len(found) - 1) // 2)[(len(found) - 1) // 2])
    distance = (found - centre) * (units / unit)
    scale = _power(_WIDEST - _bits(distance) - len(rows).bit_length())
    return Targets(rows, units, np.rint(distance * scale).astype(np.int64), unit, scale, centre, 0)


def _unit(weight: NDArray[np.float64]) -> float:
    """1 for whole weights, else the finest power of two with which the sum of all weights is exact."""
    finest = _EXACT - _bits(weight) - len(weight).bit_length()
    if finest >= 0 and bool((weight == np.rint(weight)).all()):
        return 1.0
    return _power(min(finest, _FINEST))


def _bits(values: NDArray[np.float64]) -> int:
    """The least ``b`` for which every value lies within 2**b."""
    return math.frexp(float(np.abs(values).max(initial=0.0)))[1]


def _power(exponent: int) -> float:
    return math.ldexp(1.0, max(-1000, min(exponent, 1000)))
