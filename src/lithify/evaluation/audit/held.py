"""Predictions for rows by models that have not seen them: the default learner, trained quickly and in parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithify import recipe as recipes
from lithify.data.batches import TrainingData, take
from lithify.data.snapshot import Snapshot
from lithify.data.state import State
from lithify.features.blocks import assemble, contents
from lithify.features.registry import chosen, features
from lithify.learners.base import Learner
from lithify.learners.folds import fold_of
from lithify.learners.registry import learner
from lithify.progress import Reporter, Update
from lithify.training.executor import Threads, never
from lithify.training.prepare import groups
from lithify.training.settings import cores

PARTS = 3
_SCORED = 4096
_ROUNDS, _FEWEST = 500, 60
_LEAST = 8_000
"""Rows whose work a tree takes in any case: its bins, leaf by leaf."""
_CELLS = 4_000_000
"""Cells, times labels, of which all rounds are made."""


@dataclass(frozen=True)
class HeldOut:
    """What was predicted.

    Attributes
    ----------
    raw : (n, outputs) float64
        Raw scores, or values.
    learner : str
        Name of the learner.
    """

    raw: NDArray[np.float64]
    learner: str


def held_out(snapshot: Snapshot, rows: NDArray[np.int64], report: Reporter) -> HeldOut:
    """Raw scores of some rows of a snapshot, each by a model that has learned from rows of other groups.

    The learner is the default one of the quality ``fast``; the linear one where that is not installed.
    """
    name = recipes.DEFAULT_LEARNER[snapshot.kind]
    name = "linear" if name == "boosting" and find_spec("lightgbm") is None else name
    about = replace(recipes.subject(snapshot), rows=len(rows))
    cells = max(len(rows), _LEAST) * max(1, len(about.fields)) * max(1, len(about.labels))
    asked = {"members": 2, "pairs": 0, "patience": 25, "rounds": rounds(cells)} if name == "boosting" else {}
    recipe = recipes.resolve(recipes.Recipe(learner=name, quality="fast", params=asked), about)
    learns = learner(name)
    data = _data(snapshot, rows, recipe, learns, report)
    made = learns(recipes.params_of(learns.Params, recipe["params"], name))
    raw = None
    if type(made).held_out is not Learner.held_out:
        raw = made.held_out(_trained(made, data, report, ""), data)
    return HeldOut(_in_parts(learns, made.params, data, report) if raw is None else raw, name)


def rounds(cells: int) -> int:
    """Rounds of boosting, fewer where each looks at many cells (times labels), so that an audit stays short.

    >>> rounds(44_000 * 14 * 2), rounds(50_000 * 54 * 7)
    (500, 105)
    """
    return min(_ROUNDS, max(_FEWEST, _ROUNDS * _CELLS // max(1, cells)))


def _data(
    snapshot: Snapshot, rows: NDArray[np.int64], recipe: dict[str, Any], learns: type[Learner], report: Reporter
) -> TrainingData:
    reads = features(chosen(snapshot.kind, learns.reads))
    eyes = reads(recipes.params_of(reads.Params, recipe["features"], "features"))
    table = snapshot.table
    fitted = eyes.fit(contents(snapshot, rows), groups(table.group[rows]))
    return TrainingData(
        blocks=assemble(snapshot, rows, eyes, fitted, snapshot.home.cache, report),
        target=table.label[rows] if snapshot.labels else table.value[rows],
        weight=table.weight[rows],
        train=np.arange(len(rows)),
        stop=np.zeros(0, dtype=np.int64),
        classes=len(snapshot.labels),
        group=table.group[rows],
        seed=recipe["seed"],
        grains=recipe["grains"],
        scratch=snapshot.home.cache,
    )


def _trained(made: Learner, data: TrainingData, report: Reporter, part: str) -> State:
    state, steps = made.start(data), made.steps(data)
    with Threads(cores(), never()) as threads:
        for step in range(steps):
            state = threads.step(made, state, data, step)
            report(Update("learning", step + 1, steps, {"part": part} if part else {}))
            if made.done(state):
                break
    return made.finish(state, data)


def _in_parts(learns: type[Learner], params: Any, data: TrainingData, report: Reporter) -> NDArray[np.float64]:
    part = fold_of(data.group, PARTS, data.seed)
    raw = np.zeros((len(part), data.outputs))
    for number in range(PARTS):
        held, rest = np.flatnonzero(part == number), np.flatnonzero(part != number)
        if not len(held) or not len(rest):
            continue
        made, some = learns(params), data.only(rest)
        state = _trained(made, some, report, f"part {number + 1} of {PARTS}")
        for at in range(0, len(held), _SCORED):
            rows = held[at : at + _SCORED]
            raw[rows] = made.predict(state, take(data.blocks, rows))
    return raw
