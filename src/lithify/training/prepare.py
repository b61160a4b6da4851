"""What a run needs before its first step: features fitted on training rows, their blocks, and the learner."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import recipe as recipes
from lithify.data import split
from lithify.data.batches import Blocks, TrainingData
from lithify.data.snapshot import Snapshot
from lithify.data.state import State
from lithify.errors import TooFewRows
from lithify.features.base import Features
from lithify.features.blocks import assemble, contents
from lithify.features.registry import chosen, features
from lithify.learners.base import Learner
from lithify.learners.registry import learner
from lithify.model.draft import Draft
from lithify.progress import Reporter, Update, silent
from lithify.store.home import Home
from lithify.training.executor import Stopped, Threads
from lithify.training.plan import plan
from lithify.training.session import Session
from lithify.training.settings import AS_IT_COMES, Settings

TIMED_STEPS = 4


@dataclass(frozen=True)
class Prepared:
    """A run before its first step.

    Attributes
    ----------
    learner : Learner
    features : Features
    fitted : State
        What the features know of the training rows.
    data : TrainingData
        All rows that may be learned from.
    rows : (n,) int64
        Their numbers in the snapshot, ascending.
    """

    learner: Learner
    features: Features
    fitted: State
    data: TrainingData
    rows: NDArray[np.int64]


def prepare(
    home: Home,
    snapshot: Snapshot,
    recipe: dict[str, Any],
    session: Session,
    report: Reporter,
    settings: Settings = AS_IT_COMES,
) -> Prepared:
    """Fits the features on training rows and makes the blocks of all rows that may be learned from.

    ``settings`` say how many threads decode images, and how much of the disk their pixels may take.
    """
    learns = learner(recipe["learner"])
    reads = features(chosen(snapshot.kind, learns.reads))
    eyes = reads(recipes.params_of(reads.Params, recipe["features"], "features"))
    table = snapshot.table
    rows = np.flatnonzero(np.isin(table.side, (split.TRAIN, split.STOP)))
    report(Update("extracting", 0, len(rows), note="Turning rows into features."))
    fitted = eyes.fit(contents(snapshot, rows), groups(table.group[rows]))
    how = {"limit": settings.cache_limit, "threads": settings.count_threads()}
    data = TrainingData(
        blocks=some(assemble(snapshot, rows, eyes, fitted, home.cache, report, session.check, **how)),
        target=table.label[rows] if snapshot.labels else table.value[rows],
        weight=table.weight[rows],
        train=np.arange(len(rows)),
        stop=np.zeros(0, dtype=np.int64),
        classes=len(snapshot.labels),
        group=table.group[rows],
        seed=recipe["seed"],
        grains=recipe["grains"],
        scratch=home.cache,
    )
    return Prepared(
        learns(recipes.params_of(learns.Params, recipe["params"], recipe["learner"])), eyes, fitted, data, rows
    )


def groups(group: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The groups of some rows; None where every row is one, which is counted more quickly."""
    return None if len(np.unique(group)) == len(group) else group


def some(blocks: Blocks) -> Blocks:
    """The blocks; ``TooFewRows`` where there is none, so that nothing can be learned."""
    if not blocks:
        raise TooFewRows(
            "Nothing is left to learn from: texts without words that several rows share.",
            expected="a word that at least 10 rows hold, or another field",
        )
    return blocks


def draft(snapshot: Snapshot, recipe: dict[str, Any], fitted: State, learned: State) -> Draft:
    """What was learned, before it is calibrated."""
    return Draft(
        kind=snapshot.kind,
        task=snapshot.task,
        labels=snapshot.labels,
        spam=recipe.get("spam", ""),
        learner_name=recipe["learner"],
        features_params=recipe["features"],
        learner_params=recipe["params"],
        features_state=fitted,
        learner_state=learned,
        calibration={},
        cutoffs=None,
        conformal=None,
    )


def seconds_per_step(home: Home, snapshot: Snapshot, recipe: dict[str, Any], settings: Settings) -> float:
    """Times a few steps of the largest stage, whose work is thrown away, and adds the smaller stages in proportion.

    Raises ``SessionEnded`` on a signal.
    """
    stages = plan(snapshot, recipe["folds"])
    timed = []
    with Session(snapshot.digest) as session, Threads(settings.count_threads(), session.stop) as threads:
        with session.at_once():
            prepared = prepare(home, snapshot, recipe, session, silent, settings)
            prepared.learner.enter_thread()
            state = prepared.learner.start(prepared.data)
        try:
            for step in range(min(TIMED_STEPS, prepared.learner.steps(prepared.data))):
                if prepared.learner.done(state):
                    break
                began = time.monotonic()
                state = threads.step(prepared.learner, state, prepared.data, step)
                timed.append(time.monotonic() - began)
        except Stopped:
            raise session.ended() from None
    share = sum(len(stage.train) for stage in stages) / max(1, len(stages[0].train))
    return min(timed[1:] or timed or [0.0]) * share  # the first one warms up
