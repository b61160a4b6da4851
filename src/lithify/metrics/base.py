"""What a metric is.

A metric is a function of rows and whole-number row weights. Weights of one give the figure; a bootstrap resample is
nothing but another row of weights, so one definition serves both and a thousand resamples are one matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lithify.errors import DataError
from lithify.metrics.sample import Sample
from lithify.metrics.values import Values

Direction = Literal["higher", "lower"]
Needs = Literal["rows", "contrast", "two labels", "level"]
Task = Literal["classification", "regression"]
Unit = Literal["share", "percent", "number", "value"]
Limits = tuple[float, float]

_NEEDED = {
    ("classification", "two labels"): "rows of two labels",
    ("classification", "contrast"): "rows of at least two labels",
    ("regression", "contrast"): "rows of at least two values",
    ("regression", "level"): "the level of a quantile",
}


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
    needs : "rows", "contrast", "two labels" or "level"
        Any rows; rows of at least two labels or values; a model of two labels, both of which occur; the level of a
        quantile.
    unit : "share", "percent", "number" or "value"
        Share: 0 to 1. Percent: already times 100. Value: the unit of what is predicted.
    function : callable
        Sample with (R, n) weights to (R,) values.
    limits : callable or None
        Sample with weights of one to a closed-form 95 % interval.
    bootstrap : bool
        Whether the interval also covers the percentiles of a stratified bootstrap.
    recentre : bool
        Whether those percentiles are moved by the mean resample's distance from the figure; for figures that noise
        pushes to one side, so that every resample is biased once more than the sample was.
    task : "classification" or "regression"
        Whether it is a figure of labels and probabilities (:class:`~lithify.metrics.sample.Sample`) or of values
        (:class:`~lithify.metrics.values.Values`).
    lowest : float
        No value can be below it.
    """

    name: str
    title: str
    direction: Direction
    needs: Needs
    unit: Unit
    function: Callable[[Any], NDArray[np.float64]]
    limits: Callable[[Any], Limits] | None = None
    bootstrap: bool = True
    recentre: bool = False
    task: Task = "classification"
    lowest: float = 0.0

    def __call__(self, y: Any, p: Any, level: float | None = None) -> float:
        """The figure, for labels (n,) and probabilities (n, C), or (n,) of label 1; or for values and predictions (n,).

        ``level`` is that of the quantile that the predictions are meant to be, for the metric that needs it.
        """
        sample = Sample.of(y, p) if self.task == "classification" else Values.of(y, p, level)
        if not self.fits(sample):
            raise DataError(
                f"The metric {self.name!r} is not defined on these rows.",
                expected=_NEEDED[self.task, self.needs],
                found=str(sample),
            )
        return float(self.function(sample)[0])

    def fits(self, sample: Sample | Values) -> bool:
        """Whether the metric is defined on these rows."""
        return sample.task == self.task and sample.allows(self.needs)

    def titled(self, labels: tuple[str, ...] = ()) -> str:
        """The title with the names of the labels, of which the last is the positive one; regression has none."""
        text = self.title.format(negative=labels[0], positive=labels[-1]) if labels else self.title
        return text[:1].upper() + text[1:]


def metric(
    title: str,
    direction: Direction,
    *,
    needs: Needs = "rows",
    unit: Unit = "share",
    limits: Callable[[Any], Limits] | None = None,
    bootstrap: bool = True,
    recentre: bool = False,
    task: Task = "classification",
    lowest: float = 0.0,
) -> Callable[[Callable[[Any], NDArray[np.float64]]], Metric]:
    """Makes a :class:`Metric` of a function, named as the function is."""

    def decorate(function: Callable[[Any], NDArray[np.float64]]) -> Metric:
        made = Metric(
            function.__name__, title, direction, needs, unit, function, limits, bootstrap, recentre, task, lowest
        )
        object.__setattr__(made, "__doc__", function.__doc__)
        return made

    return decorate
