"""Figures with 95 % intervals: a stratified bootstrap, and closed forms where it would collapse.

An interval is the hull of the metric's closed form, where it has one, and of the percentiles of resamples (Efron,
Tibshirani 1993, ch. 13). The bootstrap knows the shape of the scores but gives [0, 0] where no error was seen; the
closed form does not. The hull errs on the wide side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithify import rng
from lithify.metrics.base import Metric, Sample

RESAMPLES = 1_000
FEWEST_RESAMPLES = 200
_CELLS = 20_000_000  # resamples times rows: what bounds the time on large splits
_BLOCK = 1_000_000  # resamples times rows held at once: what bounds memory


class Measured(NamedTuple):
    """A figure and the 95 % interval around it."""

    value: float
    low: float
    high: float


def measure_all(sample: Sample, metrics: Sequence[Metric], seed: int = 0) -> dict[str, Measured]:
    """Each metric that fits the rows, by name, with its interval.

    Resamples keep the number of rows of each label (stratified), and draw from ``lithify.rng``: equal rows in equal
    order give equal bits. There are 1,000 of them up to 20,000 rows, then fewer, so that rows times resamples stays
    at 20 million, but never fewer than 200; memory stays at some tens of megabytes.
    """
    sample = sample.by_score()
    fitting = [metric for metric in metrics if metric.fits(sample)]
    drawn = [metric for metric in fitting if metric.bootstrap]
    spread: dict[str, list[NDArray[np.float64]]] = {metric.name: [] for metric in drawn}
    for weights in resamples(sample.y, seed) if drawn else ():
        resampled = sample.weighted(weights)
        for metric in drawn:
            spread[metric.name].append(metric.function(resampled))
    return {metric.name: _measured(metric, sample, spread.get(metric.name, [])) for metric in fitting}


def resamples(y: NDArray[np.int64], seed: int, n: int | None = None) -> Iterator[NDArray[np.float64]]:
    """Blocks of weights (r, rows): how often each row was drawn, with replacement, among those of its label."""
    total = n or min(RESAMPLES, max(FEWEST_RESAMPLES, _CELLS // len(y)))
    size = max(1, _BLOCK // len(y))
    strata = [(rng.key(seed, "bootstrap", int(label)), np.flatnonzero(y == label)) for label in np.unique(y)]
    for start in range(0, total, size):
        count = min(size, total - start)
        weights = np.empty((count, len(y)))
        for stream, rows in strata:
            weights[:, rows] = _draw(stream, start, count, len(rows))
        yield weights


def _draw(stream: int, start: int, count: int, rows: int) -> NDArray[np.int64]:
    """For resamples ``start`` to ``start + count`` of one label: how often each of its rows was drawn."""
    drawn = rng.below(stream, start * rows, rows, n=count * rows).reshape(count, rows)
    drawn += np.arange(count)[:, None] * rows
    return np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)


def _measured(metric: Metric, sample: Sample, spread: Sequence[NDArray[np.float64]]) -> Measured:
    value = float(metric.function(sample)[0])
    lows, highs = [value], [value]
    if spread:
        low, high = _percentiles(np.concatenate(spread), value, metric.recentre)
        lows.append(low)
        highs.append(high)
    if metric.limits is not None:
        low, high = metric.limits(sample)
        lows.append(low)
        highs.append(high)
    floor = 0.0  # every metric of this package is at least zero
    ceiling = {"share": 1.0, "percent": 100.0, "number": math.inf}[metric.unit]
    return Measured(value, max(min(lows), floor), min(max(highs), ceiling))


def _percentiles(values: NDArray[np.float64], value: float, recentre: bool) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    shift = math.fsum(values) / len(values) - value if recentre else 0.0
    return float(low - shift), float(high - shift)
