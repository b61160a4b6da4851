"""A short contest on a share of the rows: do sums and differences of pairs of columns lower the held-out loss?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lithify.data.batches import TrainingData
from lithify.learners import pairs as paired
from lithify.learners.boosting_data import width
from lithify.learners.boosting_growing import Grown, Problem, grow, pose
from lithify.learners.forest import importances

ROWS = 10_000
"""Training rows that the contest looks at, at most."""
_FALL = 0.005
"""Share of the loss that pairs have to save."""


def choose(data: TrainingData, params: Any) -> list[int]:
    """The number columns whose pairs boosting had better see, none where they do not pay; of data and parameters alone.

    Parameters
    ----------
    data : TrainingData
    params : BoostingParams
        Settled.
    """
    if not params.pairs or params.members == 1:
        return []
    some = data.only(data.train[:: -(-len(data.train) // ROWS)])
    several = data.classes > 2
    rounds = 30 if several else 80
    quick = replace(params, rounds=rounds, chunk=rounds, learning_rate=0.25 if several else 0.15)
    members = min(params.members, 1 if several else 2)
    plain = _contest(pose(some, quick), quick, members)
    gain = importances(plain[0].forest, width(some.blocks))
    columns = paired.promising(some, gain, params.pairs)
    if not columns:
        return []
    seeing = paired.with_pairs(some, paired.of_columns(some, columns))
    with_them = _contest(pose(seeing, quick), quick, members)
    return columns if _loss(with_them) < (1.0 - _FALL) * _loss(plain) else []


def _contest(problem: Problem, params: Any, members: int) -> list[Grown]:
    shape = (len(problem.rows), problem.loss.outputs)
    starts = [np.broadcast_to(problem.start(member), shape).copy() for member in range(members)]
    return [grow(problem, params, member, 0, start) for member, start in enumerate(starts)]


def _loss(grown: list[Grown]) -> float:
    """The least loss of all members together at one round; infinite where none grew."""
    rounds = min(len(one.losses) for one in grown)
    together = np.sum([one.losses[:rounds] for one in grown], axis=0)
    return float(together.min()) if rounds else np.inf
