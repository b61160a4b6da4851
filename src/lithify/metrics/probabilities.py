"""Metrics of the probabilities themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithify import numerics
from lithify.metrics.base import metric
from lithify.metrics.sample import Sample
from lithify.metrics.weighted import across

BINS = 15
_SMALLEST = float(np.finfo(np.float64).eps)


@metric("Log loss", "lower", unit="number")
def log_loss(sample: Sample) -> NDArray[np.float64]:
    """Mean of minus the natural logarithm of the true label's probability, which is kept above 2**-52."""
    truth = sample.p[np.arange(len(sample.y)), sample.y]
    return sample.sum(-numerics.log(np.clip(truth, _SMALLEST, 1.0 - _SMALLEST))) / sample.total


@metric("Brier score", "lower", unit="number")
def brier(sample: Sample) -> NDArray[np.float64]:
    """Mean squared error of the positive label's probability (0 to 1); over all labels when more than two (0 to 2)."""
    if sample.p.shape[1] == 2:
        return sample.sum((sample.p[:, 1] - sample.y) ** 2) / sample.total
    squared = (sample.p - np.eye(sample.p.shape[1])[sample.y]) ** 2
    return sample.sum(across(squared)) / sample.total


@metric("Calibration error", "lower", recentre=True)
def calibration_error(sample: Sample) -> NDArray[np.float64]:
    """Expected calibration error over 15 bins of equal mass.

    Rows are cut at the 15-quantiles of a probability, equal ones staying together: that of the positive label, or of
    the most probable one when there are more than two. The figure is the mean, weighted by rows, of the distance
    between a bin's mean probability and the share of its rows for which it came true (Naeini, Cooper, Hauskrecht
    2015; bins of equal mass after Nguyen, O'Connor 2015, arXiv:1508.05154). Noise alone makes it positive: a
    resample carries that bias twice, so the interval is moved back by it.
    """
    claimed, true = claims(sample)
    edges = np.sort(claimed)[(np.arange(1, BINS) * len(claimed)) // BINS]
    bins = np.searchsorted(edges, claimed, side="right")
    gaps = sample.sum(np.eye(BINS)[bins] * (claimed - true)[:, None])
    return across(np.abs(gaps)) / sample.total


def claims(sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a calibrated model is held to: the probability claimed for each row, and whether it came true. (n,) each"""
    if sample.p.shape[1] == 2:
        return sample.p[:, 1], (sample.y == 1).astype(np.float64)
    claimed: NDArray[np.float64] = sample.p.max(axis=1)
    return claimed, (sample.y == sample.predicted).astype(np.float64)
