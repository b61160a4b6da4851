"""Rows whose label flips from one model to the other.

A negative flip is a row that the champion gets right and the challenger wrong: what a user of the champion notices,
even where the challenger is better on the whole (Yan et al. 2021, "Positive-Congruent Training", arXiv:2011.09161,
whose negative flip rate is the share among all rows).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify.evaluation.comparison.binomial import two_sided
from lithify.metrics import Sample, wilson

LISTED = 50
"""Rows of either kind that are listed: the worst."""


@dataclass(frozen=True)
class Turn:
    """Rows that went one way.

    Attributes
    ----------
    rows : int
    share, low, high : float
        Among all rows, with its 95 % interval (Wilson).
    """

    rows: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Flips:
    """Rows that one of two models alone gets right.

    Attributes
    ----------
    negative, positive : Turn
        Right with the champion alone, and with the challenger alone.
    both_right, both_wrong : int
    p : float
        Exact McNemar, two-sided: how likely so uneven a number of flips is between equally good models.
    worst, best : (k,) int64
        Positions of the negative flips to which the challenger gives the true label the least probability, and of the
        positive ones to which it gives the most; at most 50 each.
    """

    negative: Turn
    positive: Turn
    both_right: int
    both_wrong: int
    p: float
    worst: NDArray[np.int64]
    best: NDArray[np.int64]


def flips(champion: Sample, challenger: Sample, listed: int = LISTED) -> Flips:
    """The flips among rows that both models judged.

    >>> y = [1, 1, 0, 0]
    >>> found = flips(Sample.of(y, [0.9, 0.8, 0.1, 0.2]), Sample.of(y, [0.9, 0.3, 0.1, 0.6]))
    >>> found.negative.rows, found.positive.rows, found.worst.tolist(), found.p
    (2, 0, [1, 3], 0.5)
    """
    a, b = champion.y == champion.predicted, challenger.y == challenger.predicted
    lost, won = np.flatnonzero(a & ~b), np.flatnonzero(b & ~a)
    truth = challenger.p[np.arange(len(challenger.y)), challenger.y]
    return Flips(
        negative=_turn(len(lost), len(a)),
        positive=_turn(len(won), len(a)),
        both_right=int((a & b).sum()),
        both_wrong=int((~a & ~b).sum()),
        p=two_sided(len(lost), len(won)),
        worst=lost[np.argsort(truth[lost], kind="stable")][:listed],
        best=won[np.argsort(-truth[won], kind="stable")][:listed],
    )


def further_off(
    y: NDArray[np.float64], champion: NDArray[np.float64], challenger: NDArray[np.float64], listed: int = LISTED
) -> NDArray[np.int64]:
    """Positions of the rows whose error grew most, in regression; none whose error did not grow.

    >>> further_off(np.array([1.0, 5.0]), np.array([1.0, 5.5]), np.array([3.0, 5.0])).tolist()
    [0]
    """
    grown = np.abs(y - challenger) - np.abs(y - champion)
    order = np.argsort(-grown, kind="stable")[:listed]
    return order[grown[order] > 0.0]


def _turn(rows: int, total: int) -> Turn:
    return Turn(rows, rows / total, *wilson(rows, total))
