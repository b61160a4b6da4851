"""Rows with values and predicted values, as the metrics of regression see them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lithify.errors import DataError
from lithify.metrics.weighted import weighted_sum


@dataclass(frozen=True, eq=False)
class Values:
    """Rows as metrics of regression see them, under R weightings at once.

    Attributes
    ----------
    y : (n,) float64
        True values.
    predicted : (n,) float64
    weights : (R, n) float64
        Whole numbers; how often each row counts.
    level : float or None
        Of the quantile that the predictions are meant to be; None where they are not.
    """

    task: ClassVar[str] = "regression"

    y: NDArray[np.float64]
    predicted: NDArray[np.float64]
    weights: NDArray[np.float64]
    level: float | None = None

    @classmethod
    def of(cls, y: Any, predicted: Any, level: float | None = None) -> Values:
        """Checks values and predictions; each row counts once.

        Raises ``DataError`` for no rows, unequal lengths, values that are not finite and a level outside of (0, 1).
        """
        truth, given = np.asarray(y, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
        if truth.ndim != 1 or truth.shape != given.shape or not len(truth):
            raise DataError(
                "Values and predictions do not belong together.",
                expected="values (n,) and predictions (n,), n at least 1",
                found=f"values {truth.shape}, predictions {given.shape}",
            )
        if not (np.isfinite(truth).all() and np.isfinite(given).all()):
            raise DataError("A value or a prediction is not a finite number.")
        if level is not None and not 0.0 < level < 1.0:
            raise DataError("The level of a quantile lies between 0 and 1.", found=f"{level}")
        return cls(truth, given, np.ones((1, len(truth))), level)

    def weighted(self, weights: NDArray[np.float64]) -> Values:
        """The same rows under other weights (R, n)."""
        return replace(self, weights=weights)

    def ordered(self) -> Values:
        """The same rows, smallest error first: draws then do not depend on the order in which the rows came."""
        return self.taken(np.lexsort((self.predicted, self.y, np.abs(self.errors))))

    def taken(self, rows: NDArray[np.int64]) -> Values:
        """Some of the rows, in that order."""
        return Values(self.y[rows], self.predicted[rows], self.weights[:, rows], self.level)

    def allows(self, needs: str) -> bool:
        """Whether a metric with these needs is defined on the rows; see :class:`~lithify.metrics.base.Metric`."""
        if needs == "level":
            return self.level is not None
        return needs == "rows" or (needs == "contrast" and bool((self.y != self.y[0]).any()))

    def __str__(self) -> str:
        return f"{len(self.y)} rows, {len(np.unique(self.y))} values, level {self.level}"

    @property
    def strata(self) -> NDArray[np.int64]:
        """What a resample keeps the number of: all rows alike. (n,)"""
        return np.zeros(len(self.y), dtype=np.int64)

    @cached_property
    def exponent(self) -> int:
        """``2 ** exponent`` is above every value, true or predicted; in that unit no square overflows."""
        return math.frexp(float(max(np.abs(self.y).max(), np.abs(self.predicted).max())))[1]

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """True minus predicted, in units of ``2 ** exponent``. (n,)"""
        result: NDArray[np.float64] = np.ldexp(self.y, -self.exponent) - np.ldexp(self.predicted, -self.exponent)
        return result

    @cached_property
    def total(self) -> NDArray[np.float64]:
        """Sum of weights. (R,)"""
        added: NDArray[np.float64] = self.weights.sum(axis=1)
        return added

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted mean of one number for each row (n,): (R,), the same bits everywhere."""
        return weighted_sum(self.weights, values) / self.total
