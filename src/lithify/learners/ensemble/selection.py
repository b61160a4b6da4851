"""Greedy selection of members with replacement (Caruana et al. 2004, doi:10.1145/1015330.1015432)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import numerics


def select(
    scores: Sequence[NDArray[np.float64] | None],
    target: NDArray[Any],
    weight: NDArray[np.float64],
    classes: int,
    picks: int,
    shrink: float = 0.0,
) -> list[float]:
    """Weights of members, summing to one.

    Each pick takes the member whose raw scores, averaged with those picked before, have the smallest loss: log loss, or
    squared error in regression. The best prefix of the picks counts; of equals the first. Few rows say little of which
    member is better, so the weights can be drawn towards equal ones.

    Parameters
    ----------
    scores : sequence of (n, outputs) float64, or None
        Raw scores of rows the member has not seen; None for a member without any, which gets no weight unless it is
        alone.
    target : (n,) int32 or float64
    weight : (n,) float64
    classes : int
        0 in regression.
    picks : int
        How many, at least 1.
    shrink : float
        0 leaves the weights, 1 makes those of all members with scores equal.

    Examples
    --------
    >>> y, w = np.array([0.0, 1.0]), np.ones(2)
    >>> select([np.array([[1.0], [1.0]]), np.array([[0.0], [0.8]]), np.array([[0.0], [1.2]])], y, w, 0, 2)
    [0.0, 0.5, 0.5]
    """
    known = [number for number, found in enumerate(scores) if found is not None]
    if len(known) < 2:
        chosen = known[0] if known else 0
        return [1.0 if number == chosen else 0.0 for number in range(len(scores))]
    raw = {number: found for number, found in enumerate(scores) if found is not None}
    total = np.zeros_like(raw[known[0]])
    picked: list[int] = []
    best, length = math.inf, 0
    for count in range(1, picks + 1):
        losses = [_loss((total + raw[number]) / count, target, weight, classes) for number in known]
        at = min(range(len(known)), key=lambda i: (losses[i], i))
        picked.append(known[at])
        total = total + raw[known[at]]
        if losses[at] < best or not length:
            best, length = losses[at], count
    return [
        (1.0 - shrink) * picked[:length].count(number) / length + (shrink / len(known) if number in known else 0.0)
        for number in range(len(scores))
    ]


def loss_of(figures: Mapping[str, float]) -> float:
    """The held-out loss among a learner's figures; infinite where it has none, so that it loses every comparison."""
    return figures.get("loss", math.inf)


def _loss(raw: NDArray[np.float64], target: NDArray[Any], weight: NDArray[np.float64], classes: int) -> float:
    """Exactly rounded, so that no order of adding decides a tie."""
    if classes == 0:
        return math.fsum(weight * (raw[:, 0] - target) ** 2)
    if classes == 2:
        return math.fsum(weight * numerics.log1pexp(np.where(target == 1, -1.0, 1.0) * (raw[:, 1] - raw[:, 0])))
    chances = numerics.softmax(raw)[np.arange(len(target)), target]
    return -math.fsum(weight * numerics.log(np.maximum(chances, 1e-300)))
