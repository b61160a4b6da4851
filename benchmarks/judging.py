"""From scores to figures: every filter is judged by the same functions on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithify import metrics
from lithify.metrics import Measured
from lithify.metrics.base import Sample
from lithify.metrics.intervals import resamples

RANKING = (metrics.one_minus_roca_percent, metrics.missed_at_1_per_1000)


@dataclass(frozen=True)
class Scores:
    """What a filter says of some rows.

    Attributes
    ----------
    value : (n,) float64
        Higher is more like spam.
    likely : (n,) bool
        Whether it finds spam more likely than ham: what accuracy is counted by.
    called : (n,) bool
        Whether it would put the message away as spam, at the cut-off it chooses itself.
    """

    value: NDArray[np.float64]
    likely: NDArray[np.bool_]
    called: NDArray[np.bool_]

    def of(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Scores:
        """The scores of some rows."""
        return Scores(self.value[rows], self.likely[rows], self.called[rows])


def joined(scores: Sequence[Scores]) -> Scores:
    """Scores of several trainings as one list."""
    return Scores(
        np.concatenate([s.value for s in scores]),
        np.concatenate([s.likely for s in scores]),
        np.concatenate([s.called for s in scores]),
    )


def judge(spam: NDArray[np.int64], scores: Scores) -> dict[str, Measured]:
    """(1-ROCA) %, spam missed at 0.1 % ham loss, accuracy; each with its 95 % interval."""
    found = metrics.measure(spam, _as_probabilities(scores.value), RANKING)
    return found | metrics.measure(spam, scores.likely.astype(np.float64), (metrics.accuracy,))


def ahead(spam: NDArray[np.int64], ours: Scores, theirs: Scores) -> tuple[float, float]:
    """Share of resamples, the same for both, in which ours has less (1-ROCA) and misses less spam; ties are half."""
    pair = [Sample.of(spam, _as_probabilities(scores.value)) for scores in (ours, theirs)]
    wins, drawn = np.zeros(2), 0
    for weights in resamples(spam, seed=1, n=500):
        for which, figure in enumerate(RANKING):
            a, b = (figure.function(sample.weighted(weights)) for sample in pair)
            wins[which] += (a < b).sum() + 0.5 * (a == b).sum()
        drawn += len(weights)
    return float(wins[0] / drawn), float(wins[1] / drawn)


def at_own_cutoff(spam: NDArray[np.int64], scores: Scores) -> tuple[float, float]:
    """Share of ham put away as spam, and of spam not put away."""
    return float(scores.called[spam == 0].mean()), float(1.0 - scores.called[spam == 1].mean())


def _as_probabilities(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks between 0 and 1: the order to the last bit, ties kept."""
    _, rank = np.unique(value, return_inverse=True)
    return rank / max(1, int(rank.max()))
