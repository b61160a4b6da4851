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
from lithify.metrics.base import Metric
from lithify.metrics.sample import Sample
from lithify.metrics.values import Values

RESAMPLES = 1_000
FEWEST_RESAMPLES = 200
MOST_ROWS = 100_000
_CELLS = 20_000_000  # resamples times rows: what bounds the time on large splits
_BLOCK = 1_000_000  # resamples times rows held at once: what bounds memory


class Measured(NamedTuple):
    """A figure and the 95 % interval around it."""

    value: float
    low: float
    high: float


def measure_all(sample: Sample | Values, metrics: Sequence[Metric], seed: int = 0) -> dict[str, Measured]:
    """Each metric that fits the rows, by name, with its interval.

    Resamples keep the number of rows of each label (stratified; regression has one stratum), and draw from
    ``lithify.rng``: equal rows in equal order give equal bits. There are 1,000 of them up to 20,000 rows, then fewer,
    so that rows times resamples stays at 20 million, with 200 at 100,000 rows. Of more rows every k-th by score (in
    regression by error) within its label is resampled, about 100,000 in all, and the distances from the figure of
    those are shrunk by the root of their share (m out of n bootstrap: Bickel, Götze, van Zwet 1997). So time and
    memory are bounded whatever the number of rows.
    """
    sample = sample.ordered()
    fitting = [metric for metric in metrics if metric.fits(sample)]
    drawn = [metric for metric in fitting if metric.bootstrap]
    thin = _thinned(sample)
    spread: dict[str, list[NDArray[np.float64]]] = {metric.name: [] for metric in drawn}
    for weights in resamples(thin.strata, seed) if drawn else ():
        resampled = thin.weighted(weights)
        for metric in drawn:
            spread[metric.name].append(metric.function(resampled))
    return {metric.name: _measured(metric, sample, thin, spread.get(metric.name, [])) for metric in fitting}


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


def _thinned(sample: Sample | Values) -> Sample | Values:
    """The same rows, or every k-th of each stratum when there are very many."""
    strata = sample.strata
    step = math.ceil(len(strata) / MOST_ROWS)
    if step == 1:
        return sample
    parts = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    return sample.taken(np.sort(np.concatenate([rows[min(step // 2, len(rows) - 1) :: step] for rows in parts])))


def _measured(
    metric: Metric, sample: Sample | Values, thin: Sample | Values, spread: Sequence[NDArray[np.float64]]
) -> Measured:
    value = float(metric.function(sample)[0])
    ends = [value]
    if spread:
        ends += _percentiles(metric, np.concatenate(spread), value, thin, math.sqrt(len(thin.y) / len(sample.y)))
    if metric.limits is not None:
        ends += metric.limits(sample)
    ceiling = {"share": 1.0, "percent": 100.0}.get(metric.unit, math.inf)
    return Measured(value, max(min(ends), metric.lowest), min(max(ends), ceiling))


def _percentiles(
    metric: Metric, values: NDArray[np.float64], value: float, thin: Sample | Values, shrink: float
) -> tuple[float, float]:
    """Ends of the middle 95 % of resamples of ``thin``, carried over to the figure of all rows."""
    low, high = np.percentile(values, [2.5, 97.5])
    centre = value if shrink == 1.0 else float(metric.function(thin)[0])
    shift = math.fsum(values) / len(values) - centre if metric.recentre else 0.0
    if shrink == 1.0:
        return float(low - shift), float(high - shift)
    return value + (float(low) - shift - centre) * shrink, value + (float(high) - shift - centre) * shrink
