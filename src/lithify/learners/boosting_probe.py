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
from lithify.learners.pairs import Pairs

ROWS = 10_000
"""Training rows that the contest looks at, at most."""
_FALL = 0.005
"""Share of the loss that pairs have to save."""
_FEW, _MANY = 2, 4
"""Members of the bag that compete: more where there are few rows."""


def choose(data: TrainingData, params: Any) -> Pairs | None:
    """The pairs that boosting had better see, None where they do not pay; of data and parameters alone.

    Parameters
    ----------
    data : TrainingData
    params : BoostingParams
        Settled.
    """
    if not params.pairs or params.members == 1:
        return None
    some = data.only(data.train[:: -(-len(data.train) // ROWS)])
    several = data.classes > 2
    rounds = 50 if several else 100
    quick = replace(params, rounds=rounds, chunk=rounds, learning_rate=0.25 if several else 0.15)
    members = min(params.members, _FEW if len(some.train) < len(data.train) else _MANY)
    plain = _contest(pose(some, quick), quick, members)
    gain = importances(plain[0].forest, width(some.blocks))
    pairs = paired.choose(some, gain, params.pairs)
    if pairs is None:
        return None
    with_them = _contest(pose(paired.with_pairs(some, pairs), quick), quick, members)
    return pairs if _loss(with_them) < (1.0 - _FALL) * _loss(plain) else None


def _contest(problem: Problem, params: Any, members: int) -> list[Grown]:
    shape = (len(problem.rows), problem.loss.outputs)
    starts = [np.broadcast_to(problem.start(member), shape).copy() for member in range(members)]
    return [grow(problem, params, member, 0, start) for member, start in enumerate(starts)]


def _loss(grown: list[Grown]) -> float:
    """The least loss of all members together at one round; infinite where none grew."""
    rounds = min(len(one.losses) for one in grown)
    together = np.sum([one.losses[:rounds] for one in grown], axis=0)
    return float(together.min()) if rounds else np.inf
