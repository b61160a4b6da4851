"""A short contest on a share of the rows: do sums and differences of pairs of columns lower the held-out loss?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from lithify.data.batches import TrainingData, take
from lithify.learners.boosting import pairs as paired
from lithify.learners.boosting.data import width
from lithify.learners.boosting.growing import Grown, Problem, grow, pose
from lithify.learners.forest.forest import importances

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
    some = _share(data)
    several = data.classes > 2
    rounds = 20 if several else 80
    quick = replace(params, rounds=rounds, chunk=rounds, learning_rate=0.25 if several else 0.15, statistics=0)
    members = min(params.members, 1 if several else 2)
    plain = _contest(pose(some, quick), quick, members)
    gain = importances(plain[0].forest, width(some.blocks))
    columns = paired.promising(some, gain, params.pairs)
    if not columns:
        return []
    seeing = paired.with_pairs(some, paired.of_columns(some, columns))
    with_them = _contest(pose(seeing, quick), quick, members)
    return columns if _loss(with_them) < (1.0 - _FALL) * _loss(plain) else []


def _share(data: TrainingData) -> TrainingData:
    """Some of the training rows by themselves, so that nothing is made of the others."""
    rows = data.train[:: -(-len(data.train) // ROWS)]
    return TrainingData(
        blocks=take(data.blocks, rows),
        target=data.target[rows],
        weight=data.weight[rows],
        train=np.arange(len(rows)),
        stop=np.zeros(0, dtype=np.int64),
        classes=data.classes,
        group=data.group[rows],
        seed=data.seed,
        grains=data.grains,
    )


def _contest(problem: Problem, params: Any, members: int) -> list[Grown]:
    shape = (len(problem.rows), problem.loss.outputs)
    starts = [np.broadcast_to(problem.start(member), shape).copy() for member in range(members)]
    with ThreadPoolExecutor(members) as threads:  # members do not depend on each other
        return list(threads.map(lambda member: grow(problem, params, member, 0, starts[member]), range(members)))


def _loss(grown: list[Grown]) -> float:
    """The least loss of all members together at one round; infinite where none grew."""
    rounds = min(len(one.losses) for one in grown)
    together = np.sum([one.losses[:rounds] for one in grown], axis=0)
    return float(together.min()) if rounds else np.inf
