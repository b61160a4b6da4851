"""The figures of ``tables``, the same functions for every system; NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

METRIC = {"binary": "auc", "classes": "log_loss", "regression": "rmse"}
"""What a task is judged by."""

HIGHER = frozenset({"auc", "accuracy"})
"""Figures of which more is better."""

Floats = NDArray[np.float64]


def judge(task: str, target: NDArray[np.int64] | Floats, predicted: Floats) -> dict[str, float]:
    """Every figure of a task.

    Parameters
    ----------
    task : str
    target : (n,) int64 or float64
    predicted : (n, classes) float64, or (n,) float64 for a regression
        Probabilities, or values.
    """
    if not np.isfinite(predicted).all():
        raise ValueError("predictions that are no finite numbers")
    if task == "regression":
        errors = predicted - target
        return {"rmse": float(np.sqrt(np.mean(errors**2))), "mae": float(np.mean(np.abs(errors)))}
    codes = target.astype(np.int64)
    found = {"log_loss": log_loss(codes, predicted), "accuracy": float(np.mean(predicted.argmax(axis=1) == codes))}
    return found | ({"auc": auc(codes, predicted[:, 1])} if task == "binary" else {})


def auc(target: NDArray[np.int64], score: Floats) -> float:
    """Area under the ROC curve; ties count half.

    >>> auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.9]))
    0.875
    """
    _, group, sizes = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    ones = int(target.sum())
    return float((ranks[target == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(target) - ones)))


def log_loss(target: NDArray[np.int64], probabilities: Floats) -> float:
    """Mean of minus the logarithm of the probability of what was, at least 1e-15, of rows that add up to one."""
    rows = np.clip(probabilities, 1e-15, 1.0)
    chosen = rows[np.arange(len(target)), target] / rows.sum(axis=1)
    return float(-np.mean(np.log(chosen)))
