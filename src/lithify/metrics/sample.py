"""Rows with labels and probabilities, as the metrics of classification see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithify.errors import DataError
from lithify.metrics.weighted import weighted_sum


class Curve(NamedTuple):
    """Weight at or above each distinct score, highest score first; both (R, G)."""

    negatives: NDArray[np.float64]
    positives: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows as metrics see them, under R weightings at once.

    Attributes
    ----------
    y : (n,) int64
        Code of the true label, in [0, C).
    p : (n, C) float64
        Probability of each label. With two labels the second is the positive one.
    weights : (R, n) float64
        Whole numbers; how often each row counts.
    """

    task: ClassVar[str] = "classification"

    y: NDArray[np.int64]
    p: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, y: Any, p: Any) -> Sample:
        """Checks labels and probabilities; each row counts once. (n,) probabilities are those of label 1.

        Raises ``DataError`` for no rows, unequal lengths, labels out of range and values that are no probabilities.
        """
        labels, given = np.asarray(y, dtype=np.int64), np.asarray(p, dtype=np.float64)
        given = np.stack([1.0 - given, given], axis=1) if given.ndim == 1 else given
        _check(labels, given)
        return cls(labels, given, np.ones((1, len(labels))))

    def weighted(self, weights: NDArray[np.float64]) -> Sample:
        """The same rows under other weights (R, n)."""
        return replace(self, weights=weights)

    def ordered(self) -> Sample:
        """The same rows, highest positive score first: ranking metrics then need not move any weights."""
        return self.taken(np.argsort(-self.p[:, -1], kind="stable"))

    def taken(self, rows: NDArray[np.int64]) -> Sample:
        """Some of the rows, in that order."""
        return Sample(self.y[rows], self.p[rows], self.weights[:, rows])

    def allows(self, needs: str) -> bool:
        """Whether a metric with these needs is defined on the rows; see :class:`~lithify.metrics.base.Metric`."""
        if needs == "rows":
            return True
        return len(self.labels) > 1 and (needs == "contrast" or (needs == "two labels" and self.p.shape[1] == 2))

    def __str__(self) -> str:
        return f"{self.p.shape[1]} labels, {len(self.labels)} of which occur"

    @property
    def strata(self) -> NDArray[np.int64]:
        """What a resample keeps the number of: rows of each label. (n,)"""
        return self.y

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Codes of the labels that occur, ascending."""
        return np.unique(self.y)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable label; of two labels the positive one at 0.5, else the first of equals. (n,)"""
        if self.p.shape[1] == 2:
            return (self.p[:, 1] >= self.p[:, 0]).astype(np.int64)
        best: NDArray[np.int64] = self.p.argmax(axis=1)
        return best

    @cached_property
    def total(self) -> NDArray[np.float64]:
        """Sum of weights. (R,)"""
        added: NDArray[np.float64] = self.weights.sum(axis=1)
        return added

    @cached_property
    def actual(self) -> NDArray[np.float64]:
        """Weight of the rows of each label. (R, C)"""
        return self.count(np.eye(self.p.shape[1])[self.y])

    @cached_property
    def called(self) -> NDArray[np.float64]:
        """Weight of the rows predicted as each label. (R, C)"""
        return self.count(np.eye(self.p.shape[1])[self.predicted])

    @cached_property
    def correct(self) -> NDArray[np.float64]:
        """Weight of the rows of each label that are predicted as it. (R, C)"""
        return self.count(np.eye(self.p.shape[1])[self.y] * (self.y == self.predicted)[:, None])

    @cached_property
    def curve(self) -> Curve:
        """The curve of the last label against the rest."""
        return self.curve_of(self.p.shape[1] - 1)

    def count(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted sums of 0/1 columns (n, k): (R, k). Whole numbers, hence exact in whatever order a BLAS adds."""
        result: NDArray[np.float64] = self.weights @ columns
        return result

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted sums of real columns (n, k) or (n,): (R, k) or (R,); see ``weighted_sum``."""
        return weighted_sum(self.weights, values)

    def curve_of(self, label: int) -> Curve:
        """Weight of the rows of ``label`` and of the others, cumulated from its highest score down; ties are one."""
        scores = self.p[:, label]
        weights, positive = self.weights, self.y == label
        if (scores[1:] > scores[:-1]).any():
            order = np.argsort(-scores, kind="stable")
            scores, weights, positive = scores[order], weights[:, order], positive[order]
        ends = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
        every = np.cumsum(weights, axis=1)
        positives = np.cumsum(weights * positive, axis=1)
        if len(ends) < len(scores):
            every, positives = every[:, ends], positives[:, ends]
        return Curve(every - positives, positives)


def _check(y: NDArray[np.int64], p: NDArray[np.float64]) -> None:
    if y.ndim != 1 or p.ndim != 2 or len(y) != len(p) or len(y) == 0 or p.shape[1] < 2:
        raise DataError(
            "Labels and probabilities do not belong together.",
            expected="labels (n,) and probabilities (n, C), n at least 1, C at least 2",
            found=f"labels {y.shape}, probabilities {p.shape}",
        )
    if y.min() < 0 or y.max() >= p.shape[1]:
        raise DataError("A label code is out of range.", expected=f"0 to {p.shape[1] - 1}")
    if not (np.isfinite(p).all() and p.min() >= 0.0 and p.max() <= 1.0):
        raise DataError("A probability is not a number from 0 to 1.")
