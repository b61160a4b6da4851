"""What a metric is, and the weighted rows that it looks at.

A metric is a function of rows and whole-number row weights. Weights of one give the figure; a bootstrap resample is
nothing but another row of weights, so one definition serves both and a thousand resamples are one matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithify.errors import DataError

Direction = Literal["higher", "lower"]
Needs = Literal["rows", "contrast", "two labels"]
Unit = Literal["share", "percent", "number"]
Limits = tuple[float, float]


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

    def by_score(self) -> Sample:
        """The same rows, highest positive score first: ranking metrics then need not move any weights."""
        order = np.argsort(-self.p[:, -1], kind="stable")
        return Sample(self.y[order], self.p[order], self.weights[:, order])

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
        """Weighted sums of real columns (n, k) or (n,): (R, k) or (R,).

        Values are first rounded to a power of two so small that no bit that matters is lost and so large that every
        partial sum is exact: the result has the same bits on every machine, in whatever order a BLAS adds.
        """
        largest = float(np.abs(values).max(initial=0.0)) * float(self.total.max())
        shift = 52 - math.frexp(largest)[1]
        whole = np.rint(np.ldexp(values, shift))
        return np.ldexp(self.weights @ whole, -shift)

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


def across(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of real columns (R, k), from the first to the last and not in an order of NumPy's choosing. (R,)"""
    total: NDArray[np.float64] = columns[:, 0]
    for column in range(1, columns.shape[1]):
        total = total + columns[:, column]
    return total


@dataclass(frozen=True)
class Metric:
    """A figure of merit.

    Attributes
    ----------
    name : str
        Stable, for programs.
    title : str
        For people; ``{positive}`` and ``{negative}`` stand for the two labels.
    direction : "higher" or "lower"
        Which values are better.
    needs : "rows", "contrast" or "two labels"
        Any rows; rows of at least two labels; or a model of two labels, both of which occur.
    unit : "share", "percent" or "number"
        Share: 0 to 1. Percent: already times 100.
    function : callable
        Sample with (R, n) weights to (R,) values.
    limits : callable or None
        Sample with weights of one to a closed-form 95 % interval.
    bootstrap : bool
        Whether the interval also covers the percentiles of a stratified bootstrap.
    recentre : bool
        Whether those percentiles are moved by the mean resample's distance from the figure; for figures that noise
        pushes to one side, so that every resample is biased once more than the sample was.
    """

    name: str
    title: str
    direction: Direction
    needs: Needs
    unit: Unit
    function: Callable[[Sample], NDArray[np.float64]]
    limits: Callable[[Sample], Limits] | None = None
    bootstrap: bool = True
    recentre: bool = False

    def __call__(self, y: Any, p: Any) -> float:
        """The figure, for labels (n,) and probabilities (n, C), or (n,) of label 1."""
        sample = Sample.of(y, p)
        if not self.fits(sample):
            raise DataError(
                f"The metric {self.name!r} is not defined on these rows.",
                expected="rows of two labels" if self.needs == "two labels" else "rows of at least two labels",
                found=f"{sample.p.shape[1]} labels, {len(sample.labels)} of which occur",
            )
        return float(self.function(sample)[0])

    def fits(self, sample: Sample) -> bool:
        """Whether the metric is defined on these rows."""
        if self.needs == "rows":
            return True
        return len(sample.labels) > 1 and (self.needs == "contrast" or sample.p.shape[1] == 2)

    def titled(self, labels: tuple[str, ...]) -> str:
        """The title with the names of the labels, of which the last is the positive one."""
        text = self.title.format(negative=labels[0], positive=labels[-1])
        return text[:1].upper() + text[1:]


def metric(
    title: str,
    direction: Direction,
    *,
    needs: Needs = "rows",
    unit: Unit = "share",
    limits: Callable[[Sample], Limits] | None = None,
    bootstrap: bool = True,
    recentre: bool = False,
) -> Callable[[Callable[[Sample], NDArray[np.float64]]], Metric]:
    """Makes a :class:`Metric` of a function, named as the function is."""

    def decorate(function: Callable[[Sample], NDArray[np.float64]]) -> Metric:
        made = Metric(function.__name__, title, direction, needs, unit, function, limits, bootstrap, recentre)
        object.__setattr__(made, "__doc__", function.__doc__)
        return made

    return decorate


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
